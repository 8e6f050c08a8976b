package engine

import (
	"encoding/binary"
	"fmt"
	"slices"

	"atomiccounter/tlv"
)

// Cluster is what a store knows of the cluster that it is of. Its dumps carry a name of it, so that none is merged by a server of that cluster
// as if it were of another. A new store makes one, which is provisional until a state of the store has left it: so long it takes over that
// of a peer, of one that is not provisional or, of two that are, the lesser. So stores that begin together agree, and who joins brings no
// name. Where two become peers that are not provisional, their clusters are one from then on, with the names of both: what was dumped
// under either is its own.
type Cluster struct {
	Names       []tlv.ClusterID // in ascending order; the first is the one that dumps carry
	Provisional bool
}

// MaxClusterNames is how many names a cluster may have.
const MaxClusterNames = 64

// ErrClusterNames: the cluster would have more of them.
var ErrClusterNames = fmt.Errorf("the clusters of this store and of the peer have more than %d names together", MaxClusterNames)

// Join is what a store knows that knew c, after it has met a peer that knows o.
func (c Cluster) Join(o Cluster) Cluster {
	switch {
	case len(o.Names) == 0 || o.Provisional && !c.Provisional:
		return c
	case c.Provisional && o.Provisional:
		return Cluster{Names: []tlv.ClusterID{min(c.Names[0], o.Names[0])}, Provisional: true}
	case c.Provisional:
		return Cluster{Names: o.Names, Provisional: true}
	}
	all := append(slices.Clone(c.Names), o.Names...)
	slices.Sort(all)
	return Cluster{Names: slices.Compact(all)}
}

// Has says whether a name is one of the cluster.
func (c Cluster) Has(name tlv.ClusterID) bool { return slices.Contains(c.Names, name) }

// Cluster is what the store knows of its own. The caller only reads it.
func (e *Engine) Cluster() Cluster { return *e.self.cluster.Load() }

// JoinCluster has the store know what a peer knows, synced. ErrClusterNames leaves all as it is.
func (e *Engine) JoinCluster(theirs Cluster) error {
	c := e.committer.lock()
	defer c.unlock()
	if err := c.mayCommit(); err != nil {
		return err
	}
	all := e.Cluster().Join(theirs)
	if len(all.Names) > MaxClusterNames {
		return ErrClusterNames
	}
	return c.writeCluster(all)
}

const clusterSetting = "cluster"

func (c *committer) readCluster() error {
	stored, err := c.e.settings(clusterSetting)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	known := Cluster{Provisional: c.flags&metaGiven == 0}
	for data := stored[""]; len(data) >= 8; data = data[8:] {
		known.Names = append(known.Names, tlv.ClusterID(binary.LittleEndian.Uint64(data)))
	}
	if len(known.Names) > 0 {
		c.e.self.cluster.Store(&known)
		return nil
	}
	name := tlv.NoCluster
	for name <= tlv.PlainCluster {
		name = tlv.ClusterID(c.e.options.random())
	}
	known.Names = []tlv.ClusterID{name}
	return c.writeCluster(known)
}

func (c *committer) writeCluster(p Cluster) error {
	var value []byte
	for _, name := range p.Names {
		value = binary.LittleEndian.AppendUint64(value, uint64(name))
	}
	if err := c.remember(clusterSetting, value); err != nil {
		return err
	}
	c.e.self.cluster.Store(&p)
	return nil
}
