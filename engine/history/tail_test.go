package history

import (
	"testing"

	"atomiccounter/tlv"
)

// A tail of life 2, journaled after batch 20, in a store with lives 1, 2 and 3: whether others, of whom the last batch is said, have it.
func TestTailPublished(t *testing.T) {
	for _, c := range []struct {
		name    string
		entry   tlv.VectorEntry
		flushed bool
		want    bool
	}{
		{"they have nothing after it", tlv.VectorEntry{Stamp: 20, Life: 2}, true, false},
		{"the life went on there", tlv.VectorEntry{Stamp: 30, Life: 2}, true, true},
		{"a later life did", tlv.VectorEntry{Stamp: 30, Life: 3}, false, true},
		{"a life before did", tlv.VectorEntry{Stamp: 30, Life: 1}, true, false},
		{"a life that is not known here had what the last flush left", tlv.VectorEntry{Stamp: 30, Life: 9}, true, true},
		{"but not what starts after that did", tlv.VectorEntry{Stamp: 30, Life: 9}, false, false},
	} {
		tail := Tail{Life: 2, After: 20, Flushed: c.flushed}
		if got := tail.Published(c.entry, []uint64{1, 2, 3}); got != c.want {
			t.Errorf("%s: Published = %t; want %t", c.name, got, c.want)
		}
	}
}
