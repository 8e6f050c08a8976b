package engine

import (
	"sync/atomic"
	"unsafe"

	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// rare is what few entries have.
type rare struct {
	key    string  // where it does not fit into the entry
	fields *fields // of a field, its hash's; of a key that is a hash, or was one since it was loaded
	open   *opened // nil: the state is compact
}

// opened is the state of an entry that is held exclusively, or of which more is to be kept than fits into a state.Compact.
//
// Invariant: whoever holds an entry exclusively to read or change its state has it open (lockState).
type opened struct {
	rare      rare          // of an entry that has no other
	anchor    int64         // value when it was last folded
	state     state.Key     // what is looked at most is in the first cache line
	index     int64         // books, with the flag inStore
	owner     tlv.ReplicaID // of the expiry in force
	refreshed int64         // ms; when the foreign part was last brought up to date
	listed    atomic.Int32  // where the entry is among staleKeys.keys, from 1; 0: it is not; written under their mu
	weight    uint32        // bytes that it takes, as the table counts them
	text      bool          // value is that of what the text hides
}

const (
	entrySize = int64(unsafe.Sizeof(entry{})) + 33 // bytes of memory per entry, the table's share included
	rareSize  = int64(unsafe.Sizeof(rare{}))
	openSize  = int64(unsafe.Sizeof(opened{}))
)

// memory is how many bytes it takes, as the table counts them.
func (e *entry) memory() int64 {
	n := entrySize
	r := e.rare
	if r == nil {
		return n
	}
	if r.open != nil {
		n += int64(r.open.weight)
	}
	if r.open == nil || r != &r.open.rare {
		n += rareSize + int64(len(r.key))
	}
	if e.isHead() {
		n += fieldsSize
	}
	return n
}

func (e *entry) fields() *fields {
	if e.rare == nil {
		return nil
	}
	return e.rare.fields
}

// opened is the state if it is open, or nil.
func (e *entry) opened() *opened {
	if e.rare == nil {
		return nil
	}
	return e.rare.open
}

// state is that of an entry which is open.
func (e *entry) state() *state.Key { return &e.rare.open.state }

// copied is the state of an entry that is held, perhaps shared. The caller only reads it.
func (e *entry) copied(id tlv.ReplicaID) (k state.Key) {
	if o := e.opened(); o != nil {
		return o.state
	}
	var p *state.Pending
	if e.is(pending) {
		p = new(state.Pending)
	}
	e.compact.Expand(e.marks(), id, e.value.Load(), e.expire.Load(), &k, p)
	return k
}

// blank says that it is that of a key that nobody ever wrote.
func (e *entry) blank() bool {
	if o := e.opened(); o != nil {
		return o.state.Blank()
	}
	return e.compact.Rev == 0 && !e.is(pending)
}

func (e *entry) marks() state.Marks { return state.Marks(e.flags & allMarks) }

// showsText says that value is that of what a text hides.
func (e *entry) showsText() bool {
	o := e.opened()
	return o != nil && o.text
}

// stale says that something has arrived that is not merged.
func (e *entry) stale() bool {
	o := e.opened()
	return o != nil && o.state.Incoming() != nil
}

// refreshed is when the foreign part of an entry that has one was last brought up to date, in ms.
func (e *entry) refreshed() int64 { return e.rare.open.refreshed }

// books are those of the stored state.
func (e *entry) books() books {
	b := books{exists: e.is(inStore)}
	switch o := e.opened(); {
	case o != nil:
		b.index = o.index
	case e.is(indexed):
		b.index = e.expire.Load()
	}
	return b
}

// setBooks is for an entry that is open.
func (e *entry) setBooks(b books) {
	e.mark(inStore, b.exists)
	e.rare.open.index = b.index
}

// fold moves what increments added on the short way into what is pending. A wide sum has no short way.
func (e *entry) fold() {
	o, v := e.rare.open, e.value.Load()
	if v == o.anchor {
		return
	}
	d := tlv.FromInt64(v).Sub(tlv.FromInt64(o.anchor))
	o.state.Pending.Delta.Total = o.state.Pending.Delta.Total.Add(d) // there is one: only in its generation is there a short way
	o.anchor = v
}

// differs says whether a view of an existing key differs from what it shows in more than the value.
func (e *entry) differs(id tlv.ReplicaID, v *tlv.View) bool {
	o := e.rare.open
	return v.Expiry.At != e.expire.Load() || v.Owner != o.owner || (v.Kind == tlv.Natural) != e.is(natural) || v.IsText != o.text ||
		e.is(carrying) && v.Expiry.Stamp > o.state.Named(id).Stamp
}

// roll makes what is pending of an earlier generation part of the stored state, under the stamp of that generation's batch. The pending is
// the caller's to use again.
func (e *entry) roll(id tlv.ReplicaID, rev tlv.Stamp) (p *state.Pending) {
	e.fold()
	p, own := e.state().Roll(id, rev)
	e.mark(ownInFlight, own)
	e.mark(pending|quick, false)
	return p
}

// lockState locks an entry exclusively and opens its state.
func (e *Engine) lockState(en *entry) {
	en.mu.Lock()
	e.openState(en)
}

// unlockState makes the state compact, if it can be, and unlocks the entry.
func (e *Engine) unlockState(en *entry) {
	e.closeState(en)
	en.mu.Unlock()
}

// openState opens the state of an entry that is held exclusively.
func (e *Engine) openState(en *entry) {
	if en.opened() != nil {
		return
	}
	o := e.pools.opens.Get().(*opened)
	var p *state.Pending
	if en.is(pending) {
		p = e.pools.pendings.Get().(*state.Pending)
	}
	at := en.expire.Load()
	o.anchor = en.value.Load()
	en.compact.Expand(en.marks(), e.self.id, o.anchor, at, &o.state, p)
	o.index = en.books().index
	if at != 0 {
		o.owner = e.self.id
	}
	if en.rare == nil {
		en.rare = &o.rare
	}
	en.rare.open = o
}

// closeState makes the state compact, or counts what it takes.
func (e *Engine) closeState(en *entry) {
	o := en.opened()
	if o == nil {
		return
	}
	at := en.expire.Load()
	if o.index != 0 && o.index != at || o.listed.Load() != 0 {
		e.table.weigh(en)
		return
	}
	c, m, ok := o.state.Compact(e.self.id, en.value.Load(), at)
	if !ok {
		e.table.weigh(en)
		return
	}
	en.compact, en.flags = c, en.flags&^allMarks|flags(m)
	en.mark(indexed, o.index != 0)
	e.table.adjust(en, -int64(o.weight))
	if p := o.state.Pending; p != nil {
		*p = state.Pending{}
		e.pools.pendings.Put(p)
	}
	if en.rare.open = nil; en.rare == &o.rare {
		en.rare = nil
	}
	*o = opened{}
	e.pools.opens.Put(o)
}

// makeFields gives an entry, which is open, fields.
func (e *Engine) makeFields(en *entry, f *fields) {
	was := en.memory()
	if o := en.rare.open; en.rare == &o.rare {
		e.stale.mu.Lock() // take and unlist come to the state of a listed entry by its rare
		en.rare = &rare{open: o}
		e.stale.mu.Unlock()
	}
	en.rare.fields = f
	e.table.adjust(en, en.memory()-was)
}
