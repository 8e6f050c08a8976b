package engine

import (
	"fmt"
	"slices"

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

// Confirm ends the wait: the entries of all who know this store are true.
func (e *Engine) Confirm() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.closed.Load() {
		return ErrClosed
	}
	if !e.awaiting {
		return nil
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
// If this store has published anything that its original has not, it is too late for that: its history of the old ID is
// then one of two that replicas have, and stays so. Replicas of the one refuse what those of the other have of that ID.
func (e *Engine) Rename(entry tlv.VectorEntry) error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	late := !e.awaiting || e.history.diverged(entry, e.vector.Entry(e.id).Stamp)
	if e.awaiting {
		e.awaiting = false
		defer close(e.confirmed) // who waits sees the new ID
	}
	id := randomID(e.options.random)
	if late {
		return e.flush(flushStep{always: true, before: func() error {
			e.history.giveUp(entry, e.vector.Entry(e.id).Stamp)
			e.rename(id, nil)
			return nil
		}})
	}
	return e.flush(flushStep{always: true, before: func() error { return e.disown(entry, id) }})
}

// Renew gives the store a new replica ID, because not all who know the present one have confirmed what they have of it. Nothing is
// dropped.
func (e *Engine) Renew() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	if !e.awaiting {
		return nil
	}
	e.awaiting = false
	defer close(e.confirmed)
	return e.flush(flushStep{always: true, before: func() error {
		own := e.vector.Entry(e.id)
		e.history.giveUp(own, own.Stamp)
		e.rename(randomID(e.options.random), nil)
		return nil
	}})
}

// diverged says whether more was published here than what this store and the one that published entry have in common.
// published is the last stamp of this store.
func (h *history) diverged(entry tlv.VectorEntry, published tlv.Stamp) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.lives, func(l life) bool { return l.Number == entry.Life })
	if i < 0 || i == len(h.lives)-1 {
		return published >= entry.Stamp
	}
	return published > h.lives[i].End
}

// rename changes the ID at a moment when all guards are held. theirs is what is pending in cached entries though the
// original of this store has published it.
func (e *Engine) rename(id tlv.ReplicaID, theirs map[*entry]disowned) {
	old := e.id
	e.id = id
	e.lastCut.Store(0) // of the old ID
	e.former = append(slices.Clone(e.former), old)
	e.history.rename(id, e.options.random)
	for _, en := range e.table.all() {
		en.mu.Lock()
		if d, ok := theirs[en]; ok {
			if len(d.resets) > 0 {
				e.markDirty(en)
			}
			en.disown(d, old)
		}
		en.rename(old)
		e.show(en)
		en.mu.Unlock()
	}
	e.reportAll()
}

// disowned is what an entry was before what the original has published too.
type disowned struct {
	own    tlv.Contribution
	reset  *tlv.Reset  // of own, by others
	resets []tlv.Reset // that were pending
}

// disown does again all that the journal has since the last flush, but without what the original of this store, which
// published entry, has of it too; then it changes the ID. All guards are held.
//
// The journal says what that is. If the original went on in a life that is known here, it has what was journaled up to the
// end of that life, or up to the cut whose stamp is the entry's; and nothing of it if this store has flushed in a life after that.
// Otherwise it was started anew after the copy was made; it had replayed then what this store's present life found.
func (e *Engine) disown(entry tlv.VectorEntry, id tlv.ReplicaID) error {
	if err := e.journal.Sync(); err != nil {
		return err
	}
	e.table.clear(e.gen.Load())
	for db := range e.count {
		e.keys[db].Store(e.count[db])
		e.expires[db].Store(e.countEx[db])
	}
	d := disowner{e: e, until: entry.Stamp, lives: e.history.after(entry.Life), last: e.vector.Entry(e.id).Stamp,
		p: &Pipeline{e: e, guard: new(guard), update: -1}}
	d.p.begin()
	defer d.p.pause()
	if d.alone(e.history.stored) { // the journal has no more of the original's
		d.turn()
	}
	if _, err := replay(e.segments, e.mark, d.frame); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	e.history.giveUp(entry, e.vector.Entry(e.id).Stamp)
	e.rename(id, d.theirs)
	return nil
}

