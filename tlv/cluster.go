package tlv

import "slices"

// Cluster is what a store knows of the cluster that it is of. Its dumps carry a name of it, so that none is merged by a server of that cluster
// as if it were of another. A new store makes one, which is provisional until a state of the store has left it: so long it takes over that
// of a peer, of one that is not provisional or, of two that are, the lesser. So stores that begin together agree, and a store that joins brings no
// name. Where two become peers that are not provisional, their clusters are one from then on, with the names of both: what was dumped
// under either is its own.
type Cluster struct {
	Names       []ClusterID // in ascending order; the first is the one that dumps carry
	Provisional bool
}

// MaxClusterNames is how many names a cluster may have.
const MaxClusterNames = 64

// Join is what a store knows that knew c, after it has met a peer that knows o.
func (c Cluster) Join(o Cluster) Cluster {
	switch {
	case len(o.Names) == 0 || o.Provisional && !c.Provisional:
		return c
	case c.Provisional && o.Provisional:
		return Cluster{Names: []ClusterID{min(c.Names[0], o.Names[0])}, Provisional: true}
	case c.Provisional:
		return Cluster{Names: o.Names, Provisional: true}
	}
	all := append(slices.Clone(c.Names), o.Names...)
	slices.Sort(all)
	return Cluster{Names: slices.Compact(all)}
}

// Has says whether a name is one of the cluster.
func (c Cluster) Has(name ClusterID) bool { return slices.Contains(c.Names, name) }
