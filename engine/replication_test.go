package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// member is an engine on a simulated disk.
type member struct {
	t    *testing.T
	disk *enginetest.Disk
	o    Options
	*Engine
}

func newMember(t *testing.T, seed uint64, o Options) *member {
	m := &member{t: t, o: o, disk: enginetest.NewDisk(rand.New(rand.NewPCG(seed, 9)).Uint64)}
	m.open()
	if err := m.KeepLog(); err != nil {
		t.Fatalf("KeepLog = %v", err)
	}
	return m
}

func (m *member) open() {
	m.t.Helper()
	m.o.Disk, m.o.Logger = m.disk, quiet
	if m.o.UpdatePeriod == 0 {
		m.o.UpdatePeriod = AlwaysFresh
	}
	e, err := Open("store", m.o)
	if err != nil {
		m.t.Fatalf("Open = %v", err)
	}
	m.Engine = e
	m.t.Cleanup(func() {
		if err := e.Abandon(); err != nil && !errors.Is(err, ErrClosed) {
			m.t.Errorf("Abandon = %v", err)
		}
	})
}

// restart goes on with another disk.
func (m *member) restart(d *enginetest.Disk, await bool) {
	m.t.Helper()
	if err := m.Abandon(); err != nil && !errors.Is(err, ErrClosed) {
		m.t.Fatalf("Abandon = %v", err)
	}
	m.disk, m.o.AwaitPeers = d, await
	m.open()
}

func (m *member) add(key string, n int64) {
	m.t.Helper()
	increment(m.t, m.Engine, key, n)
}

func (m *member) del(key string) {
	m.t.Helper()
	p := m.NewPipeline()
	if _, err := p.Del([][]byte{[]byte(key)}); err != nil {
		m.t.Fatalf("Del(%q) = %v", key, err)
	}
	if _, err := p.Commit(); err != nil {
		m.t.Fatalf("Commit = %v", err)
	}
}

func (m *member) flush() {
	m.t.Helper()
	if err := m.Flush(); err != nil {
		m.t.Fatalf("Flush = %v", err)
	}
}

// confirm begins as if nobody could be reached.
func (m *member) confirm() {
	m.t.Helper()
	if err := m.Confirm(); err != nil {
		m.t.Fatalf("Confirm = %v", err)
	}
}

// shows checks values: key, value, key, value.
func (m *member) shows(pairs ...any) {
	m.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		key, want := pairs[i].(string), int64(pairs[i+1].(int))
		if got, err := m.Counter(key).Get(m.t.Context()); got != want || err != nil {
			m.t.Errorf("Get(%q) = %d, %v; want %d", key, got, err, want)
		}
	}
}

// pull applies what the log of o has for m; whether it reached back.
func (m *member) pull(o *member) bool {
	m.t.Helper()
	o.flush()
	b, err := o.Batches(m.Vector(), m.ReplicaID(), 1<<20)
	if err != nil {
		m.t.Fatalf("Batches = %v", err)
	}
	for _, data := range b.Batches {
		batch, _, err := tlv.ParseBatch(data)
		if err != nil {
			m.t.Fatalf("ParseBatch = %v", err)
		}
		if err := m.Apply(&batch); err != nil && !errors.Is(err, ErrHeld) {
			m.t.Fatalf("Apply = %v", err)
		}
	}
	return b.Behind == 0
}

// fetch transfers the state of o, pages of a few bytes; steps bounds the pages, 0: all of them and the end.
func (m *member) fetch(s *Snapshot, source tlv.ReplicaID, steps int) {
	m.t.Helper()
	if t, ok := m.Transfer(); !ok || t.Source != source || t.Snapshot != "s" {
		m.begin(s, source)
	}
	for i := 0; steps == 0 || i < steps; i++ {
		t, _ := m.Transfer()
		page, next, keys, err := s.Page(t.Cursor, 100)
		if err != nil {
			m.t.Fatalf("Page = %v", err)
		}
		if err := m.MergePage(page, next, t.Done+keys); err != nil {
			m.t.Fatalf("MergePage = %v", err)
		}
		if len(next) == 0 {
			if err := m.FinishTransfer(); err != nil {
				m.t.Fatalf("FinishTransfer = %v", err)
			}
			return
		}
	}
}

func (m *member) begin(s *Snapshot, source tlv.ReplicaID) {
	m.t.Helper()
	if err := m.BeginTransfer(transferOf(s, source)); err != nil {
		m.t.Fatalf("BeginTransfer = %v", err)
	}
}

func transferOf(s *Snapshot, source tlv.ReplicaID) Transfer {
	return Transfer{Source: source, Snapshot: "s", Vector: s.Vector, Keys: s.Keys}
}

