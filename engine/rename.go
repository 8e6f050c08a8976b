package engine

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dchest/siphash"

	"atomiccounter/tlv"
)

// A store that lost what it had published must not go on under its old ID: its next contribution would take the place of
// the greater one that its peers hold (design, section 4: forks). So a store that others know and that was just opened publishes
// nothing, which is to say it does not flush, before all of them have confirmed its entry (Confirm), or one has shown that it has
// forked (Rename), or they have not been heard in time (Renew). It serves and journals meanwhile.

// Created says that this start has made the store: nobody can know its ID.
func (e *Engine) Created() bool { return e.created }

// Joining says that a start with Options.AwaitPeers has made the store, this one or an earlier one, and that it has not had all of a
// peer's state since.
func (e *Engine) Joining() bool {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	return e.flags&metaJoining != 0
}

// Joined notes, durably, that it has.
func (e *Engine) Joined() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	e.flags &^= metaJoining
	return e.commitMeta(e.db.NewBatch())
}

// Confirm ends the wait: the entries of all who know this store are true. If a start before this one ended before it could publish anything,
// the store gets a new ID all the same: nobody could tell of a copy whether what it has of that start is of the original or its own.
func (e *Engine) Confirm() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.closed.Load() {
		return ErrClosed
	}
	if !e.awaiting {
		return nil
	}
	if e.history.interrupted {
		return e.giveUp(e.vector.Entry(e.id))
	}
	e.awaiting = false
	close(e.confirmed)
	return e.flush(flushStep{always: true})
}

// Rename gives the store a new replica ID, because it has forked under the present one: a peer has entry, which is not of
// this store's history. It ends the wait for peers too. What the old ID added becomes that of another replica, which the
// peers complete. What the journal had when the store was copied or rolled back, its original has published: that comes
// from the peers, and is dropped here, or it would count twice; what was done since goes on under the new ID.
//
// If this store has published anything that its original has not, its history of the old ID is then one of two that replicas
// have, and stays so. Replicas of the one refuse what those of the other have of that ID.
func (e *Engine) Rename(entry tlv.VectorEntry) error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	return e.giveUp(entry)
}

// Renew gives the store a new replica ID, because not all who know the present one have confirmed what they have of it. Nothing is
// dropped: what the journal had before this start is published as the tail of the old ID.
func (e *Engine) Renew() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	if !e.awaiting {
		return nil
	}
	return e.giveUp(e.vector.Entry(e.id))
}

// giveUp goes on under a new ID. Others have entry of the present one. The caller holds commitMu.
func (e *Engine) giveUp(entry tlv.VectorEntry) error {
	awaited := e.awaiting
	if awaited {
		e.awaiting = false
		defer close(e.confirmed) // who waits sees the new ID
	}
	id := randomID(e.options.random)
	return e.flush(flushStep{always: true, before: func() error {
		if awaited {
			return e.testament(entry, id)
		}
		e.history.giveUp(entry, e.vector.Entry(e.id).Stamp, nil)
		e.rename(id)
		return nil
	}})
}

// rename changes the ID at a moment when all guards are held.
func (e *Engine) rename(id tlv.ReplicaID) {
	for _, en := range e.table.all() {
		en.mu.Lock()
		en.rename(e.id)
		e.show(en)
		en.mu.Unlock()
	}
	e.ended = tlv.VectorEntry{}
	e.become(id)
}

// become makes id that of the store.
func (e *Engine) become(id tlv.ReplicaID) {
	e.id = id
	e.lastCut.Store(0) // of the old ID
	e.history.rename(id, e.options.random)
	e.former = e.Former()
	e.reportAll()
}

// tail is what the journal has of a life before the present one and no batch of this store has. Others may have it: a copy of the store, or the
// beginning of it, and the original of this one has perhaps published it. So who gives up an ID publishes its tail as
// the contribution of another, which like its stamps follows from the journal alone: of two who publish it the one that has more of it
// counts. Where it turns out that batches of the old ID have it too it is cancelled (DropTails), or not even published.
type tail struct {
	Replica tlv.ReplicaID // under which it is published
	Life    uint64        // in which it was journaled
	After   tlv.Stamp     // of the last batch before
	Flushed bool          // that batch is of this life, or there is none
}

// tailID is the ID of a tail: the same in every copy of this store.
func (e *Engine) tailID(life uint64, after tlv.Stamp) tlv.ReplicaID {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[0:], life)
	binary.LittleEndian.PutUint64(b[8:], uint64(after))
	return tlv.ReplicaID(max(1, siphash.Hash(e.seed[0], e.seed[1], b[:])))
}

