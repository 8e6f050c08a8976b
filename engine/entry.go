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
// Increments hold mu shared and change value alone; all else holds mu exclusively. What increments added is found later as
// value - anchor (fold), so the short way costs one compare-and-swap and no bookkeeping.
//
// The order is that of use. Whoever looks for a key reads the second cache line, whoever then increments the first.
type entry struct {
	mu     lockorder.RWMutex
	value  atomic.Int64  // what the key shows, clamped to int64; pending increments included
	fast   atomic.Uint64 // the generation in which increments may go the short way; 0: never
	expire atomic.Int64  // when the key reads as absent, in ms; 0: never
	use    usage         // when and how often it was asked for, about
	stale  atomic.Bool   // something has arrived that is not taken in
	pins   atomic.Int32  // commands that are about to lock it; until then it stays cached
	adding atomic.Int32  // pipelines that hold mu shared and have added what is not yet journaled

	key   string         // key.go
	short [shortKey]byte // where key is, if it fits
	ring  int32          // index in the shard's ring
	hash  uint64

	// All below: read under mu, written under mu exclusively.
	gone      bool // no longer in the table
	counted   bool // in the visible count of keys
	countedEx bool // in the visible count of keys with an expiry; of a head: its expiry is in fields.word
	listed    bool // among Engine.stale.keys
	flightOwn bool // the operand of generation flight has the own contribution
	stored    bool // books, with index
	watched   bool // somebody may watch it: no short way, and show tells
	view      view
	weight    uint32        // bytes that state takes beside itself, as the table counts them; written under the shard's mu too
	owner     tlv.ReplicaID // of the expiry in force
	anchor    int64         // value when it was last folded
	refreshed int64         // ms; when the foreign part was last brought up to date

	state  state.Key
	index  int64   // books
	fields *fields // of a field, its hash's; of a key that is a hash, or was one since it was loaded; else nil

	gen    uint64 // in which something is pending; 0: nothing is
	flight uint64 // the generation whose operand a flush is committing or has committed
}

// view is what of the View of a key's state its entry keeps. The sum is value, clamped, and the expiry is expire and owner: the
// first two are read without the lock. The text is in the state.
type view struct {
	exists  bool // before the expiry is asked
	natural bool
	text    bool // value is that of what the text hides
	carries bool // the own contribution names the expiry in force, or a later one; or there is none
}

const shortKey = 36 // fills the allocator's size class of 320 bytes

// newEntry gives the entry of a key, empty and not yet in the table.
func newEntry(n name) *entry {
	e := &entry{hash: n.hash}
	if size := 1 + len(n.rest); size <= shortKey {
		e.short[0] = n.first
		copy(e.short[1:], n.rest)
		e.key = unsafe.String(&e.short[0], size) // an entry is never copied, and short never changes
	} else {
		e.key = string(append([]byte{n.first}, n.rest...))
	}
	return e
}

// is says whether it is that of a key.
func (e *entry) is(first byte, key []byte) bool { return e.key[0] == first && e.key[1:] == string(key) }

const entrySize = 320 + 40 // bytes of memory per entry, the table's share included

func (e *entry) memory() int64 {
	n := entrySize + int64(e.weight)
	if len(e.key) > shortKey {
		n += int64(len(e.key))
	}
	return n
}

// books are those of the stored state.
func (e *entry) books() books { return books{exists: e.stored, index: e.index} }

func (e *entry) setBooks(b books) { e.stored, e.index = b.exists, b.index }

func (e *entry) due(now int64) bool {
	at := e.expire.Load()
	return at != 0 && at <= now
}

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
	return e.state.View(id).Sum
}

// fold moves what increments added on the short way into what is pending. A wide sum has no short way.
func (e *entry) fold() {
	v := e.value.Load()
	if v == e.anchor {
		return
	}
	d := tlv.FromInt64(v).Sub(tlv.FromInt64(e.anchor))
	e.state.Pending.Delta.Total = e.state.Pending.Delta.Total.Add(d) // there is one: only in its generation is there a short way
	e.anchor = v
}

// differs says whether a view of an existing key differs from what it shows in more than the value.
func (e *entry) differs(id tlv.ReplicaID, v *tlv.View) bool {
	return v.Expiry.At != e.expire.Load() || v.Owner != e.owner || (v.Kind == tlv.Natural) != e.view.natural || v.IsText != e.view.text ||
		e.view.carries && v.Expiry.Stamp > e.state.Named(id).Stamp
}

// roll makes what is pending of an earlier generation part of the stored state, under the stamp of that generation's batch. The pending is
// the caller's to use again.
func (e *entry) roll(id tlv.ReplicaID, rev tlv.Stamp) (p *state.Pending) {
	e.fold()
	p, e.flightOwn = e.state.Roll(id, rev)
	e.flight, e.gen = e.gen, 0
	return p
}
