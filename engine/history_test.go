package engine

import (
	"errors"
	"slices"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// attainable checks tokens by name.
func (m *member) attainable(when string, tokens map[string]tlv.Vector, gone ...string) {
	m.t.Helper()
	for name, seen := range tokens {
		want := slices.Contains(gone, name)
		if err := m.Attainable(seen); errors.Is(err, ErrGivenUp) != want || err != nil && !want {
			m.t.Errorf("%s: Attainable(%s) = %v; want an error: %t", when, name, err, want)
		}
	}
}

// Seen is what a token of this moment says.
func (e *Engine) Seen() tlv.Vector {
	v, err := e.NewPipeline().Seen() // it is patient
	if err != nil {
		panic(err)
	}
	return v
}

// A token that a store gave under an ID that it has given up since can be waited for only as far as others have what it saw.
func TestTokenOfAFormerID(t *testing.T) {
	a, b, c := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
	tokens := map[string]tlv.Vector{}
	a.add("k", 1)
	a.flush()
	tokens["before the copy"] = a.Seen()
	backup := a.disk.Copy()
	a.add("k", 10)
	b.pull(a)
	tokens["of the original"] = a.Seen()
	tokens["of b"] = b.Seen()
	a.restart(backup, true)
	a.confirm()
	a.add("k", 100)
	c.pull(a)
	tokens["published"] = a.Seen()
	tokens["of c"] = c.Seen()
	a.add("k", 1000)
	tokens["pending"] = a.Seen()
	a.attainable("before", tokens)
	if err := a.Rename(b.Vector().Entry(a.ReplicaID())); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	tokens["of the new ID"] = a.Seen()
	a.attainable("after", tokens, "pending")
	a.restart(a.disk.Copy(), false)
	a.attainable("after a start", tokens, "pending")
	b.attainable("at a peer, who cannot know", tokens)
	if !a.Vector().Covers(tokens["published"]) {
		t.Errorf("%v does not cover what was published", a.Vector())
	}
}

// So it is where the store finds out in time, but had already given the token, in a life before.
func TestTokenOfAnUnpublishedLife(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	tokens := map[string]tlv.Vector{}
	a.add("k", 1)
	a.flush()
	backup := a.disk.Copy()
	a.add("k", 10)
	b.pull(a)
	tokens["of b"] = b.Seen()
	a.restart(backup, true)
	a.confirm()
	a.add("k", 100)
	a.flush()
	tokens["published"] = a.Seen()
	a.add("k", 1000)
	tokens["pending"] = a.Seen()
	a.restart(a.disk.Copy(), true)
	if err := a.Rename(b.Vector().Entry(a.ReplicaID())); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	a.attainable("after", tokens, "pending")
}

// A copy of a store that goes on has given nothing up.
func TestTokenAtACopy(t *testing.T) {
	dir := t.TempDir()
	o := Options{Logger: quiet}
	e, err := Open(dir+"/store", o)
	must(t, nil, err)
	defer e.Close()
	increment(t, e, "k", 5)
	must(t, nil, e.Backup(dir+"/copy"))
	increment(t, e, "k", 1)
	c, err := Open(dir+"/copy", o)
	must(t, nil, err)
	defer c.Close()
	if err := c.Attainable(e.Seen()); err != nil || c.ReplicaID() == e.ReplicaID() {
		t.Errorf("Attainable at a copy = %v; want nothing against it", err)
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