func (m *member) snapshot() *Snapshot {
	m.t.Helper()
	m.flush()
	s, err := m.Snapshot()
	if err != nil {
		m.t.Fatalf("Snapshot = %v", err)
	}
	m.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			m.t.Errorf("Close of a snapshot = %v", err)
		}
	})
	return s
}

func TestLogBringsWhatAPeerLacks(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	for i := range 10 {
		a.add(fmt.Sprint("k", i%3), 1)
		a.flush()
	}
	one, err := a.Batches(nil, b.ReplicaID(), 1)
	if err != nil || len(one.Batches) != 1 || one.Left != 9 || one.LeftKeys != 9 {
		t.Errorf("Batches of at least one = %d, %d left with %d keys, %v; want 1, 9, 9", len(one.Batches), one.Left, one.LeftKeys, err)
	}
	if !b.pull(a) {
		t.Errorf("the log does not reach back")
	}
	b.shows("k0", 4, "k1", 3, "k2", 3)
	if !b.Vector().Covers(a.Vector()) {
		t.Errorf("vector %v after all of %v", b.Vector(), a.Vector())
	}
	// A relay: c hears of a through b alone.
	c := newMember(t, 3, Options{})
	if !c.pull(b) {
		t.Errorf("the relay's log does not reach back")
	}
	c.shows("k0", 4, "k1", 3, "k2", 3)
	a.restart(a.disk.Copy(), false)
	if !newMember(t, 4, Options{}).pull(a) {
		t.Errorf("the log does not reach back after a restart")
	}
}

func TestLogIsBounded(t *testing.T) {
	a := newMember(t, 1, Options{Backlog: 1000})
	for i := range 100 {
		a.add(fmt.Sprint("k", i), 1)
		a.flush()
		if n := a.LogSize(); n > 1000 {
			t.Fatalf("after %d batches the log has %d bytes", i, n)
		}
	}
	b := newMember(t, 2, Options{})
	if b.pull(a) {
		t.Errorf("a log of 1000 bytes reaches back over 100 batches")
	}
	b.fetch(a.snapshot(), a.ReplicaID(), 0)
	for i := range 100 {
		b.shows(fmt.Sprint("k", i), 1)
	}
	a.add("k1", 5)
	if !b.pull(a) {
		t.Errorf("the log does not reach back to the snapshot")
	}
	b.shows("k1", 6)
	if err := a.TrimLog(b.Vector()); err != nil || a.LogSize() != 0 {
		t.Errorf("TrimLog = %v, %d bytes left; want none", err, a.LogSize())
	}
}

// What the log takes beside the batches counts too, also after a restart.
func TestLogSizeOfSmallBatches(t *testing.T) {
	a := newMember(t, 1, Options{})
	for range 10 {
		a.add("k", 1)
		a.flush()
	}
	size := func(when string) {
		t.Helper()
		b, err := a.Batches(nil, 0, 1<<20)
		want := int64(len(b.Batches)) * loggedSize
		for _, data := range b.Batches {
			want += int64(len(data))
		}
		if n := a.LogSize(); n != want || len(b.Batches) != 10 || err != nil {
			t.Errorf("%s: %d batches, %v, take %d bytes; want %d", when, len(b.Batches), err, n, want)
		}
	}
	size("before a restart")
	a.restart(a.disk.Copy(), false)
	size("after it")
}

func TestNoLogWithoutAPeer(t *testing.T) {
	e := open(t, disk())
	increment(t, e, "k", 1)
	if err := e.Flush(); err != nil || e.LogSize() != 0 {
		t.Errorf("Flush = %v, the log has %d bytes; want none", err, e.LogSize())
	}
}