// published says whether the batches up to entry, of the ID that is given up, have a tail too. Of a life that is known here they have what lives up
// to that journaled. One that is not known was begun by the original after the copy was made: it has what the last flush had left,
// but of starts after that nothing, which a store never publishes under its old ID (Confirm).
func (t *tail) published(entry tlv.VectorEntry, lives []uint64) bool {
	i := slices.Index(lives, entry.Life)
	return entry.Stamp > t.After && (i < 0 && t.Flushed || i >= 0 && i >= slices.Index(lives, t.Life))
}

// testament does again all that the journal has since the last flush: tails as such, or not at all if others have published them, who
// have theirs of the old ID; and what is of the present life under id. All guards are held.
func (e *Engine) testament(theirs tlv.VectorEntry, id tlv.ReplicaID) error {
	if err := e.journal.Sync(); err != nil {
		return err
	}
	e.table.clear(e.gen.Load())
	for db := range e.count {
		e.keys[db].Store(e.count[db])
		e.expires[db].Store(e.countEx[db])
	}
	own := e.vector.Entry(e.id)
	w := testament{e: e, entry: theirs, old: e.id, id: id, lives: e.history.numbers(), stamp: own.Stamp, left: map[*entry]*legacy{},
		p: &Pipeline{e: e, guard: new(guard), update: -1}}
	w.p.begin()
	defer w.p.pause()
	w.begin(tail{Life: e.history.stored, After: own.Stamp, Flushed: true})
	if _, err := replay(e.segments, e.mark, w.frame); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	w.finish()
	e.history.giveUp(theirs, own.Stamp, w.published)
	e.ended, e.tails = tlv.VectorEntry{}, w.published
	if len(w.published) > 0 {
		e.ended = w.ended
	}
	e.become(id)
	return nil
}

// testament is what is under way in the function of that name.
type testament struct {
	e         *Engine
	p         *Pipeline
	entry     tlv.VectorEntry // that others have of old
	old, id   tlv.ReplicaID   // that is given up, and the new one
	lives     []uint64
	published []tail
	ended     tlv.VectorEntry
	left      map[*entry]*legacy

	tail   tail      // that is read, or the present life
	theirs bool      // others have published it under old
	stamp  tlv.Stamp // of the last record, as the tail's: later than all before
}

// legacy is what of an entry is to be published though it is not under the new ID.
type legacy struct {
	tails  []tlv.Contribution
	resets []tlv.Reset
	was    *tlv.State // of old, before what others have published of it
}

// begin has what follows counted from nothing under the new ID, until it is known how much is a tail, or still under the old one if others have
// published it. The store may have more of a tail already, from a copy.
func (w *testament) begin(t tail) {
	theirs := t.published(w.entry, w.lives)
	if theirs && w.theirs {
		w.tail = t
		return
	}
	t.Replica = w.e.tailID(t.Life, t.After)
	if t.Flushed && !theirs {
		w.ended = tlv.VectorEntry{Replica: w.old, End: t.After + 1, Tail: t.Replica}
	}
	w.end()
	w.tail, w.theirs, w.e.id = t, theirs, w.id
	if theirs {
		w.e.id = w.old
	}
}

func (w *testament) frame(body []byte) error {
	for len(body) > 0 {
		r, rest, err := parseRecord(body)
		if err != nil {
			return err
		}
		body = rest
		switch r.typ {
		case 'B':
			w.stamp = max(w.stamp+1, tlv.Stamp(r.number))
			if tlv.Stamp(r.number) > w.entry.Stamp {
				continue // perhaps that batch never came to be
			}
			w.begin(tail{Life: w.tail.Life, After: tlv.Stamp(r.number), Flushed: true})
			continue
		case 'L':
			w.begin(tail{Life: r.number, After: w.tail.After})
			continue
		}
		w.stamp = max(w.stamp+1, r.stamp, r.expiry.Stamp+1)
		if !w.theirs {
			if err := w.adapt(&r); err != nil {
				return err
			}
		}
		if err := w.e.redo(w.p, &r); err != nil {
			return err
		}
	}
	return nil
}

// adapt makes a record that was journaled under the old ID one of another: an increment that followed one of before is the
// first, and what was cancelled of the own contribution is reset.
func (w *testament) adapt(r *record) error {
	if r.typ == 'F' {
		return nil
	}
	en, err := w.p.lockKey(r.key)
	if err != nil {
		return err
	}
	defer w.p.release()
	switch {
	case r.typ == 'A' && r.stamp == 0 && (en.pend == nil || !en.pend.add):
		r.stamp, r.joined = w.stamp, true
		if en.exists && en.natural {
			r.kind = tlv.Natural
		}
	case r.typ == 'C' && r.own:
		for _, c := range w.before(en) {
			joinReset(&r.resets, tlv.Reset{Replica: c.Replica, Rev: c.Rev, Base: c.Total})
		}
	}
	return nil
}

