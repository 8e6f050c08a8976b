package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/redcon"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// mesh begins n replicas, each of which pulls from all others.
func mesh(t *testing.T, n int) (list []*testReplica) {
	t.Helper()
	var addrs []string
	for range n {
		r := &testReplica{server: listen(t, nil), lines: &lines{}}
		list, addrs = append(list, r), append(addrs, r.addr())
	}
	for _, r := range list {
		r.run(t, engine.Options{InMemory: true, AwaitPeers: true}, Options{Peers: addrs})
	}
	return list
}

func TestMeshConverges(t *testing.T) {
	list := mesh(t, 3)
	var writers sync.WaitGroup
	for i, r := range list {
		writers.Go(func() {
			for k := range 300 {
				r.add(t, fmt.Sprintf("k%d", k%7), int64(i+1))
			}
		})
	}
	writers.Wait()
	for k := range 7 {
		key, want := fmt.Sprintf("k%d", k), int64(0)
		for n := k; n < 300; n += 7 {
			want += 1 + 2 + 3
		}
		for i, r := range list {
			eventually(t, fmt.Sprintf("replica %d shows %d for %s", i, want, key), func() bool { return r.get(t, key) == want })
		}
	}
	for _, r := range list {
		eventually(t, "the link to itself is known for one", func() bool { return r.peer(r.addr()).State == string(itself) })
	}
}

func TestRelay(t *testing.T) {
	a := begin(t)
	b := begin(t, a.addr())
	c := begin(t, b.addr())
	a.add(t, "k", 5)
	eventually(t, "the end of the chain shows what its beginning wrote", func() bool { return c.get(t, "k") == 5 })
	eventually(t, "the relayed replica was heard of", func() bool { _, ok := c.node.LastHeard(a.engine.ReplicaID()); return ok })
	own := a.engine.Vector().Entry(a.engine.ReplicaID()).Stamp
	eventually(t, "a knows that b has it", func() bool { return a.node.Acked(own) == 1 })
}

func TestBadPeersBlockNothing(t *testing.T) {
	good := begin(t)
	silent := listen(t, nil)
	silent.deafen()
	garbage := listen(t, func([][]byte) []byte { return []byte("$99999999999999\r\nhello") })
	nonsense := listen(t, func(args [][]byte) []byte {
		if string(args[0]) == "CSYNC" {
			return redcon.AppendBulkString(nil, "hello")
		}
		return nil
	})
	r := begin(t, silent.addr(), garbage.addr(), nonsense.addr(), good.addr())
	good.add(t, "k", 1)
	eventually(t, "the good peer is heard", func() bool { return r.get(t, "k") == 1 })
	for _, bad := range []*server{garbage, nonsense} {
		eventually(t, "garbage is noticed", func() bool { s := r.peer(bad.addr()); return s.State == string(down) && s.Errors > 1 })
	}
	if s := r.peer(silent.addr()); s.State != string(connecting) && s.State != string(down) {
		t.Errorf("the silent peer is %q", s.State)
	}
	if n := r.lines.count(garbage.addr()); n != 1 {
		t.Errorf("%d lines about a peer that never made sense; want 1", n)
	}
}

// A link that is ended may be about to claim the turn to fetch a state.
func TestEndedLinkClaimsNothing(t *testing.T) {
	r := begin(t)
	link := func(addr string) *link {
		if _, err := r.node.AddPeer(addr); err != nil {
			t.Fatal(err)
		}
		r.node.mu.Lock()
		defer r.node.mu.Unlock()
		return r.node.links[addr]
	}
	ended, other := link("127.0.0.1:1"), link("127.0.0.1:2")
	if _, err := r.node.DelPeer(ended.addr); err != nil {
		t.Fatal(err)
	}
	if ev, _ := r.node.carryOut(ended, Claim{Source: 7}); ev != (Turn{false}) {
		t.Errorf("the link that was ended gets %#v; want no turn", ev)
	}
	if ev, _ := r.node.carryOut(other, Claim{Source: 8}); ev != (Turn{true}) {
		t.Errorf("the other link gets %#v; want the turn", ev)
	}
	link(ended.addr)
	if a := r.node.step(ended, Turn{true}); a != (Pause{}) {
		t.Errorf("the link that was ended does %#v; want nothing", a)
	}
}

