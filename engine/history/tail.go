package history

import (
	"slices"

	"atomiccounter/tlv"
)

// Tail is what the journal has of a life before the present one and no batch of this store has. Others may have it: a copy of the store, or the
// beginning of it, and the original of this one has perhaps published it. So a store that gives up an ID publishes its tail as
// the contribution of another, which like its stamps follows from the journal alone: of two stores that publish it the one that has more of it
// counts. Where it turns out that batches of the old ID have it too it is cancelled (Void), or not even published.
type Tail struct {
	Replica tlv.ReplicaID // under which it is published
	Life    uint64        // in which it was journaled
	After   tlv.Stamp     // of the last batch before
	Flushed bool          // that batch is of this life, or there is none
}

// Published says whether the batches up to entry, of the ID that is given up, have the tail too. Of a life that is known here they have what lives up
// to that journaled. One that is not known was begun by the original after the copy was made: it has what the last flush had left,
// but of starts after that nothing, which a store never publishes under its old ID.
func (t *Tail) Published(entry tlv.VectorEntry, lives []uint64) bool {
	i := slices.Index(lives, entry.Life)
	return entry.Stamp > t.After && (i < 0 && t.Flushed || i >= 0 && i >= slices.Index(lives, t.Life))
}
