package engine

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/dchest/siphash"

	"atomiccounter/tlv"
)

// identity is what the store is among others. It changes inside a cut only.
type identity struct {
	id      tlv.ReplicaID
	former  []tlv.ReplicaID
	seed    [2]uint64 // of the key hash; as long as the store lives
	cluster atomic.Pointer[tlv.Cluster]
}

// hash decides a key's place in the store and the table.
func (i *identity) hash(key []byte) uint64 { return siphash.Hash(i.seed[0], i.seed[1], key) }

// mine says whether id is this replica's, now or formerly.
func (i *identity) mine(id tlv.ReplicaID) bool {
	return id == i.id || slices.Contains(i.former, id)
}

// chainHash is the hash of b, which says content.
func (i *identity) chainHash(b *tlv.Batch, content []byte) tlv.Hash {
	upper := uint32(siphash.Hash(i.seed[0], i.seed[1], content))
	return tlv.Hash(upper)<<32 | tlv.Hash(i.proof(b.Entry(), upper))
}

func (i *identity) proof(entry tlv.VectorEntry, upper uint32) uint32 {
	var b [28]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(entry.Replica))
	binary.LittleEndian.PutUint64(b[8:], uint64(entry.Stamp))
	binary.LittleEndian.PutUint64(b[16:], entry.Life)
	binary.LittleEndian.PutUint32(b[24:], upper)
	return uint32(siphash.Hash(i.seed[0], i.seed[1], b[:]))
}

// tailID is the ID of a tail: the same in every copy of this store.
func (i *identity) tailID(life uint64, after tlv.Stamp) tlv.ReplicaID {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[0:], life)
	binary.LittleEndian.PutUint64(b[8:], uint64(after))
	return tlv.ReplicaID(max(1, siphash.Hash(i.seed[0], i.seed[1], b[:])))
}

func randomID(random func() uint64) tlv.ReplicaID {
	for {
		if id := random(); id != 0 {
			return tlv.ReplicaID(id)
		}
	}
}