// What is remembered is what is pulled from, in whatever order commands come.
func TestPeersAreRememberedAsTheyAre(t *testing.T) {
	r := begin(t)
	const addr = "127.0.0.1:1"
	for range 20_000 {
		var both sync.WaitGroup
		for _, change := range []func(string) (bool, error){r.node.AddPeer, r.node.DelPeer} {
			both.Go(func() {
				if _, err := change(addr); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		stored, err := r.engine.Recall(engine.PeerSetting)
		if err != nil {
			t.Fatal(err)
		}
		_, remembered := stored[addr]
		if pulls := r.peer(addr).Addr != ""; pulls != remembered {
			t.Fatalf("it pulls from the peer: %v; it remembers that: %v", pulls, remembered)
		}
	}
}

// TestForgetSparesWhoIsThere: the IDs of a replica that is pulled from, or was heard within a minute, are not forgotten, unless by
// force; nor is one of which only another ID was heard before.
func TestForgetSparesWhoIsThere(t *testing.T) {
	var later atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	a := begin(t)
	b := beginWith(t, engine.Options{InMemory: true, AwaitPeers: true}, Options{Peers: []string{a.addr()}, now: clock})
	a.add(t, "k", 5)
	eventually(t, "b has what a counted", func() bool { return b.get(t, "k") == 5 })
	id := a.engine.ReplicaID()
	forget := func(force bool, refused string) {
		t.Helper()
		if _, err := b.node.Forget(id, force); (err == nil) != (refused == "") || err != nil && !strings.Contains(err.Error(), refused) {
			t.Errorf("Forget(force %t) = %v; want %q", force, err, refused)
		}
	}
	forget(false, "pulls from it")
	forget(true, "")
	if _, err := b.node.DelPeer(a.addr()); err != nil {
		t.Fatalf("DelPeer = %v", err)
	}
	forget(false, "it was heard")
	later.Store(int64(forgetAfter))
	forget(false, "")
}

// TestForgetTakesFormerIDs: what a replica was called before is forgotten with it, by one that it pulls from.
func TestForgetTakesFormerIDs(t *testing.T) {
	a := begin(t)
	r := csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 7, Life: 1}, Former: []tlv.ReplicaID{8}}
	if err := a.engine.Apply(&tlv.Batch{Replica: 8, Stamp: 5, Deltas: []tlv.Delta{{Key: []byte("\x00k"), State: tlv.State{
		Contributions: []tlv.Contribution{{Replica: 8, Birth: 5, Rev: 5, Last: 5, Total: tlv.FromInt64(3)}}}}}}); err != nil {
		t.Fatalf("Apply = %v", err)
	}
	p := a.engine.NewPipeline()
	_, err := p.Del([][]byte{[]byte("k")})
	if _, commitErr := p.Commit(); err != nil || commitErr != nil {
		t.Fatalf("Del = %v, %v", err, commitErr)
	}
	a.flush(t)
	if _, err := a.node.Sync("there:1", r); err != nil {
		t.Fatalf("Sync = %v", err)
	}
	if keys, err := a.node.Forget(7, true); keys != 1 || err != nil {
		t.Errorf("Forget = %d, %v; want the 1 key that is cancelled of the former ID", keys, err)
	}
}

// TestClockAhead: a server whose clock was ahead, and was set right, says so, and when that is over.
func TestClockAhead(t *testing.T) {
	var ahead atomic.Int64
	ahead.Store(2 * time.Hour.Milliseconds())
	r := beginWith(t, engine.Options{InMemory: true, Now: func() int64 { return time.Now().UnixMilli() + ahead.Load() }}, Options{})
	r.add(t, "k", 1)
	r.flush(t)
	if got := r.engine.Ahead(); got > time.Minute {
		t.Errorf("Ahead = %v with the clock that has drawn the stamps", got)
	}
	ahead.Store(0)
	eventually(t, "it says that its stamps are ahead", func() bool { return r.lines.count("ahead of its wall clock") == 1 })
	if got := r.engine.Ahead(); got < time.Hour || got > 2*time.Hour {
		t.Errorf("Ahead = %v; want about 2 h", got)
	}
	ahead.Store(2 * time.Hour.Milliseconds())
	eventually(t, "it says that they are not", func() bool { return r.lines.count("has caught up") == 1 })
}

// TestJoin: a store that was made with peers has joined when it has what one of them has, at once without peers, and not by hearing of
// another one that joins.
func TestJoin(t *testing.T) {
	fresh := engine.Options{InMemory: true, AwaitPeers: true}
	a := begin(t)
	if a.node.Joining() || !a.node.Ready() {
		t.Error("a store without peers joins")
	}
	a.add(t, "k", 5)
	a.flush(t)
	silent := listen(t, nil).addr() // nobody answers there
	b := beginWith(t, fresh, Options{Peers: []string{silent}})
	if !b.node.Joining() || b.node.Ready() {
		t.Error("a store that has heard nothing of its peer has joined")
	}
	c := beginWith(t, fresh, Options{Peers: []string{silent, b.addr()}})
	eventually(t, "c has heard b", func() bool { return c.peer(b.addr()).State == string(syncing) })
	if !c.node.Joining() {
		t.Error("a store that has heard only one that has nothing itself, of two peers, has joined")
	}
	if _, err := b.node.AddPeer(a.addr()); err != nil {
		t.Fatalf("AddPeer = %v", err)
	}
	for _, r := range []*testReplica{b, c} {
		eventually(t, "it has joined", func() bool { return !r.node.Joining() })
		if got := r.get(t, "k"); got != 5 || !r.node.Ready() {
			t.Errorf("k is %d when a store has joined, ready %v; want 5, true", got, r.node.Ready())
		}
	}
}

// TestJoinEmpty: stores that are all new do not wait for one another for ever, and one that is no peer any more is not waited for.
func TestJoinEmpty(t *testing.T) {
	list := mesh(t, 3)
	for _, r := range list {
		eventually(t, "it has joined", func() bool { return !r.node.Joining() })
	}
	silent := listen(t, nil).addr()
	r := beginWith(t, engine.Options{InMemory: true, AwaitPeers: true}, Options{Peers: []string{silent}})
	if _, err := r.node.DelPeer(silent); err != nil || r.node.Joining() {
		t.Errorf("without its only peer, DelPeer = %v, it joins: %v", err, r.node.Joining())
	}
}

// TestJoinRestarted: a store that had no peer's state before a restart joins after it, too, and one that had does not.
func TestJoinRestarted(t *testing.T) {
	a := begin(t)
	silent := listen(t, nil).addr()
	disk := enginetest.NewDisk(rand.New(rand.NewPCG(1, 1)).Uint64)
	for _, test := range []struct {
		peers  []string
		before bool // it joins at the start
	}{{[]string{silent}, true}, {[]string{silent}, true}, {[]string{a.addr()}, true}, {[]string{silent}, false}} {
		r := &testReplica{server: listen(t, nil), lines: &lines{}}
		stop := r.run(t, engine.Options{Disk: disk, AwaitPeers: true}, Options{Peers: test.peers, Wait: time.Hour})
		joins := r.node.Joining()
		if test.peers[0] != silent {
			eventually(t, "it says that it has joined", func() bool { return r.lines.count("has joined") == 1 })
		}
		stop()
		disk = disk.Copy() // of an engine that was abandoned
		if joins != test.before {
			t.Errorf("joining at a start: %v; want %v", joins, test.before)
		}
	}
}

// What is kept in mind of replicas does not grow with how many there have been.
func TestStrangersAreForgotten(t *testing.T) {
	r := newResponder(t)
	r.node.mu.Lock()
	for id := range tlv.ReplicaID(1000) {
		r.node.heard[id+1], r.node.former[id+1] = r.now, []tlv.ReplicaID{5000 + id}
	}
	r.node.mu.Unlock()
	for range 2 {
		if _, err := r.node.Sync("peer:1", csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 9, Life: 1}, Former: make([]tlv.ReplicaID, 5000)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.node.maintain(); err != nil {
		t.Fatal(err)
	}
	if len(r.node.heard) != 1 || len(r.node.former) != 1 || len(r.node.former[9]) > 1<<10 {
		t.Errorf("%d are kept in mind, %d with IDs that they had before, the caller with %d; want the caller, with 1024",
			len(r.node.heard), len(r.node.former), len(r.node.former[9]))
	}
}

// reopened is the responder after a kill -9 and a start, in which it waits for whoever knows it if awaits says so.
func (r *responder) reopened(t *testing.T, awaits bool) *responder {
	t.Helper()
	next := &responder{now: r.now, disk: r.disk.Copy()}
	e, err := engine.Open("store", engine.Options{Disk: next.disk, AwaitPeers: awaits})
	if err != nil {
		t.Fatal(err)
	}
	node, err := New(e, Options{now: func() time.Time { return next.now }})
	if err != nil {
		t.Fatal(err)
	}
	next.testReplica = &testReplica{server: &server{engine: e, node: node}}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, engine.ErrFailed) {
			t.Errorf("Close = %v", err)
		}
	})
	return next
}

