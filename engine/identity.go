package engine

import (
	"slices"
	"sync/atomic"

	"github.com/dchest/siphash"

	"atomiccounter/engine/history"
	"atomiccounter/tlv"
)

// identity is what the store is among others. It changes inside a cut only.
type identity struct {
	id      tlv.ReplicaID
	former  []tlv.ReplicaID
	secret  history.Secret // of the key hash too; as long as the store lives
	cluster atomic.Pointer[tlv.Cluster]
}

// hash decides a key's place in the store and the table.
func (i *identity) hash(key []byte) uint64 { return siphash.Hash(i.secret[0], i.secret[1], key) }

// mine says whether id is this replica's, now or formerly.
func (i *identity) mine(id tlv.ReplicaID) bool {
	return id == i.id || slices.Contains(i.former, id)
}

func randomID(random func() uint64) tlv.ReplicaID {
	for {
		if id := random(); id != 0 {
			return tlv.ReplicaID(id)
		}
	}
}