// before lists what this store had of a key, under the old ID and in tails, when the present life or tail began.
func (w *testament) before(en *entry) (list []tlv.Contribution) {
	s := en.other()
	if c := s.Contribution(w.old); c != nil && s.Open(c) {
		list = append(list, *c)
	}
	if l := w.left[en]; l != nil {
		for _, c := range l.tails {
			if !c.Closed {
				list = append(list, c)
			}
		}
	}
	return list
}

// end makes what was counted under the present ID that of another replica. The order does not matter.
func (w *testament) end() {
	e := w.e
	e.table.cut()
	e.table.landed(e.gen.Load())
	for _, en := range e.table.all() {
		en.mu.Lock()
		if en.gen != 0 {
			w.bequeath(en)
		}
		en.disown()
		e.show(en)
		en.mu.Unlock()
	}
}

// bequeath puts aside what is to be published of an entry.
func (w *testament) bequeath(en *entry) {
	l := w.left[en]
	if l == nil {
		l = &legacy{}
		w.left[en] = l
	}
	if w.theirs && l.was == nil {
		l.was = &tlv.State{}
		if en.own.Replica != 0 {
			l.was.Put(en.own)
		}
		if r := en.resetOwn(w.old); r != nil {
			l.was.PutReset(*r)
		}
	}
	w.carry(en)
	p := en.roll(w.e.id, w.stamp)
	for _, r := range p.resets {
		joinReset(&l.resets, r)
	}
	if !w.theirs && p.touch {
		c := en.own
		if !en.flightOwn { // a copy may have what is closed
			c = tlv.Contribution{Rev: w.stamp, Birth: w.stamp, Closed: true}
		}
		c.Replica, en.own = w.tail.Replica, tlv.Contribution{}
		if en.foreign == nil {
			en.foreign = &foreign{}
		}
		en.foreign.other.Merge(&tlv.State{Contributions: []tlv.Contribution{c}})
		l.tails = append(l.tails, c)
		if n := len(w.published); n == 0 || w.published[n-1] != w.tail {
			w.published = append(w.published, w.tail)
		}
	}
	en.flightOwn = false // flight stays: the table keeps the entry
	if en.foreign != nil {
		en.foreign.resets = nil
	}
	*p = pending{}
	w.e.pendings.Put(p)
}

// carry has what is pending name the expiry that the contribution named which it added to.
func (w *testament) carry(en *entry) {
	p := en.pend
	if !p.add || p.reborn || p.expiry.Stamp != 0 || w.theirs {
		return
	}
	for _, c := range w.before(en) {
		if c.Expiry.Stamp > p.expiry.Stamp {
			p.expiry = c.Expiry
		}
	}
}

// finish has all that was put aside flushed along with what is of the new ID.
func (w *testament) finish() {
	for _, en := range w.e.table.all() {
		en.mu.Lock()
		if en.gen != 0 {
			en.settle()
			w.carry(en)
		}
		if l := w.left[en]; l != nil {
			w.inherit(en, l)
		}
		w.e.show(en)
		en.mu.Unlock()
	}
}

func (w *testament) inherit(en *entry, l *legacy) {
	en.flight = 0
	if l.was != nil && en.foreign != nil { // it comes from the others
		o := &en.foreign.other
		o.Contributions = slices.DeleteFunc(o.Contributions, func(c tlv.Contribution) bool { return c.Replica == w.old })
		o.Merge(l.was)
	}
	if len(l.resets)+len(l.tails) == 0 {
		return
	}
	w.e.markDirty(en)
	for _, r := range l.resets {
		joinReset(&en.pend.resets, r)
	}
	en.pend.tails = l.tails
}

// DropTails cancels the tails of IDs, here and everywhere, of which it has turned out that batches have them too.
func (e *Engine) DropTails() error {
	for _, id := range e.history.toVoid() {
		if err := e.cancelAll(id); err != nil {
			return err
		}
		e.history.voided(id)
	}
	return nil
}

// advance makes the vector speak of a later batch of a replica. If its ID had ended before that, the batches have its tail.
func (e *Engine) advance(entry tlv.VectorEntry) {
	if was := e.vector.Entry(entry.Replica); was.Stamp < was.End && was.End <= entry.Stamp {
		e.history.void(was.Tail)
	}
	e.vector.Put(entry)
}