// A store that has published takes a new ID once an hour, also over restarts. After that it publishes nothing until it is started again.
func TestRenamesAreFew(t *testing.T) {
	forks := func(r *responder) error {
		id := r.engine.ReplicaID()
		err := r.node.rename(tlv.VectorEntry{Replica: id, Stamp: 1, Life: 9})
		if renamed := r.engine.ReplicaID() != id; renamed == (err != nil) {
			t.Errorf("rename = %v, and the ID is another: %t", err, renamed)
		}
		return err
	}
	r := newResponder(t)
	for range 3 {
		if err := forks(r); err != nil {
			t.Fatal(err)
		}
		r.now = r.now.Add(renameAgain)
	}
	if err := forks(r); err != nil {
		t.Fatal(err)
	}
	for _, awaits := range []bool{false, true} {
		r.now = r.now.Add(time.Minute)
		r = r.reopened(t, awaits)
		r.node.mu.Lock()
		r.node.due.lost = tlv.VectorEntry{Replica: r.engine.ReplicaID(), Stamp: 1, Life: 9} // as a peer has shown
		r.node.mu.Unlock()
		before := r.engine.Vector()
		err := r.node.checkOwn()
		if awaits {
			if err != nil || errors.Is(r.engine.Failed(), engine.ErrFailed) {
				t.Errorf("after a restart, before anything is published: %v", err)
			}
			if err := forks(r); !errors.Is(err, engine.ErrFailed) {
				t.Errorf("and again: %v; want ErrFailed", err)
			}
			continue
		}
		if !errors.Is(err, engine.ErrFailed) || r.engine.Failed() == nil {
			t.Errorf("within the hour: %v; want ErrFailed", err)
		}
		p := r.engine.NewPipeline()
		_, err = p.Incr([]byte("k"), 1)
		if _, commitErr := p.Commit(); err == nil && commitErr == nil {
			t.Error("it takes writes")
		}
		if err := r.engine.Flush(); !errors.Is(err, engine.ErrFailed) {
			t.Errorf("Flush = %v; want ErrFailed", err)
		}
		if !slices.Equal(r.engine.Vector(), before) {
			t.Errorf("it has published %v; want %v", r.engine.Vector(), before)
		}
	}
}
