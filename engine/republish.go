package engine

import (
	"fmt"
	"slices"

	"atomiccounter/engine/history"
	"atomiccounter/engine/journal"
	"atomiccounter/engine/lockorder"
	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// republish does again all that the journal has since the last flush: tails as such, or not at all if others have published them, who
// have theirs of the old ID; and what is of the present life under id. All guards are held.
func (c *committer) republish(theirs tlv.VectorEntry, id tlv.ReplicaID) error {
	if err := c.e.journal.Sync(); err != nil {
		return err
	}
	c.e.table.clear(c.e.cuts.gen.Load())
	for db := range c.count {
		c.e.counts.keys[db].Store(c.count[db])
		c.e.counts.expires[db].Store(c.countEx[db])
	}
	own := c.vector.Entry(c.e.self.id)
	w := republication{c: c, e: c.e, entry: theirs, old: c.e.self.id, id: id, lives: c.e.history.Lives(), stamp: own.Stamp, aside: map[*entry]*unpublished{},
		p: &Pipeline{e: c.e, guard: new(guard), update: -1}}
	lockorder.Place(&w.p.guard.RWMutex, c.e.table, lockorder.Guards, "after all others")
	w.p.begin()
	defer w.p.pause()
	w.begin(history.Tail{Life: c.e.history.Stored, After: own.Stamp, Flushed: true})
	if _, err := journal.Replay(c.e.segments, c.mark, w.frame); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	w.finish()
	c.e.history.GiveUp(theirs, own.Stamp, w.published)
	c.ended, c.tails = tlv.VectorEntry{}, w.published
	if len(w.published) > 0 {
		c.ended = w.ended
	}
	c.become(id)
	return nil
}

// republication is what is under way in republish.
type republication struct {
	c         *committer
	e         *Engine
	p         *Pipeline
	entry     tlv.VectorEntry // that others have of old
	old, id   tlv.ReplicaID   // that is given up, and the new one
	lives     []uint64
	published []history.Tail
	ended     tlv.VectorEntry
	aside     map[*entry]*unpublished

	tail   history.Tail // that is read, or the present life
	theirs bool         // others have published it under old
	stamp  tlv.Stamp    // of the last record, as the tail's: later than all before
}

// unpublished is what of an entry is to be published though it is not under the new ID.
type unpublished struct {
	tails  []tlv.Contribution
	resets []tlv.Reset
	was    *tlv.State // of old, before what others have published of it
}

// begin has what follows counted from nothing under the new ID, until it is known how much is a tail, or still under the old one if others have
// published it. The store may have more of a tail already, from a copy.
func (w *republication) begin(t history.Tail) {
	theirs := t.Published(w.entry, w.lives)
	if theirs && w.theirs {
		w.tail = t
		return
	}
	t.Replica = w.e.self.secret.TailID(&t)
	if t.Flushed && !theirs {
		w.ended = tlv.VectorEntry{Replica: t.Replica, End: t.After + 1, Of: w.old}
	}
	w.end()
	w.tail, w.theirs, w.e.self.id = t, theirs, w.id
	if theirs {
		w.e.self.id = w.old
	}
}

func (w *republication) frame(body []byte) error {
	for len(body) > 0 {
		r, rest, err := parseRecord(body)
		if err != nil {
			return err
		}
		body = rest
		switch r.typ {
		case recordCut:
			w.stamp = max(w.stamp+1, tlv.Stamp(r.number))
			if tlv.Stamp(r.number) > w.entry.Stamp {
				continue // perhaps that batch never came to be
			}
			w.begin(history.Tail{Life: w.tail.Life, After: tlv.Stamp(r.number), Flushed: true})
			continue
		case recordLife:
			w.begin(history.Tail{Life: r.number, After: w.tail.After})
			continue
		}
		w.stamp = max(w.stamp+1, r.stamp, r.expiry.Stamp+1)
		if !w.theirs {
			if err := w.adapt(&r); err != nil {
				return err
			}
		}
		if err := w.c.redo(w.p, &r); err != nil {
			return err
		}
	}
	return nil
}

// adapt makes a record that was journaled under the old ID one of another: an increment that followed one of before is the
// first, and what was cancelled of the own contribution is reset.
func (w *republication) adapt(r *record) error {
	if r.typ == recordFlush {
		return nil
	}
	en, err := w.p.lockKey(r.key)
	if err != nil {
		return err
	}
	defer w.p.release()
	switch {
	case r.typ == recordAdd && r.stamp == 0 && (en.state().Pending == nil || !en.state().Pending.Adds()):
		r.stamp, r.joined = w.stamp, true
		if en.is(there) && en.is(natural) {
			r.kind = tlv.Natural
		}
	case r.typ == recordCancel && r.own:
		for _, c := range w.before(en) {
			state.PutReset(&r.resets, tlv.Reset{Replica: c.Replica, Rev: c.Rev, Base: c.Total})
		}
	}
	return nil
}

// before lists what this store had of a key, under the old ID and in tails, when the present life or tail began.
func (w *republication) before(en *entry) (list []tlv.Contribution) {
	s := en.state().Other()
	if c := s.Contribution(w.old); c != nil && s.Open(c) {
		list = append(list, *c)
	}
	if l := w.aside[en]; l != nil {
		for _, c := range l.tails {
			if !c.Closed {
				list = append(list, c)
			}
		}
	}
	return list
}

// end makes what was counted under the present ID that of another replica. The order does not matter.
func (w *republication) end() {
	e := w.e
	e.table.cut()
	e.table.forgetFlight(e.cuts.gen.Load())
	for _, en := range e.table.all() {
		w.e.lockState(en)
		if en.is(pending) {
			w.setAside(en)
		}
		en.state().Disown()
		e.show(en)
		w.e.unlockState(en)
	}
}

// setAside puts aside what is to be published of an entry.
func (w *republication) setAside(en *entry) {
	l := w.aside[en]
	if l == nil {
		l = &unpublished{}
		w.aside[en] = l
	}
	if w.theirs && l.was == nil {
		l.was = &tlv.State{}
		if en.state().Own.Replica != 0 {
			l.was.Put(en.state().Own)
		}
		if r := en.state().ResetOf(w.old); r != nil {
			l.was.PutReset(*r)
		}
	}
	w.carry(en)
	p := en.roll(w.e.self.id, w.stamp)
	for _, r := range p.Resets {
		state.PutReset(&l.resets, r)
	}
	if !w.theirs && p.Publish {
		c := en.state().Own
		if !en.is(ownInFlight) { // a copy may have what is closed
			c = tlv.Contribution{Rev: w.stamp, Birth: w.stamp, Closed: true}
		}
		c.Replica, en.state().Own = w.tail.Replica, tlv.Contribution{}
		if en.state().Foreign == nil {
			en.state().Foreign = &state.Foreign{}
		}
		en.state().Foreign.Other.Merge(&tlv.State{Contributions: []tlv.Contribution{c}})
		l.tails = append(l.tails, c)
		if n := len(w.published); n == 0 || w.published[n-1] != w.tail {
			w.published = append(w.published, w.tail)
		}
	}
	en.mark(ownInFlight, false) // gen stays: the table keeps the entry
	if en.state().Foreign != nil {
		en.state().Foreign.Resets = nil
	}
	*p = state.Pending{}
	w.e.pools.pendings.Put(p)
}

// carry has what is pending name the expiry that the contribution named which it added to.
func (w *republication) carry(en *entry) {
	p := en.state().Pending
	if !p.Adds() || p.Reborn || p.Carries() || w.theirs {
		return
	}
	for _, c := range w.before(en) {
		if c.Expiry.Stamp > p.Delta.Expiry.Stamp {
			p.Delta.Expiry = c.Expiry
		}
	}
}

// finish has all that was put aside flushed along with what is of the new ID.
func (w *republication) finish() {
	for _, en := range w.e.table.all() {
		w.e.lockState(en)
		if en.is(pending) {
			en.fold()
			w.carry(en)
		}
		if l := w.aside[en]; l != nil {
			w.publish(en, l)
		}
		w.e.show(en)
		w.e.unlockState(en)
	}
}

// publish has what was put aside of an entry flushed.
func (w *republication) publish(en *entry, l *unpublished) {
	if !en.is(pending) {
		en.gen = 0
	}
	if l.was != nil && en.state().Foreign != nil { // it comes from the others
		o := &en.state().Foreign.Other
		o.Contributions = slices.DeleteFunc(o.Contributions, func(c tlv.Contribution) bool { return c.Replica == w.old })
		o.Merge(l.was)
	}
	if len(l.resets)+len(l.tails) == 0 {
		return
	}
	w.e.markDirty(en)
	for _, r := range l.resets {
		state.PutReset(&en.state().Pending.Resets, r)
	}
	en.state().Pending.Tails = l.tails
}

// tailOf is the ID under which what was journaled in a life of the ID that was given up last is published; 0: under none. Simulations
// ask for it (Disk.Opened).
func (e *Engine) tailOf(life uint64) tlv.ReplicaID {
	c := e.committer.lock()
	defer c.unlock()
	for _, t := range c.tails {
		if t.Life == life {
			return t.Replica
		}
	}
	return 0
}
