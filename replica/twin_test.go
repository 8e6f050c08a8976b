package replica

import (
	"math/rand/v2"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// A copy of a store is started while its original runs. What either acknowledges from then on counts once on both.
func TestCopyBesideItsOriginal(t *testing.T) {
	disk := enginetest.NewDisk(rand.New(rand.NewPCG(1, 1)).Uint64)
	before := beginWith(t, engine.Options{Disk: disk}, Options{})
	before.add(t, "k", 5)
	before.flush(t)
	copied := disk.Copy()
	before.add(t, "k", 20)
	before.flush(t)

	original := before
	twin := beginWith(t, engine.Options{Disk: copied, AwaitPeers: true}, Options{Peers: []string{original.addr()}, Wait: time.Hour})
	twin.add(t, "k", 100)
	eventually(t, "the copy has an ID of its own", func() bool { return twin.engine.ReplicaID() != original.engine.ReplicaID() })
	if _, err := original.node.AddPeer(twin.addr()); err != nil {
		t.Fatal(err)
	}
	original.add(t, "k", 3)
	original.flush(t)
	twin.flush(t)
	for _, r := range []*testReplica{original, twin} {
		eventually(t, "all is counted once", func() bool { return r.get(t, "k") == 5+20+100+3 })
	}
}

// flush is for a store on a Disk, which does not flush by itself.
func (r *testReplica) flush(t *testing.T) {
	t.Helper()
	if err := r.engine.Flush(); err != nil {
		t.Fatal(err)
	}
}
