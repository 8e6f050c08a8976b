package history

import (
	"encoding/binary"

	"github.com/dchest/siphash"

	"atomiccounter/tlv"
)

// Secret is a store's, and as old as that. Copies of the store have it too.
//
// The hash of a batch has two halves. The upper one is of what the batch says, the hash of the batch before included, so that
// two histories of one replica differ in all that follows the moment at which they parted. The lower one proves that a store
// with this secret made the upper.
type Secret [2]uint64

// Hash is the hash of b, which says content.
func (s *Secret) Hash(b *tlv.Batch, content []byte) tlv.Hash {
	upper := uint32(siphash.Hash(s[0], s[1], content))
	return tlv.Hash(upper)<<32 | tlv.Hash(s.proof(b.Entry(), upper))
}

// Proves says whether a store with this secret has published what entry says.
func (s *Secret) Proves(entry tlv.VectorEntry) bool {
	return s.proof(entry, uint32(entry.Hash>>32)) == uint32(entry.Hash)
}

func (s *Secret) proof(entry tlv.VectorEntry, upper uint32) uint32 {
	var b [28]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(entry.Replica))
	binary.LittleEndian.PutUint64(b[8:], uint64(entry.Stamp))
	binary.LittleEndian.PutUint64(b[16:], entry.Life)
	binary.LittleEndian.PutUint32(b[24:], upper)
	return uint32(siphash.Hash(s[0], s[1], b[:]))
}

// TailID is the ID under which t is published: the same in every copy of this store.
func (s *Secret) TailID(t *Tail) tlv.ReplicaID {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[0:], t.Life)
	binary.LittleEndian.PutUint64(b[8:], uint64(t.After))
	return tlv.ReplicaID(max(1, siphash.Hash(s[0], s[1], b[:])))
}
