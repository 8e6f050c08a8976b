package engine

import (
	"encoding/binary"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// books are what the store counts of a stored state.
type books struct {
	exists bool
	index  int64 // ms under which the expiry index has the key; 0: it has not, and no expiry
	left   bool  // an expiry is left over: if the key is a hash, its head is to name that
}

// shown says whether a key with so many fields exists, and whether it has an expiry.
func (b books) shown(fields int64) (exists, expires bool) {
	exists = b.exists || fields > 0
	return exists, exists && b.index != 0
}

// booksOf computes them from the view of the state. The index has a key under the time at which this replica is to carry
// out the expiry: its own at once, another's or one that is left over after a grace. A head with a left-over one is there too, for the record
// by which it is named may be lost with the power.
func (e *Engine) booksOf(v *tlv.View) books {
	b := books{exists: v.Exists, index: v.Expiry.At, left: v.Left && !v.Exists}
	if b.index != 0 && !e.self.mine(v.Owner) {
		b.index += sweepGrace
	}
	return b
}

// recount keeps the counts of the store.
func (c *committer) recount(db byte, was books, fieldsWere int64, is books, fieldsAre int64) {
	existed, expired := was.shown(fieldsWere)
	exists, expires := is.shown(fieldsAre)
	c.count[db] += change(existed, exists)
	c.countEx[db] += change(expired, expires)
}

// book keeps the counts of the store and the expiry index in step with the stored state of a key that has so many fields
// stored.
func (t *commit) book(key string, was, is books, fields int64) {
	if isUsers(key) {
		t.c.recount(database(key), was, fields, is, fields)
	}
	if was.index == is.index {
		return
	}
	if was.index != 0 {
		t.delete(store.IndexKey(nil, was.index, key))
	}
	if is.index != 0 {
		t.put(store.IndexKey(nil, is.index, key), nil)
	}
}

func change(was, is bool) int64 {
	switch {
	case is && !was:
		return 1
	case was && !is:
		return -1
	}
	return 0
}

// setFields stores the number of fields of a hash.
func (t *commit) setFields(hash uint64, key string, n int64) {
	k := store.FieldsKey(nil, hash, key)
	if n == 0 {
		t.delete(k)
		return
	}
	t.c.e.counts.hashes.Store(true)
	t.put(k, binary.LittleEndian.AppendUint64(nil, uint64(n)))
}
