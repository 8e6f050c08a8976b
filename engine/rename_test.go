package engine

import (
	"errors"
	"math/rand/v2"
	"testing"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

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
	if err := a.Rename(tlv.VectorEntry{Replica: a.ReplicaID(), Stamp: stamp, Life: a.history.Lives()[0]}); err != nil {
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