// after lists the lives in which the original of this store did not publish, if it published in the given one last.
func (h *history) after(number uint64) []life {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.lives, func(l life) bool { return l.Number == number })
	if i < 0 {
		i = len(h.lives) - 2
	}
	return slices.Clone(h.lives[i+1:])
}

type disowner struct {
	e      *Engine
	p      *Pipeline
	until  tlv.Stamp // of the original's last batch
	lives  []life    // of this store alone
	last   tlv.Stamp // before all that is not published here
	ours   bool      // the rest is of this store alone
	theirs map[*entry]disowned
}

func (d *disowner) frame(body []byte) error {
	for len(body) > 0 {
		r, rest, err := parseRecord(body)
		if err != nil {
			return err
		}
		body = rest
		switch {
		case r.typ == 'B':
			if tlv.Stamp(r.number) == d.until {
				d.turn()
			}
			continue
		case r.typ == 'L':
			if d.alone(r.number) {
				d.turn()
			}
			continue
		case !d.ours:
			d.last = max(d.last, r.stamp)
		case r.typ == 'A':
			if err := d.complete(&r); err != nil {
				return err
			}
		}
		if err := d.e.redo(d.p, &r); err != nil {
			return err
		}
	}
	return nil
}

// alone says whether a life is one of this store alone.
func (d *disowner) alone(number uint64) bool {
	return slices.ContainsFunc(d.lives, func(l life) bool { return l.Number == number })
}

// turn is where the part of this store alone begins: what came before counts as stored, for as long as it is there to be
// cancelled.
func (d *disowner) turn() {
	if d.ours {
		return
	}
	d.ours, d.theirs = true, make(map[*entry]disowned)
	d.e.table.cut()
	d.e.table.landed(d.e.gen.Load())
	for _, en := range d.e.table.all() {
		en.mu.Lock()
		if en.gen != 0 {
			was := disowned{own: en.own, resets: en.pend.resets}
			if r := en.resetOwn(d.e.id); r != nil {
				reset := *r
				was.reset = &reset
			}
			d.theirs[en] = was
			p := en.roll(d.e.id, d.last)
			*p = pending{}
			d.e.pendings.Put(p)
			d.e.show(en)
		}
		en.mu.Unlock()
	}
}

// complete makes an increment that followed one of the original's the first of a contribution.
func (d *disowner) complete(r *record) error {
	en, err := d.p.lockKey(r.key)
	if err != nil {
		return err
	}
	defer d.p.release()
	if (en.pend == nil || !en.pend.add) && r.stamp == 0 {
		r.stamp = d.e.clock.next(d.e.Now())
		if en.exists && en.natural {
			r.kind = tlv.Natural
		}
	}
	return nil
}

// disown takes away what the original has published: it is as if that had only been seen.
func (en *entry) disown(d disowned, old tlv.ReplicaID) {
	en.flight, en.flightOwn = 0, false
	if en.foreign != nil {
		en.foreign.resets = nil
	}
	for _, r := range d.resets {
		joinReset(&en.pend.resets, r)
	}
	if en.pend != nil && en.pend.reborn && en.ownOpen() {
		joinReset(&en.pend.resets, tlv.Reset{Replica: old, Rev: en.own.Rev, Base: en.own.Total})
		en.pend.reborn = false
	}
	en.own = d.own
	if d.reset != nil { // a contribution that began later had dropped it
		en.foreign.other.PutReset(*d.reset)
	}
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
		if !en.pend.add && en.pend.expiry.Stamp == 0 {
			en.pend.touch, en.pend.reborn = false, false
		}
	}
	if en.own.Replica == 0 {
		return
	}
	if en.foreign == nil {
		en.foreign = &foreign{}
	}
	en.foreign.other.Put(en.own)
	if en.foreign.incoming != nil {
		in := en.foreign.incoming.Clone()
		in.Put(en.own)
		en.foreign.incoming = &in
	}
	en.own = tlv.Contribution{}
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
