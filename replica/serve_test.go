package replica

import (
	"sync"
	"sync/atomic"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// However many ask at once, no more snapshots are kept than there is room for.
func TestSnapshotsAreFew(t *testing.T) {
	r := begin(t)
	eventually(t, "it serves", func() bool { return r.node.mayServe() == nil })
	stop := make(chan struct{})
	var flusher sync.WaitGroup
	flusher.Go(func() { // so that snapshots have to wait for their turn
		for {
			select {
			case <-stop:
				return
			default:
				r.add(t, "k", 1)
				r.flush(t)
			}
		}
	})
	defer flusher.Wait()
	defer close(stop)
	for range 20 {
		if taken, refused := snapAtOnce(t, r.node, 50); taken != maxSnapshots || taken+refused != 50 {
			t.Fatalf("%d of 50 callers got a snapshot, %d were told to wait; want %d to get one", taken, refused, maxSnapshots)
		}
		r.node.mu.Lock()
		all := r.node.library.take(r.node.library.shelf.All())
		r.node.mu.Unlock()
		if err := closeAll(all); err != nil {
			t.Fatal(err)
		}
	}
}

// snapAtOnce has n callers ask for a snapshot.
func snapAtOnce(t *testing.T, node *Node, n int) (taken, refused int64) {
	var yes, no atomic.Int64
	var callers sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		callers.Go(func() {
			<-begin
			_, err := node.Snap("caller:1", engine.SnapRequest{Version: Version, ID: tlv.ReplicaID(100 + i), Life: 1})
			switch reply, _ := err.(engine.PeerError); {
			case err == nil:
				yes.Add(1)
			case code(reply) == codeBusy:
				no.Add(1)
			default:
				t.Errorf("Snap = %v", err)
			}
		})
	}
	close(begin)
	callers.Wait()
	return yes.Load(), no.Load()
}

// What a caller says of replicas that are not known here is not kept: it may be anything, and of any size.
func TestVectorsOfCallersAreNotHoarded(t *testing.T) {
	r := begin(t)
	r.add(t, "k", 1)
	own := r.engine.ReplicaID()
	eventually(t, "the write is published", func() bool { return r.engine.Vector().Entry(own).Stamp != 0 })
	e := r.engine.Vector().Entry(own)
	v := tlv.Vector{e}
	for i := range 1000 {
		v.Put(tlv.VectorEntry{Replica: tlv.ReplicaID(i + 1), Stamp: 1})
	}
	if _, err := r.node.Sync("caller:1", engine.SyncRequest{Version: Version, ID: 1, Life: 1, Vector: v}); err != nil {
		t.Fatal(err)
	}
	r.node.mu.Lock()
	kept := len(r.node.members.of[1].vector)
	r.node.mu.Unlock()
	if kept != 1 || r.node.Acked(e.Stamp) != 1 {
		t.Errorf("%d entries of 1001 are kept, %d callers have acknowledged; want 1 and 1", kept, r.node.Acked(e.Stamp))
	}
}

func TestWhatACallerDoesNotWant(t *testing.T) {
	r := engine.SyncRequest{Vector: tlv.Vector{{Replica: 2, Stamp: 5, Life: 1}, {Replica: 4, Stamp: 6, Life: 1}}, Except: []tlv.ReplicaID{9, 4, 1, 4}}
	got := wanted(&r)
	for id, stamp := range map[tlv.ReplicaID]tlv.Stamp{1: maxStamp, 2: 5, 3: 0, 4: maxStamp, 9: maxStamp} {
		if e := got.Entry(id); e.Stamp != stamp {
			t.Errorf("wanted says %d of replica %d; want %d", e.Stamp, id, stamp)
		}
	}
	if r.Vector.Entry(4).Stamp != 6 {
		t.Error("wanted has changed the request")
	}
}
