package replica

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// responder is a node that is only asked, at a time of its own, and names its snapshots by number. Its store has three keys.
type responder struct {
	*testReplica
	disk *enginetest.Disk
	now  time.Time
}

func newResponder(t *testing.T) *responder {
	t.Helper()
	r := &responder{now: time.UnixMilli(1_000_000), disk: enginetest.NewDisk(rand.New(rand.NewPCG(1, 2)).Uint64)}
	e, err := engine.Open("store", engine.Options{Disk: r.disk})
	if err != nil {
		t.Fatal(err)
	}
	number := uint64(0)
	node, err := New(e, Options{now: func() time.Time { return r.now }, random: func() uint64 { number++; return number }})
	if err != nil {
		t.Fatal(err)
	}
	r.testReplica = &testReplica{server: &server{engine: e, node: node}}
	t.Cleanup(func() {
		if err := errors.Join(closeAll(node.snapshots.take(node.snapshots.leases.All())), e.Close()); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	for _, key := range []string{"a", "b", "c"} {
		r.add(t, key, 1)
	}
	if err := errors.Join(node.maintain(), e.Flush()); err != nil {
		t.Fatal(err)
	}
	return r
}

// page asks for one, of a key.
func (r *responder) page(caller tlv.ReplicaID, snapshot string, cursor []byte) (csync.SnapAnswer, error) {
	return r.node.Snap("peer:1", csync.SnapRequest{Request: csync.Request{Version: csync.Version, ID: caller, Life: 1}, Snapshot: snapshot, Cursor: cursor, Bytes: 1})
}

// Every error that CSNAP replies with beside those of judge, and what ends it.
func TestSnapReplies(t *testing.T) {
	first := csync.Hex[uint64](1)
	const tooMany = "ERR 64 replicas pull from this one already that are no peers of it: CFORGET those that are gone, or CPEER ADD replica 0000000000000009"
	const fetching = "BUSY this replica is fetching a state itself; ask again"
	for _, c := range []struct {
		name     string
		kept     int // snapshots, for the callers 100, 101, …
		do       func(*responder) error
		caller   tlv.ReplicaID
		snapshot string
		cursor   string
		want     string // "": a page
	}{
		{"a new snapshot", 0, nil, 9, "", "", ""},
		{"one that is kept", 1, nil, 100, first, "", ""},
		{"one that is unknown", 1, nil, 100, "z", "", `NOSNAPSHOT "z" is not kept here; begin again`},
		{"a cursor that is none", 1, nil, 100, first, "\xff", "ERR CSNAP: the cursor is malformed"},
		{"one that nobody asked for in five minutes", 1, func(r *responder) error { r.now = r.now.Add(keepSnapshot); return r.node.tidy() }, 100, first, "", ""},
		{"in more than five minutes", 1, func(r *responder) error { r.now = r.now.Add(keepSnapshot + 1); return r.node.tidy() }, 100, first, "",
			`NOSNAPSHOT "0000000000000001" is not kept here; begin again`},
		{"one that is closed just now", 1, func(r *responder) error { return r.node.snapshots.open[first].Close() }, 100, first, "",
			`NOSNAPSHOT "0000000000000001" is not kept here; begin again`},
		{"one that its caller has taken in", 1, func(r *responder) error {
			_, err := r.node.Sync("peer:1", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 100, Life: 1}, Vector: r.engine.Vector()})
			return err
		}, 100, first, "", `NOSNAPSHOT "0000000000000001" is not kept here; begin again`},
		{"a caller beside others", 10, nil, 9, "", "", ""},
		{"one begins again", 10, nil, 100, "", "", ""},
		{"a caller beside too many", maxPullers, nil, 9, "", "", tooMany},
		{"one of those", maxPullers, nil, 100, "", "", ""},
		{"a caller beside too many that have come once, and are gone", maxPullers, func(r *responder) error { r.now = r.now.Add(pullerTimeout); return nil }, 9, "", "", ""},
		{"not sure of itself", 0, func(r *responder) error { r.node.store.confirmed = false; return nil }, 9, "", "",
			"BUSY this replica has just begun; ask again"},
		{"in a state transfer", 0, func(r *responder) error { r.node.store.transfer = &engine.Transfer{}; return nil }, 9, "", "", fetching},
		{"in a state transfer that goes on no more", 0, func(r *responder) error {
			r.node.turns.Idle(r.now)
			r.now = r.now.Add(takeOver)
			return r.engine.BeginTransfer(engine.Transfer{Source: 77, Snapshot: "s", Vector: tlv.Vector{at(77, 9)}})
		}, 9, "", "", ""},
	} {
		r := newResponder(t)
		for i := range c.kept {
			if _, err := r.page(tlv.ReplicaID(100+i), "", nil); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		if c.do != nil {
			if err := c.do(r); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		a, err := r.page(c.caller, c.snapshot, []byte(c.cursor))
		var reply csync.Error
		if errors.As(err, &reply); string(reply) != c.want || (err == nil) != (c.want == "") || err == nil && len(a.Page) == 0 {
			t.Errorf("%s: CSNAP = %+v, %v; want %q", c.name, a, err, c.want)
		}
	}
}

// Pages go on at the cursor, as often as they are asked for, and count what is done.
func TestSnapPages(t *testing.T) {
	r := newResponder(t)
	var cursor []byte
	snapshot := ""
	for done := int64(1); done <= 3; done++ {
		var a csync.SnapAnswer
		for range 2 { // the answer may be lost
			var err error
			if a, err = r.page(100, snapshot, cursor); err != nil || a.Done != done || a.Keys != 3 || (len(a.Next) == 0) != (done == 3) {
				t.Fatalf("page %d = %+v, %v", done, a, err)
			}
			snapshot = a.Snapshot
		}
		cursor = a.Next
	}
	if len(r.node.snapshots.open) != 1 {
		t.Errorf("%d snapshots are kept; want 1", len(r.node.snapshots.open))
	}
}

// ofACopy is what a copy of the store has published under its ID.
func (r *responder) ofACopy(t *testing.T) tlv.VectorEntry {
	t.Helper()
	e, err := engine.Open("store", engine.Options{Disk: r.disk.Copy()})
	if err != nil {
		t.Fatal(err)
	}
	copied := &testReplica{server: &server{engine: e}}
	copied.add(t, "k", 1)
	copied.flush(t)
	entry := e.Vector().Entry(r.engine.ReplicaID())
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return entry
}

// A CSYNC that is refused acknowledges nothing, and one that shows a fork has the store take another ID.
func TestSyncReplies(t *testing.T) {
	r := newResponder(t)
	own := r.engine.Vector().Entry(r.engine.ReplicaID())
	never := tlv.VectorEntry{Replica: own.Replica, Stamp: own.Stamp + 1, Life: own.Life, Hash: own.Hash}
	elsewhere := r.ofACopy(t)
	for _, c := range []struct {
		name  string
		r     csync.SyncRequest
		want  string // how the error begins
		acked int
	}{
		{"another version", csync.SyncRequest{Request: csync.Request{Version: 1, ID: 9}, Vector: tlv.Vector{own}}, "ERR CSYNC: protocol version 1", 0},
		{"this ID", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: own.Replica}, Vector: tlv.Vector{own}}, "DUPLICATE", 0},
		{"who has all, and has never asked before", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 9}, Vector: tlv.Vector{own}}, "", 0},
		{"who has all", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 9}, Vector: tlv.Vector{own}}, "", 1},
		{"what never was, as anybody could say", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 8}, Vector: tlv.Vector{never}}, "ERR CSYNC: replica", 1},
		{"what never was here", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 8}, Vector: tlv.Vector{elsewhere}}, "FORKED", 1},
	} {
		_, err := r.node.Sync("peer:1", c.r)
		var reply csync.Error
		if errors.As(err, &reply); !strings.HasPrefix(string(reply), c.want) || (err == nil) != (c.want == "") {
			t.Errorf("%s: CSYNC = %v; want %q", c.name, err, c.want)
		}
		if got := r.node.Acked(own.Stamp); got != c.acked {
			t.Errorf("%s: %d have acknowledged; want %d", c.name, got, c.acked)
		}
	}
	if err := r.node.maintain(); err != nil || r.engine.ReplicaID() == own.Replica {
		t.Errorf("after a fork: %v, the ID is %s still", err, csync.Hex(own.Replica))
	}
}

