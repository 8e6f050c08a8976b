package engine

import (
	"math"
	"sync/atomic"
	"unsafe"

	"atomiccounter/engine/lockorder"
	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// entry is one cached counter: there is at most one per key and process, so two handles on a key never race.
//
// Increments hold mu shared and change value alone; all else holds mu exclusively. What increments added is found later as the difference
// of value to what it was (fold), so the short way costs one compare-and-swap and no bookkeeping.
//
// It has what every counter needs. The rest is rare: a long key, the fields of a hash, what other replicas contributed, a text. While
// nobody holds an entry exclusively the state of most is compact (state.Compact), and they have no rare part.
type entry struct {
	mu      lockorder.RWMutex
	value   atomic.Int64  // what the key shows, clamped to int64; pending increments included
	expire  atomic.Int64  // when the key reads as absent, in ms; 0: never
	gen     uint64        // the last in which something became pending; 0: none
	compact state.Compact // of the state, where that is not open
	rare    *rare
	use     usage        // when and how often it was asked for, about
	pins    atomic.Int32 // commands that are about to lock it; until then it stays cached
	adding  atomic.Int32 // pipelines that hold mu shared and have added what is not yet journaled
	ring    int32        // index in the shard's ring
	hash    uint64
	flags   flags
	keySize uint8 // 0: key is in rare
	short   [shortKey]byte
}

// flags of an entry: read under mu, written under mu exclusively. The first are state.Marks of what is compact.
type flags uint16

const (
	there       flags = 1 << (state.MarkBits + iota) // the key itself shows something, before the expiry is asked; of a hash, fields apart
	natural                                          // that is a Natural
	carrying                                         // the own contribution names the expiry in force, or a later one; or there is none
	quick                                            // in generation gen increments may go the short way
	ownInFlight                                      // the operand of the generation that is being flushed has the own contribution
	counted                                          // in the visible count of keys
	countedEx                                        // in the visible count of keys with an expiry; of a head: its expiry is in fields.word
	inStore                                          // books, with indexed
	indexed                                          // under expire, if the state is not open
	underWatch                                       // a pipeline may watch the key: no short way, and show tells
	gone                                             // no longer in the table
)

const (
	pending  = flags(state.Adding)   // something is, of generation gen
	allMarks = 1<<state.MarkBits - 1 // whose bits mean something where the state is compact; pending always
)

func (e *entry) is(f flags) bool { return e.flags&f != 0 }

func (e *entry) mark(f flags, on bool) {
	if e.flags &^= f; on {
		e.flags |= f
	}
}

const shortKey = 29 // with what is before it fills the allocator's size class

// newEntry gives the entry of a key, empty and not yet in the table; f is of a field.
func newEntry(n name, f *fields) *entry {
	e := &entry{hash: n.hash}
	long := 1+len(n.rest) > shortKey
	if long || f != nil {
		e.rare = &rare{fields: f}
	}
	if long {
		e.rare.key = string(append([]byte{n.first}, n.rest...))
		return e
	}
	e.keySize, e.short[0] = uint8(1+len(n.rest)), n.first
	copy(e.short[1:], n.rest)
	return e
}

// key begins with a byte for its space and database (key.go).
func (e *entry) key() string {
	if e.keySize == 0 {
		return e.rare.key
	}
	return unsafe.String(&e.short[0], int(e.keySize)) // short never changes
}

// hasKey says whether it is that of a key.
func (e *entry) hasKey(first byte, key []byte) bool {
	k := e.key()
	return k[0] == first && k[1:] == string(key)
}

func (e *entry) due(now int64) bool {
	at := e.expire.Load()
	return at != 0 && at <= now
}

// clean says whether all of e, which the caller holds, is in the database; flushed is the last generation that is there.
func (e *entry) clean(flushed uint64) bool { return !e.is(pending) && e.gen <= flushed }

// fits says whether a sum may become next: inside int64, or nearer to it than before.
func fits(sum, next tlv.Int128, n int64) bool {
	if next.IsInt64() {
		return true
	}
	return !sum.IsInt64() && (sum.Hi < 0) == (n > 0) && n != 0
}

// addFast adds n on the short way, under mu shared.
func (e *entry) addFast(n int64) (int64, bool) {
	for {
		v := e.value.Load()
		if n > 0 && v > math.MaxInt64-n || n < 0 && v < math.MinInt64-n {
			return 0, false
		}
		if e.value.CompareAndSwap(v, v+n) {
			return v + n, true
		}
	}
}

// sum is the true sum, of which value is the clamp: only at the ends there is a difference. The caller has folded.
func (e *entry) sum(id tlv.ReplicaID) tlv.Int128 {
	if v := e.value.Load(); v > math.MinInt64 && v < math.MaxInt64 {
		return tlv.FromInt64(v)
	}
	return e.state().View(id).Sum
}