// A deleted key that the snapshot no longer has is closed here, and a lagging replica's batch does not bring it back.
func TestTransferClosesWhatIsGone(t *testing.T) {
	a, b, c := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
	a.add("dead", 5)
	a.add("alive", 1)
	b.pull(a)
	c.pull(a)
	for i := range 20 {
		a.add(fmt.Sprint("new", i), 1)
	}
	c.pull(a) // c has what b will be held back from
	b.add("dead", 2)
	a.pull(b)
	a.del("dead")
	b.del("nothing")
	a.flush()
	b.pull(a) // b closes its part
	b.flush()
	a.pull(b)
	a.flush()
	s := a.snapshot()
	c.fetch(s, a.ReplicaID(), 3)
	if _, ok := c.Transfer(); !ok {
		t.Fatalf("no transfer is under way")
	}
	old, err := b.Batches(nil, 0, 1<<20)
	if err != nil {
		t.Fatalf("Batches = %v", err)
	}
	for _, data := range old.Batches {
		batch, _, err := tlv.ParseBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Replica == b.ReplicaID() {
			if err := c.Apply(&batch); !errors.Is(err, ErrHeld) {
				t.Errorf("Apply in mid-transfer = %v; want %v", err, ErrHeld)
			}
		}
	}
	c.restart(c.disk.Copy(), false) // the transfer goes on
	if tr, ok := c.Transfer(); !ok || tr.Done == 0 || len(tr.Cursor) == 0 {
		t.Errorf("Transfer after a restart = %+v, %t", tr, ok)
	}
	c.fetch(s, a.ReplicaID(), 0)
	c.shows("dead", 0, "alive", 1, "new0", 1, "new19", 1)
	if err := c.Scrub(); err != nil {
		t.Errorf("Scrub = %v", err)
	}
	if st, err := c.readState(c.self.place([]byte("\x00dead")), "\x00dead"); err != nil || !st.Empty() {
		t.Errorf("the dead key left %+v, %v", st, err)
	}
	if n := c.Stats().Keys[0]; n != 21 {
		t.Errorf("DBSIZE = %d; want 21", n)
	}
}

// A store that is rolled back finds out from a peer before it publishes anything, and loses nothing that the peer has and
// nothing acknowledged since.
func TestRolledBackStoreTakesANewID(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	a.flush()
	backup := a.disk.Copy()
	a.add("k", 10)
	b.pull(a)
	old := a.ReplicaID()
	a.restart(backup, true)
	a.add("k", 100)
	a.del("gone")
	if a.flush(); a.Vector().Covers(b.Vector()) || a.True(b.Vector().Entry(old)) {
		t.Fatalf("the rolled back store takes %v for true", b.Vector().Entry(old))
	}
	if err := b.Apply(&tlv.Batch{Replica: old, Prev: a.Vector().Entry(old).Stamp, Stamp: b.Vector().Entry(old).Stamp + 1}); !errors.Is(err, ErrFork) {
		t.Errorf("Apply of a fork = %v; want %v", err, ErrFork)
	}
	a.restart(a.disk.Copy(), true) // kill -9 while it waits
	a.shows("k", 101)
	a.add("k", 1000)
	if err := a.Rename(b.Vector().Entry(a.ReplicaID())); err != nil || a.ReplicaID() == old {
		t.Fatalf("Rename = %v, ID %x", err, a.ReplicaID())
	}
	a.shows("k", 1101)
	if seen := a.Seen(); !a.Vector().Covers(seen) {
		t.Errorf("%v of the new ID does not cover %v, with nothing pending", a.Vector(), seen)
	}
	a.pull(b)
	a.shows("k", 1111)
	b.pull(a)
	b.shows("k", 1111)
	a.restart(a.disk.Copy(), true)
	a.confirm()
	if v := b.Vector().Entry(a.ReplicaID()); v.Stamp == 0 || !a.True(v) {
		t.Errorf("after a restart %v of %x is not true", v, a.ReplicaID())
	}
	a.shows("k", 1111)
}

