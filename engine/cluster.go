package engine

import (
	"encoding/binary"
	"fmt"

	"atomiccounter/tlv"
)

// ErrClusterNames: the cluster would have more of them.
var ErrClusterNames = fmt.Errorf("the clusters of this store and of the peer have more than %d names together", tlv.MaxClusterNames)

// Cluster is what the store knows of its own. The caller only reads it.
func (e *Engine) Cluster() tlv.Cluster { return *e.self.cluster.Load() }

// JoinCluster has the store know what a peer knows, synced. ErrClusterNames leaves all as it is.
func (e *Engine) JoinCluster(theirs tlv.Cluster) error {
	c := e.committer.lock()
	defer c.unlock()
	if err := c.mayCommit(); err != nil {
		return err
	}
	all := e.Cluster().Join(theirs)
	if len(all.Names) > tlv.MaxClusterNames {
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
	known := tlv.Cluster{Provisional: c.flags&metaGiven == 0}
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

func (c *committer) writeCluster(p tlv.Cluster) error {
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