// end notes where an ID ends, and its tail. Of one that ends in several places, because copies of the store gave it up, or that goes on,
// the batches up to the last place have the tails of the others.
func (e *Engine) end(entry tlv.VectorEntry) {
	was := e.vector.Entry(entry.Replica)
	if was.End != 0 && was.End < entry.End {
		e.history.void(was.Tail)
	}
	if entry.End < was.End || entry.End <= was.Stamp {
		e.history.void(entry.Tail)
	}
	if was.End < entry.End {
		e.vector.PutEnd(entry.Replica, entry.End, entry.Tail)
	}
}

// cancelAll cancels all that is stored of a replica, and publishes that.
func (e *Engine) cancelAll(id tlv.ReplicaID) error {
	concerns := func(s *tlv.State) bool {
		c := s.Contribution(id)
		return c != nil && s.Open(c)
	}
	return e.eachStored(concerns, false, func(deltas []tlv.Delta) error {
		e.commitMu.Lock()
		defer e.commitMu.Unlock()
		if err := e.mayCommit(); err != nil {
			return err
		}
		if err := e.flush(flushStep{}); err != nil { // what is pending has earlier stamps than this batch
			return err
		}
		b := e.nextBatch(e.clock.next(e.Now()))
		join := func(a *joining) {
			if c := a.all.Contribution(id); c != nil && a.all.Open(c) {
				d := tlv.State{Resets: []tlv.Reset{{Replica: id, Rev: c.Rev, Base: c.Total}}}
				a.all.Merge(&d)
				b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte(a.key), State: d})
			}
			a.keep(e.covers)
		}
		return e.land(deltas, join, func(batch *pebble.Batch, _ []arrival) (func(), error) { return e.publishAny(batch, &b) })
	})
}

// disown makes this replica's contribution that of another.
func (en *entry) disown() {
	if en.own.Replica == 0 {
		return
	}
	if en.foreign == nil {
		en.foreign = &foreign{}
	}
	en.foreign.other.Put(en.own)
	en.own = tlv.Contribution{}
}

// resetOwn is the reset of this replica's contribution, or nil.
func (en *entry) resetOwn(id tlv.ReplicaID) *tlv.Reset {
	if en.foreign == nil {
		return nil
	}
	return en.foreign.other.Reset(id)
}

// rename makes this replica's contribution that of another replica, old. What is pending counts from nothing; what it took
// away of its own is now a reset.
func (en *entry) rename(old tlv.ReplicaID) {
	if en.gen != 0 {
		en.settle()
		if en.pend.reborn && en.ownOpen() {
			joinReset(&en.pend.resets, tlv.Reset{Replica: old, Rev: en.own.Rev, Base: en.own.Total})
		}
		switch {
		case en.pend.expiry.Stamp != 0:
		case !en.pend.add:
			en.pend.touch, en.pend.reborn = false, false
		case !en.pend.reborn && en.ownOpen(): // it was counted under what the contribution names
			en.pend.expiry, en.pend.joined = en.own.Expiry, true
		}
	}
	if in := en.incoming(); in != nil && en.own.Replica != 0 {
		clone := in.Clone()
		clone.Put(en.own)
		en.foreign.incoming = &clone
	}
	en.disown()
}

// Confirmed is closed when the store awaits its peers no more: what it does and says then is under its own ID. Who calls Merge,
// Dump, Forget, Backup, Seen or Written before is made to wait.
func (e *Engine) Confirmed() <-chan struct{} { return e.confirmed }

// awaitPeers waits until the peers have confirmed this store.
func (e *Engine) awaitPeers() error {
	select {
	case <-e.confirmed:
		return nil
	case <-e.stop:
		return ErrClosed
	}
}

// readHistory prepares the state of a store that is opened: its lives, and what it was in the middle of.
func (e *Engine) readHistory() error {
	if err := e.beginLife(e.vector.Entry(e.id).Stamp); err != nil {
		return err
	}
	e.former = e.history.former
	e.proclaim()
	if err := e.readLog(); err != nil {
		return err
	}
	if err := e.readTransfer(); err != nil {
		return err
	}
	peers, err := e.settings(PeerSetting)
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	pullers, err := e.settings(PullerSetting)
	if err != nil {
		return fmt.Errorf("pullers: %w", err)
	}
	e.awaiting = e.options.AwaitPeers || len(peers)+len(pullers) > 0
	if e.options.life != 0 {
		e.awaiting = false
		e.history.resume()
	}
	if e.awaiting {
		e.flags |= metaLogging
	} else {
		close(e.confirmed)
	}
	if e.created && e.options.AwaitPeers {
		e.flags |= metaJoining
	}
	return nil
}
