package history

import (
	"slices"
	"testing"

	"atomiccounter/tlv"
)

// What is given up with an ID: the lives in which only this store went on from where the histories parted.
func TestGiveUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		lives []Life
		entry tlv.VectorEntry // that others have
		want  []uint64
	}{
		{"others went on in a life that is known", []Life{{1, 10}, {2, 20}, {3, 40}, {4, 0}}, tlv.VectorEntry{Stamp: 30, Life: 2}, []uint64{3, 4}},
		{"in the present one", []Life{{1, 10}, {2, 0}}, tlv.VectorEntry{Stamp: 30, Life: 2}, nil},
		{"in another: of lives before that is true which went beyond it", []Life{{1, 10}, {2, 20}, {3, 40}, {4, 0}}, tlv.VectorEntry{Stamp: 30, Life: 9}, []uint64{3, 4}},
		{"in another, and beyond all here", []Life{{1, 10}, {2, 0}}, tlv.VectorEntry{Stamp: 30, Life: 9}, []uint64{2}},
	} {
		h := History{id: 5, lives: c.lives}
		h.GiveUp(c.entry, 50, nil)
		if got := h.given[0]; got.Replica != 5 || got.Last != 50 || got.Other != c.entry.Stamp || !slices.Equal(got.Lives, c.want) {
			t.Errorf("%s: given up %+v; want the lives %v", c.name, got, c.want)
		}
	}
}

func TestBranchEnds(t *testing.T) {
	b := Branch{Replica: 5, Lives: []uint64{3, 4}, Last: 50, Other: 30}
	for _, c := range []struct {
		name string
		seen tlv.VectorEntry
		want bool
	}{
		{"published", tlv.VectorEntry{Replica: 5, Stamp: 40, Life: 3}, false},
		{"never published", tlv.VectorEntry{Replica: 5, Stamp: 51, Life: 4}, true},
		{"perhaps from before they parted", tlv.VectorEntry{Replica: 5, Stamp: 30, Life: 3}, false},
		{"of the others' history", tlv.VectorEntry{Replica: 5, Stamp: 95, Life: 9}, false},
		{"of another replica", tlv.VectorEntry{Replica: 6, Stamp: 51, Life: 4}, false},
		{"nothing", tlv.VectorEntry{}, false},
	} {
		if got := b.ends(c.seen); got != c.want {
			t.Errorf("%s: ends = %t; want %t", c.name, got, c.want)
		}
	}
}

// What others say of replica 5, this one, of 6, and of 4, which this one was before: the log has batches 1020 to 1040 of it, and others parted
// from it after batch 1010.
func TestTrue(t *testing.T) {
	h := History{id: 5, lives: []Life{{1, 100}, {2, 200}, {3, 0}}, given: []Branch{{Replica: 4, Parted: true, Since: 1010}}}
	h.Log.Add(Logged{Replica: 6, Prev: 1020, Stamp: 1030, Hash: 31})
	h.Log.Add(Logged{Replica: 6, Prev: 1030, Stamp: 1040, Hash: 41})
	vector := tlv.Vector{{Replica: 4, Stamp: 1040, Hash: 40}, {Replica: 5, Stamp: 300, Life: 3, Hash: 30}, {Replica: 6, Stamp: 1040, Hash: 41}}
	for _, c := range []struct {
		name  string
		entry tlv.VectorEntry
		want  bool
	}{
		{"nothing", tlv.VectorEntry{Replica: 5}, true},
		{"all", tlv.VectorEntry{Replica: 5, Stamp: 300, Life: 3, Hash: 30}, true},
		{"as much, otherwise", tlv.VectorEntry{Replica: 5, Stamp: 300, Life: 3, Hash: 29}, false},
		{"more than there is", tlv.VectorEntry{Replica: 5, Stamp: 301, Life: 3}, false},
		{"the end of a life", tlv.VectorEntry{Replica: 5, Stamp: 200, Life: 2}, true},
		{"beyond the end of a life", tlv.VectorEntry{Replica: 5, Stamp: 201, Life: 2}, false},
		{"of a life that never was", tlv.VectorEntry{Replica: 5, Stamp: 10, Life: 9}, false},
		{"in the log", tlv.VectorEntry{Replica: 6, Stamp: 1030, Hash: 31}, true},
		{"otherwise than in the log", tlv.VectorEntry{Replica: 6, Stamp: 1030, Hash: 32}, false},
		{"between batches of the log", tlv.VectorEntry{Replica: 6, Stamp: 1035, Hash: 31}, false},
		{"before the log", tlv.VectorEntry{Replica: 6, Stamp: 1020, Hash: 99}, true},
		{"more than is here", tlv.VectorEntry{Replica: 6, Stamp: 1050, Hash: 51}, true},
		{"of a former ID, before they parted", tlv.VectorEntry{Replica: 4, Stamp: 1010, Hash: 10}, true},
		{"afterwards", tlv.VectorEntry{Replica: 4, Stamp: 1011, Hash: 11}, false},
		{"of a former ID, all", tlv.VectorEntry{Replica: 4, Stamp: 1040, Hash: 40}, true},
	} {
		if got := h.True(c.entry, vector); got != c.want {
			t.Errorf("%s: True(%+v) = %t; want %t", c.name, c.entry, got, c.want)
		}
	}
}

// The lives of a store from one start to the next.
func TestBegin(t *testing.T) {
	var h History
	must(t, h.Begin(5, nil, 10, 0))
	if h.Stored != 0 || h.ID() != 5 || h.Life() != 10 {
		t.Fatalf("a new store has stored life %d, ID %d, life %d", h.Stored, h.ID(), h.Life())
	}
	record := h.Record()
	if again := h.Record(); again != nil {
		t.Errorf("Record = % x; want nothing, for nothing has changed", again)
	}
	var g History
	must(t, g.Begin(5, record, 11, 100))
	g.Lived(12, 100) // a start that did not flush
	g.Lived(12, 100)
	if want := []Life{{10, 100}, {12, 100}, {11, 0}}; g.Stored != 10 || !slices.Equal(g.lives, want) {
		t.Errorf("lives %v, the last that flushed is %d; want %v, 10", g.lives, g.Stored, want)
	}
	g.Rename(6, 13)
	if g.ID() != 6 || !slices.Equal(g.Former(), []tlv.ReplicaID{5}) || !slices.Equal(g.Lives(), []uint64{13}) {
		t.Errorf("renamed: ID %d, former %d, lives %d", g.ID(), g.Former(), g.Lives())
	}
}

// Of the oldest lives nothing is known any more.
func TestLivesAreBounded(t *testing.T) {
	var h History
	for n := uint64(1); n <= maxLives+5; n++ {
		var next History
		must(t, next.Begin(5, h.Record(), n, tlv.Stamp(n)))
		h.lives, h.dirty = next.lives, true
	}
	if n := len(h.lives); n != maxLives || h.lives[0].Number != 6 {
		t.Errorf("%d lives from %d; want %d from 6", n, h.lives[0].Number, maxLives)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
