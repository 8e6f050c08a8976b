package engine

import (
	"errors"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// forked are a store that was rolled back and went on under its old ID, a replica each that took in one of its histories,
// and one that has seen what both have in common.
type forked struct {
	store, first, second, other *member
	old                         tlv.ReplicaID
}

func fork(t *testing.T) forked {
	f := forked{store: newMember(t, 1, Options{}), first: newMember(t, 2, Options{}), second: newMember(t, 3, Options{}), other: newMember(t, 4, Options{})}
	f.old = f.store.ReplicaID()
	f.other.add("theirs", 7)
	f.store.pull(f.other)
	f.store.add("both", 1)
	f.store.add("cancelled", 5)
	f.store.flush()
	backup := f.store.disk.Copy()
	for _, m := range []*member{f.first, f.second, f.other} {
		m.pull(f.store)
	}
	f.store.add("both", 10)
	f.store.add("first", 2)
	f.first.pull(f.store)
	f.store.restart(backup, true)
	f.store.confirm()
	f.store.add("both", 100)
	f.store.add("second", 3)
	f.store.del("theirs")
	f.store.del("cancelled")
	f.store.add("cancelled", 50)
	f.second.pull(f.store)
	return f
}

// equal has all pull from all, and checks that they show the same: key, value.
func (f *forked) equal(pairs ...any) {
	all := []*member{f.store, f.first, f.second, f.other}
	for range 3 {
		for _, m := range all {
			for _, o := range all {
				if o != m && !m.pull(o) {
					m.fetch(o.snapshot(), o.ReplicaID(), 0)
				}
			}
		}
	}
	for _, m := range all {
		m.t.Helper()
		m.shows(pairs...)
		if v := m.Vector(); !v.Covers(all[0].Vector()) {
			m.t.Errorf("%v of one replica does not cover %v of another", v, all[0].Vector())
		}
	}
}

func (f *forked) rename() {
	f.store.t.Helper()
	if err := f.store.Rename(f.first.Vector().Entry(f.old)); err != nil {
		f.store.t.Fatalf("Rename = %v", err)
	}
	f.store.fetch(f.first.snapshot(), f.first.ReplicaID(), 0)
}

// The second history goes, also where a third replica has taken it in; what it did to others' contributions stays.
func TestSecondHistoryIsReplaced(t *testing.T) {
	f := fork(t)
	f.second.shows("both", 101, "second", 3, "theirs", 0)
	f.second.fetch(f.first.snapshot(), f.first.ReplicaID(), 0)
	if f.second.NeedsState() {
		t.Errorf("after the transfer another is needed")
	}
	f.second.shows("both", 11, "first", 2, "second", 0)
	f.second.restart(f.second.disk.Crash(), false)
	f.rename()
	f.equal("both", 11, "first", 2, "second", 0, "theirs", 0)
}

// Who has the history that counts takes nothing of the other, and all else; but only if it has to.
func TestFirstHistoryIsNotReplaced(t *testing.T) {
	f := fork(t)
	f.second.add("new", 9)
	f.first.fetchAnyway(f.second.snapshot(), f.second.ReplicaID())
	f.first.shows("both", 11, "first", 2, "second", 0, "new", 9)
	if v := f.first.Vector().Entry(f.old); len(f.first.Lineage(v).Lives) != 1 {
		t.Errorf("%v is of %v; want one life", v, f.first.Lineage(v))
	}
	f.second.fetch(f.first.snapshot(), f.first.ReplicaID(), 0)
	f.rename()
	f.equal("both", 11, "first", 2, "second", 0, "new", 9)
}

// A reset of the first history means nothing to who has the second, and is dropped there; it has to be there again
// afterwards, whenever it came.
func TestResetsOfBothHistoriesStay(t *testing.T) {
	for _, when := range []string{"before", "during", "after"} {
		f := fork(t)
		f.second.shows("cancelled", 50)
		f.other.del("cancelled")
		s := f.first.snapshot()
		if when == "before" {
			f.second.pull(f.other)
			f.second.shows("cancelled", 50)
		}
		f.second.begin(s, f.first.ReplicaID())
		if when == "during" {
			f.second.pull(f.other)
		}
		f.second.fetch(s, f.first.ReplicaID(), 0)
		f.rename()
		f.equal("cancelled", 0, "both", 11)
		if t.Failed() {
			t.Fatalf("the reset came %s the transfer", when)
		}
	}
}

// A source that lacks what the log here no longer has can replace nothing, unless it has to do.
func TestReplacementWaitsForItsSource(t *testing.T) {
	f := fork(t)
	f.other.del("cancelled")
	f.second.pull(f.other)
	if err := f.second.TrimLog(f.second.Vector()); err != nil {
		t.Fatalf("TrimLog = %v", err)
	}
	s := f.first.snapshot()
	before := f.second.Vector()
	begin := Transfer{Source: f.first.ReplicaID(), Snapshot: "s", Vector: s.Vector, Lineages: s.Lineages, Keys: s.Keys}
	if err := f.second.BeginTransfer(begin); !errors.Is(err, ErrAhead) || !f.second.Vector().Covers(before) || f.second.NeedsState() {
		t.Errorf("BeginTransfer = %v, vector %v; want %v, %v", err, f.second.Vector(), ErrAhead, before)
	}
	begin.MakeDo = true
	if err := f.second.BeginTransfer(begin); err != nil {
		t.Errorf("BeginTransfer that makes do = %v", err)
	}
	f.second.restart(f.second.disk.Copy(), false)
	// The source is gone, and so is what it had: the next one has no history of the replica at all.
	empty := newMember(t, 9, Options{})
	s = empty.snapshot()
	begin = Transfer{Source: empty.ReplicaID(), Snapshot: "e", Vector: s.Vector, Lineages: s.Lineages}
	if err := f.second.BeginTransfer(begin); !errors.Is(err, ErrAhead) {
		t.Errorf("BeginTransfer with nothing of the replica = %v; want %v", err, ErrAhead)
	}
	begin.MakeDo = true
	if err := f.second.BeginTransfer(begin); err != nil || f.second.NeedsState() {
		t.Fatalf("BeginTransfer = %v, needs the state: %t", err, f.second.NeedsState())
	}
	if v := f.second.Vector(); !v.Covers(before) || len(f.second.Lineage(before.Entry(f.old)).Lives) != 2 {
		t.Errorf("vector %v after the history was not replaced; want %v", v, before)
	}
}

// What a store had merged from elsewhere in the history that goes does not go.
func TestMergedStateOfALostHistoryStays(t *testing.T) {
	f := fork(t)
	c := tlv.Contribution{Replica: 77, Birth: 1, Rev: 5, Last: 5, Total: tlv.FromInt64(50)}
	if err := f.store.Merge([]tlv.Delta{{Key: []byte("\x00device"), State: tlv.State{Contributions: []tlv.Contribution{c}}}}); err != nil {
		t.Fatalf("Merge = %v", err)
	}
	f.second.pull(f.store)
	f.second.fetch(f.first.snapshot(), f.first.ReplicaID(), 0)
	f.rename()
	f.equal("device", 50, "both", 11)
}

// A reset that is dropped because of the history that goes, and that nobody else has any more, does not come back from what a
// cached key has not taken in yet: it would show another value than is stored.
func TestCachedKeyShowsTheHistoryThatCame(t *testing.T) {
	f := fork(t)
	f.second.o.UpdatePeriod = time.Hour
	f.second.restart(f.second.disk.Copy(), false)
	f.second.shows("both", 101)
	f.second.del("both")
	f.second.flush()
	f.store.del("both") // which the other does not know of: what it cancelled is of an earlier life now
	f.second.pull(f.store)
	f.first.fetchAnyway(f.second.snapshot(), f.second.ReplicaID())
	f.first.shows("both", 11)
	f.second.fetch(f.first.snapshot(), f.first.ReplicaID(), 0)
	f.second.shows("both", 11)
	f.rename()
	f.equal("both", 11, "first", 2, "second", 0)
}

// What a cached key remembers of a contribution of the history that went, and the database does not, has no say against what
// its replica goes on to publish.
func TestCachedKeyForgetsTheHistoryThatWent(t *testing.T) {
	clock := func(ms int64) Options { return Options{Now: func() int64 { return 1_700_000_000_000 + ms }} }
	store, first, second := newMember(t, 1, clock(0)), newMember(t, 2, clock(0)), newMember(t, 3, clock(0))
	store.add("both", 1)
	store.flush()
	backup := store.disk.Copy()
	second.pull(store)
	store.add("first", 2)
	first.pull(store)
	original := &member{t: t, o: clock(0), disk: store.disk.Copy()}
	store.o = clock(60_000)
	store.restart(backup, true)
	store.confirm()
	store.add("late", 5)
	second.pull(store)
	second.shows("late", 5)
	store.del("late")
	second.pull(store)
	second.shows("late", 0)
	second.fetch(first.snapshot(), first.ReplicaID(), 0)
	original.open()
	original.add("late", 7)
	for _, m := range []*member{first, second} {
		if !m.pull(original) {
			t.Fatalf("the log does not reach back")
		}
		m.shows("late", 7, "first", 2)
	}
	second.restart(second.disk.Crash(), false)
	second.shows("late", 7)
}
