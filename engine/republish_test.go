package engine

import (
	"testing"
)

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