// However many ask at once, no more snapshots are kept than there may be callers, and each of those has one.
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
	for range 5 {
		if taken, refused := snapAtOnce(t, r.node, 100); taken != maxPullers || taken+refused != 100 {
			t.Fatalf("%d of 100 callers got a snapshot, %d were refused; want %d to get one", taken, refused, maxPullers)
		}
		r.node.mu.Lock()
		if open := len(r.node.snapshots.open); open != maxPullers {
			t.Errorf("%d snapshots are kept; want %d", open, maxPullers)
		}
		all := r.node.snapshots.take(r.node.snapshots.leases.All())
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
			_, err := node.Snap("caller:1", csync.SnapRequest{Request: csync.Request{Version: csync.Version, ID: tlv.ReplicaID(100 + i), Life: 1}})
			switch reply, _ := err.(csync.Error); {
			case err == nil:
				yes.Add(1)
			case strings.Contains(string(reply), "CFORGET"):
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
	for range 2 {
		if _, err := r.node.Sync("caller:1", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 1, Life: 1}, Vector: v}); err != nil {
			t.Fatal(err)
		}
	}
	r.node.mu.Lock()
	kept := len(r.node.members.of[1].vector)
	r.node.mu.Unlock()
	if kept != 1 || r.node.Acked(e.Stamp) != 1 {
		t.Errorf("%d entries of 1001 are kept, %d callers have acknowledged; want 1 and 1", kept, r.node.Acked(e.Stamp))
	}
}

func TestWhatACallerDoesNotWant(t *testing.T) {
	r := csync.SyncRequest{Vector: tlv.Vector{{Replica: 2, Stamp: 5, Life: 1}, {Replica: 4, Stamp: 6, Life: 1}}, Except: []tlv.ReplicaID{9, 4, 1, 4}}
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

// Who waits for acknowledgements hears of a new ID, to which all that is known of them does not apply.
func TestNewIDIsAnnounced(t *testing.T) {
	r := newResponder(t)
	news, old := r.node.AckNews(), r.engine.ReplicaID()
	if err := r.node.rename(tlv.VectorEntry{Replica: old, Stamp: 1, Life: 9}); err != nil || r.engine.ReplicaID() == old {
		t.Fatalf("rename = %v, and the ID is %x; want another than before", err, old)
	}
	select {
	case <-news:
	default:
		t.Error("a new ID is no news for who waits for acknowledgements")
	}
}