// What a rolled back store cancels of its former self before it finds out stays cancelled.
func TestRenameKeepsWhatIsPending(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("del", 1)
	a.add("set", 2)
	a.add("plus", 3)
	a.flush()
	backup := a.disk.Copy()
	a.add("other", 1)
	b.pull(a)
	a.restart(backup, true)
	a.del("del")
	p := a.NewPipeline()
	if _, err := p.Set([]byte("set"), 50, SetOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ExpireAt([]byte("plus"), a.Now()+1e9, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	a.add("plus", 4)
	if err := a.Rename(b.Vector().Entry(a.ReplicaID())); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	a.pull(b)
	b.pull(a)
	for _, m := range []*member{a, b} {
		m.shows("del", 0, "set", 50, "plus", 7, "other", 1)
		if n := m.Stats(); n.Keys[0] != 3 || n.Expires[0] != 1 {
			t.Errorf("DBSIZE = %d, %d with an expiry; want 3, 1", n.Keys[0], n.Expires[0])
		}
	}
}

// What the journal had when the copy was made its original has published: it must not count twice.
func TestRolledBackStoreDropsWhatItsOriginalPublished(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		a.add("k", 1)
		a.add("gone", 2)
		a.flush()
		a.add("k", 10)
		a.add("gone", 3)
		a.add("born", 4)
		a.add("born and gone", 5)
		backup := a.disk.Copy()
		if restarted {
			a.restart(a.disk.Copy(), true)
			a.confirm()
		}
		a.add("gone", 100)
		a.add("born and gone", 100)
		b.pull(a)
		a.restart(backup, true)
		a.add("k", 1000)
		a.add("born", 1000)
		a.add("new", 1000)
		a.shows("k", 1011, "gone", 5, "born", 1004, "born and gone", 5, "new", 1000)
		if !restarted { // such a life of ours is known only if the original's is
			a.restart(a.disk.Copy(), true)
		}
		a.del("gone")
		a.del("born and gone")
		if err := a.Rename(b.Vector().Entry(a.ReplicaID())); err != nil {
			t.Fatalf("Rename = %v", err)
		}
		a.shows("k", 1001, "gone", 0, "born", 1000, "born and gone", 0, "new", 1000)
		a.pull(b)
		b.pull(a)
		a.restart(a.disk.Copy(), false)
		for _, m := range []*member{a, b} {
			m.shows("k", 1011, "gone", 100, "born", 1004, "born and gone", 100, "new", 1000)
		}
		if n, m := a.Stats().Keys[0], b.Stats().Keys[0]; n != 5 || m != 5 {
			t.Errorf("DBSIZE = %d and %d; want 5", n, m)
		}
	}
}

// A copy that was made in the middle of a flush: what lies before the cut is published, what lies after it is not.
func TestRolledBackStoreKeepsWhatFollowsTheCut(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	a.flush()
	a.add("k", 10)
	stamp := a.clock.next(a.Now())
	if _, err := a.journal.Append(appendCut(nil, stamp)); err != nil {
		t.Fatal(err)
	}
	a.add("k", 100)
	a.add("new", 5)
	a.restart(a.disk.Copy(), true)
	a.add("k", 1000)
	if err := a.Rename(tlv.VectorEntry{Replica: a.ReplicaID(), Stamp: stamp, Life: a.history.lives[0].Number}); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	a.shows("k", 1101, "new", 5)
	b.pull(a)
	b.shows("k", 1101, "new", 5)
}

// A rolled back store that met nobody and flushed, but had nothing to publish, finds out in a later life: all that the journal has is
// of its own.
func TestRolledBackStoreKeepsWhatFollowsAFlush(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	a.flush()
	backup := a.disk.Copy()
	a.add("k", 10)
	b.pull(a)
	a.restart(backup, true)
	a.confirm()
	a.add("k", 100)
	a.restart(a.disk.Copy(), true)
	a.add("k", 1000)
	if err := a.Rename(b.Vector().Entry(a.ReplicaID())); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	a.pull(b)
	b.pull(a)
	for _, m := range []*member{a, b} {
		m.shows("k", 1111)
	}
}

// A fork that is found late is refused on both sides, and the store that is told so goes on under a new ID.
func TestLateForkIsRefused(t *testing.T) {
	a, b, c := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
	a.add("k", 1)
	a.flush()
	backup := a.disk.Copy()
	a.add("k", 10)
	b.pull(a)
	old := a.ReplicaID()
	a.restart(backup, true)
	a.confirm()
	a.add("k", 100)
	c.pull(a)
	theirs, ours := b.Vector().Entry(old), c.Vector().Entry(old)
	if a.True(theirs) || !a.Proven(theirs) || !a.True(ours) || b.True(tlv.VectorEntry{Replica: old, Stamp: theirs.Stamp, Hash: theirs.Hash + 1}) {
		t.Fatalf("%v of the original and %v of the copy are not told apart", theirs, ours)
	}
	batches, err := c.Batches(nil, 0, 1<<20)
	if err != nil || len(batches.Batches) != 2 {
		t.Fatalf("Batches = %d, %v; want 2", len(batches.Batches), err)
	}
	last, _, err := tlv.ParseBatch(batches.Batches[1])
	must(t, nil, err)
	if err := b.Apply(&last); !errors.Is(err, ErrFork) {
		t.Errorf("Apply of the other history = %v; want %v", err, ErrFork)
	}
	if err := a.Rename(theirs); err != nil || a.ReplicaID() == old {
		t.Fatalf("Rename = %v", err)
	}
	a.add("k", 1000)
	a.flush()
	batches, err = a.Batches(b.Vector(), old, 1<<20)
	must(t, nil, err)
	for _, data := range batches.Batches {
		if batch, _, err := tlv.ParseBatch(data); err == nil && batch.Replica == a.ReplicaID() {
			must(t, nil, b.Apply(&batch))
		}
	}
	b.shows("k", 1011)
	if err := b.BeginTransfer(transferOf(b.snapshot(), 9)); err != nil {
		t.Errorf("BeginTransfer of the same history = %v", err)
	}
}

// A virtual machine that is put back together with its memory is one process with two histories: the hashes of its batches tell
// them apart, on the store itself and at others.
func TestProcessThatWasPutBack(t *testing.T) {
	a, b, c := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
	a.add("k", 1)
	b.pull(a)
	c.pull(a)
	back := *a
	back.disk = a.disk.Machine()
	a.add("k", 10)
	b.pull(a)
	back.open()
	if back.Life() != a.Life() || back.ReplicaID() != a.ReplicaID() {
		t.Fatalf("life %x; want %x", back.Life(), a.Life())
	}
	back.add("k", 100)
	back.add("more", 1)
	c.pull(&back)
	theirs := b.Vector().Entry(a.ReplicaID())
	if back.True(theirs) || !back.Proven(theirs) || a.True(c.Vector().Entry(a.ReplicaID())) {
		t.Errorf("%v and %v are not told apart", theirs, c.Vector())
	}
	batches, err := c.Batches(b.Vector(), 0, 1<<20)
	must(t, nil, err)
	for _, data := range batches.Batches {
		batch, _, err := tlv.ParseBatch(data)
		must(t, nil, err)
		if err := b.Apply(&batch); !errors.Is(err, ErrFork) {
			t.Errorf("Apply of the other history = %v; want %v", err, ErrFork)
		}
	}
}

// TestPartedIDIsNotGivenAway: a store that published under an ID of which others have another history keeps what it has of that to itself,
// also when its log does not say any more where they parted. What it counts under its new ID is for all.
func TestPartedIDIsNotGivenAway(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	b.pull(a)
	old, back := a.ReplicaID(), *a
	back.disk = a.disk.Machine()
	a.add("k", 10)
	b.pull(a)
	back.open()
	back.add("k", 100)
	back.flush()
	must(t, nil, back.Rename(b.Vector().Entry(old)))
	back.add("k", 1000)
	back.flush()
	must(t, nil, back.TrimLog(back.Vector()))
	if back.True(b.Vector().Entry(old)) {
		t.Error("what the other history has is taken for true")
	}
	if v := back.Shared(); v.Entry(old).Stamp != 0 || v.Entry(back.ReplicaID()).Stamp == 0 {
		t.Errorf("%v is shared; want nothing of %x", v, old)
	}
	b.fetch(back.snapshot(), back.ReplicaID(), 0)
	b.shows("k", 1011)
	back.fetch(b.snapshot(), b.ReplicaID(), 0)
	back.shows("k", 1101) // of its own history
	b.add("k", 10_000)
	back.pull(b)
	back.shows("k", 11_101)
}

// TestPartedIDIsNotTakenIn: nor does such a store take in what others have of that ID, though that is later.
func TestPartedIDIsNotTakenIn(t *testing.T) {
	now := time.Now().UnixMilli()
	o := Options{Now: func() int64 { return now }}
	a, b := newMember(t, 1, o), newMember(t, 2, o)
	a.add("k", 1)
	b.pull(a)
	old, back := a.ReplicaID(), *a
	back.disk = a.disk.Machine()
	a.add("k", 10)
	b.pull(a)
	now += 1000
	back.open()
	back.add("k", 100)
	back.add("only", 5)
	back.flush()
	must(t, nil, back.Rename(b.Vector().Entry(old)))
	back.add("k", 1000)
	b.fetch(back.snapshot(), back.ReplicaID(), 0)
	b.shows("k", 1011, "only", 0)
	now += 1000
	a.add("new", 7)
	b.pull(a)
	back.fetch(b.snapshot(), b.ReplicaID(), 0)
	back.shows("k", 1101, "only", 5, "new", 0)
}

// What was never published by this store, or a copy of it, is not proven.
func TestProofOfAnEntry(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	a.flush()
	e := a.Vector().Entry(a.ReplicaID())
	if !a.Proven(e) || b.Proven(e) {
		t.Errorf("%v: Proven = %t, of another store %t", e, a.Proven(e), b.Proven(e))
	}
	for name, change := range map[string]func(*tlv.VectorEntry){"stamp": func(e *tlv.VectorEntry) { e.Stamp++ }, "life": func(e *tlv.VectorEntry) { e.Life++ },
		"hash": func(e *tlv.VectorEntry) { e.Hash ^= 1 << 40 }, "proof": func(e *tlv.VectorEntry) { e.Hash ^= 1 }, "none": func(e *tlv.VectorEntry) { e.Hash = 0 }} {
		forged := e
		if change(&forged); a.Proven(forged) {
			t.Errorf("another %s: %v is proven", name, forged)
		}
	}
}

// A store that not all who know it have confirmed goes on under a new ID, with all that it was told.
func TestRenewKeepsAll(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	b.pull(a)
	a.add("k", 10)
	a.add("new", 5)
	old := a.ReplicaID()
	a.restart(a.disk.Copy(), true)
	a.add("k", 100)
	if err := a.Renew(); err != nil || a.ReplicaID() == old {
		t.Fatalf("Renew = %v, ID %x", err, a.ReplicaID())
	}
	b.pull(a)
	for _, m := range []*member{a, b} {
		m.shows("k", 111, "new", 5)
	}
	if got := a.Former(); len(got) != 2 || got[1] != old || a.Vector().Entry(old) != b.Vector().Entry(old) {
		t.Errorf("former IDs %x, vectors %v and %v", got, a.Vector(), b.Vector())
	}
}

// exchange has members get all that the others have.
func exchange(t *testing.T, members ...*member) {
	t.Helper()
	for range 2 {
		for _, m := range members {
			for _, o := range members {
				if m != o && !m.pull(o) {
					t.Fatal("the log does not reach back")
				}
			}
			must(t, nil, m.DropTails())
		}
	}
}

// What a copy had in its journal, and its original too, counts once, whoever of the two had to give up their ID, and whether it hears of the
// other before that or after.
func TestTailOfACopyCountsOnce(t *testing.T) {
	for _, c := range []struct {
		name           string
		original, copy func(m, b *member) // how they go on
		want           int
	}{
		{"both under new IDs", renewed, renewed, 1111},
		{"the original under its ID", confirmed, renewed, 1111},
		{"the original flushes", func(m, b *member) { m.flush() }, renewed, 1111},
		{"the copy knows that, then", func(m, b *member) { b.pull(m) }, renamed, 1111},
	} {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		a.add("k", 1)
		b.pull(a)
		a.add("k", 10)
		a.add("new", 5)
		a.add("gone", 7)
		twin := &member{t: t, disk: a.disk.Copy(), o: a.o}
		a.add("k", 100)
		a.del("gone")
		c.original(a, b)
		twin.o.AwaitPeers = true
		twin.open()
		twin.shows("k", 11, "new", 5, "gone", 7)
		twin.add("k", 1000)
		c.copy(twin, b)
		exchange(t, a, b, twin)
		t.Log(c.name)
		for _, m := range []*member{a, b, twin} {
			m.shows("k", c.want, "new", 5, "gone", 0)
		}
		if a.ReplicaID() == twin.ReplicaID() {
			t.Errorf("%s: both are %x", c.name, a.ReplicaID())
		}
	}
}

// A store that gives its ID up may have the tail already, or the beginning of it, from a copy that did so before.
func TestTailThatCameFromACopy(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	b.pull(a)
	a.add("k", 10)
	a.add("gone", 7)
	twin := &member{t: t, disk: a.disk.Copy(), o: a.o}
	twin.o.AwaitPeers = true
	twin.open()
	must(t, nil, twin.Renew())
	a.pull(twin)
	a.shows("k", 21) // until it is known whose it is
	a.add("k", 100)
	a.del("gone")
	renewed(a, b)
	exchange(t, a, b, twin)
	for _, m := range []*member{a, b, twin} {
		m.shows("k", 111, "gone", 0)
	}
}

// TestTailInHalfATransfer: a copy publishes a tail, and is lost in the middle of a transfer that brings that.
func TestTailInHalfATransfer(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	a.flush()
	a.add("k", 10)
	twin := &member{t: t, disk: a.disk.Copy(), o: a.o}
	twin.o.AwaitPeers = true
	twin.open()
	must(t, nil, twin.Renew())
	b.begin(twin.snapshot(), twin.ReplicaID())
	if page, next, n, err := twin.snapshot().Page(nil, 1<<20); err != nil || b.MergePage(page, next, n) != nil {
		t.Fatalf("Page = %v", err)
	}
	b.restart(b.disk.Copy(), false)
	a.flush()
	b.fetch(a.snapshot(), a.ReplicaID(), 0)
	must(t, nil, b.DropTails())
	exchange(t, a, b)
	for _, m := range []*member{a, b} {
		m.shows("k", 11)
	}
}

func renewed(m, b *member) {
	m.t.Helper()
	m.restart(m.disk.Copy(), true)
	must(m.t, nil, m.Renew())
}

func confirmed(m, b *member) {
	m.restart(m.disk.Copy(), true)
	m.confirm()
}

func renamed(m, b *member) {
	must(m.t, nil, m.Rename(b.Vector().Entry(m.ReplicaID())))
}

func TestBackupTakesANewID(t *testing.T) {
	dir := t.TempDir()
	o := Options{Logger: quiet, UpdatePeriod: AlwaysFresh}
	e, err := Open(dir+"/store", o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer e.Close()
	increment(t, e, "k", 5)
	if err := e.KeepLog(); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(dir + "/copy"); err != nil {
		t.Fatalf("Backup = %v", err)
	}
	if err := e.Backup(dir + "/copy"); err == nil {
		t.Errorf("Backup over a backup = nil; want an error")
	}
	increment(t, e, "k", 1)
	var text strings.Builder
	if err := Check(dir+"/copy", o, &text); err != nil {
		t.Errorf("Check = %v\n%s", err, text.String())
	}
	c, err := Open(dir+"/copy", o)
	if err != nil {
		t.Fatalf("Open of the copy = %v", err)
	}
	id := c.ReplicaID()
	if id == e.ReplicaID() {
		t.Errorf("the copy goes under the ID of the original")
	}
	increment(t, c, "k", 10)
	if err := c.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if c, err = Open(dir+"/copy", o); err != nil || c.ReplicaID() != id {
		t.Fatalf("second Open = %v, ID %x; want %x", err, c.ReplicaID(), id)
	}
	defer c.Close()
	for _, pair := range [][2]*Engine{{c, e}, {e, c}} {
		if err := pair[1].Flush(); err != nil {
			t.Fatal(err)
		}
		b, err := pair[1].Batches(pair[0].Vector(), pair[0].ReplicaID(), 1<<20)
		if err != nil || b.Behind != 0 {
			t.Fatalf("Batches = %+v, %v", b, err)
		}
		for _, data := range b.Batches {
			batch, _, err := tlv.ParseBatch(data)
			if err == nil {
				err = pair[0].Apply(&batch)
			}
			if err != nil {
				t.Fatalf("Apply = %v", err)
			}
		}
	}
	for _, e := range []*Engine{e, c} {
		if got, err := e.Counter("k").Get(t.Context()); got != 16 || err != nil {
			t.Errorf("Get = %d, %v; want 16", got, err)
		}
	}
}

// foreignDelta is a state of another cluster, for Merge.
func foreignDelta(key string, home tlv.ClusterID, s tlv.State) tlv.Delta {
	return tlv.Delta{Key: []byte("\x00" + key), State: s.Abroad(home)}
}

func TestMergeFromElsewhere(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	device := func(rev tlv.Stamp, total int64) tlv.Delta {
		c := tlv.Contribution{Replica: 77, Birth: 1, Rev: rev, Last: rev, Total: tlv.FromInt64(total)}
		return foreignDelta("k", 5, tlv.State{Contributions: []tlv.Contribution{c}})
	}
	a.add("k", 1)
	for _, d := range []tlv.Delta{device(5, 50), device(9, 90), device(5, 50)} {
		if err := a.Merge([]tlv.Delta{d}); err != nil {
			t.Fatalf("Merge = %v", err)
		}
	}
	a.shows("k", 91)
	b.pull(a)
	b.shows("k", 91)
	b.del("k")
	a.pull(b)
	a.shows("k", 0)
	if err := a.Merge([]tlv.Delta{device(9, 90)}); err != nil {
		t.Fatalf("Merge again = %v", err)
	}
	a.shows("k", 0)
	if err := a.Merge([]tlv.Delta{device(10, 100)}); err != nil {
		t.Fatalf("Merge of more = %v", err)
	}
	a.shows("k", 10)
	p := a.NewPipeline()
	s, ok, err := p.Dump([]byte("k"))
	if err != nil || !ok || s.Origin(tlv.ForeignID(77, false)) == nil {
		t.Errorf("Dump = %+v, %t, %v", s, ok, err)
	}
	if err := p.finish(); err != nil {
		t.Error(err)
	}
	ahead := tlv.Contribution{Replica: b.ReplicaID(), Birth: 1, Rev: b.Vector().Entry(b.ReplicaID()).Stamp + 1}
	ahead.Last, ahead.Total = ahead.Rev, tlv.FromInt64(5)
	both := []tlv.Delta{device(11, 110), foreignDelta("l", 5, tlv.State{Contributions: []tlv.Contribution{ahead}})}
	if err := a.Merge(both); !errors.Is(err, ErrMember) {
		t.Errorf("Merge of a member's future = %v; want %v", err, ErrMember)
	}
	a.shows("k", 10)
	b.pull(a)
	b.shows("k", 10)
	b.del("k")
	b.flush()
	if n, err := b.Forget(77); err != nil || n != 1 {
		t.Errorf("Forget = %d, %v; want 1", n, err)
	}
	if st, err := b.readState(b.self.place([]byte("\x00k")), "\x00k"); err != nil || len(st.Origins) > 0 || st.Reset(tlv.ForeignID(77, false)) != nil {
		t.Errorf("after Forget: %+v, %v", st, err)
	}
}

func TestTokensCoverWhatShows(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	p := a.NewPipeline()
	stamp := func() tlv.Stamp {
		t.Helper()
		s, err := p.Written()
		must(t, nil, err)
		return s
	}
	if s := stamp(); s != 0 {
		t.Errorf("Written before a write = %d", s)
	}
	if _, err := p.Incr([]byte("k"), 1); err != nil {
		t.Fatal(err)
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	written, seen := stamp(), a.Seen()
	if own := a.Vector().Entry(a.ReplicaID()).Stamp; own >= written || a.Vector().Covers(seen) {
		t.Errorf("before the flush: written %d, vector %v, seen %v", written, a.Vector(), seen)
	}
	a.flush()
	if own := a.Vector().Entry(a.ReplicaID()).Stamp; own < written || !a.Vector().Covers(seen) {
		t.Errorf("after the flush: written %d, vector %v, seen %v", written, a.Vector(), seen)
	}
	if stamp() > a.Vector().Entry(a.ReplicaID()).Stamp || !a.Vector().Covers(a.Seen()) {
		t.Errorf("with nothing pending: written %d, seen %v, vector %v", stamp(), a.Seen(), a.Vector())
	}
	if b.Vector().Covers(seen) {
		t.Errorf("%v covers %v", b.Vector(), seen)
	}
	b.pull(a)
	if !b.Vector().Covers(seen) {
		t.Errorf("%v does not cover %v", b.Vector(), seen)
	}
}

// A new store that is stopped before its peers have confirmed it is there again, under the same ID.
func TestNewStoreThatAwaitsItsPeers(t *testing.T) {
	m := &member{t: t, o: Options{AwaitPeers: true}, disk: enginetest.NewDisk(rand.New(rand.NewPCG(1, 9)).Uint64)}
	m.open()
	id := m.ReplicaID()
	m.add("k", 5)
	m.restart(m.disk.Copy(), true)
	m.add("k", 1)
	if m.shows("k", 6); m.ReplicaID() != id {
		t.Errorf("replica %x; want %x", m.ReplicaID(), id)
	}
	if err := m.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	m.restart(m.disk.Copy(), true)
	m.confirm()
	m.shows("k", 6)
}

func TestMergeShowsAtOnce(t *testing.T) {
	a := newMember(t, 1, Options{UpdatePeriod: time.Hour})
	a.add("k", 1)
	c := tlv.Contribution{Replica: 77, Birth: 1, Rev: 5, Last: 5, Total: tlv.FromInt64(50)}
	if err := a.Merge([]tlv.Delta{foreignDelta("k", 5, tlv.State{Contributions: []tlv.Contribution{c}})}); err != nil {
		t.Fatalf("Merge = %v", err)
	}
	a.shows("k", 51)
}

func TestSettingsAreKept(t *testing.T) {
	a := newMember(t, 1, Options{})
	for name, value := range map[string]string{"peer/x:1": "", "peer/y:2": "z", "puller/1": "p"} {
		if err := a.Remember(name, []byte(value)); err != nil {
			t.Fatalf("Remember = %v", err)
		}
	}
	if err := a.Remember("peer/x:1", nil); err != nil {
		t.Fatalf("Remember nil = %v", err)
	}
	a.restart(a.disk.Crash(), false)
	got, err := a.Recall(PeerSetting)
	if err != nil || len(got) != 1 || string(got["y:2"]) != "z" {
		t.Errorf("Recall = %q, %v", got, err)
	}
	increment(t, a.Engine, "k", 1)
	if a.flush(); a.Vector().Entry(a.ReplicaID()).Stamp != 0 {
		t.Errorf("a store with peers published before it was confirmed: %v", a.Vector())
	}
}

// TestForeignCountsIntoTheCache: what other replicas contributed takes memory, and the cache says so.
func TestForeignCountsIntoTheCache(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	const keys = 100
	for i := range keys {
		a.add(fmt.Sprint(i), 1)
		b.add(fmt.Sprint(i), 1)
	}
	a.flush()
	b.flush()
	before := a.Stats()
	a.pull(b)
	a.Refresh()
	foreign := state.Key{Foreign: &state.Foreign{Other: tlv.State{Contributions: make([]tlv.Contribution, 1)}}}
	least := int64(keys * foreign.Size())
	if after := a.Stats(); after.CacheEntries != before.CacheEntries || after.CacheBytes-before.CacheBytes < least {
		t.Errorf("%d entries count %d bytes more; want at least %d", after.CacheEntries, after.CacheBytes-before.CacheBytes, least)
	}
	dropCache(a.Engine)
	if got := a.Stats().CacheBytes; got != 0 {
		t.Errorf("%d bytes are counted in an empty cache", got)
	}
}
