package engine

import (
	"errors"
	"fmt"
	"slices"

	"atomiccounter/tlv"
)

// Errors of Apply.
var (
	// ErrGap: batches of the replica before this one are missing here.
	ErrGap = errors.New("batches before this one are missing")
	// ErrFork: the batch overlaps with one that is here already: its replica has two histories.
	ErrFork = errors.New("the replica has forked")
	// ErrClock: the stamp leaves no room for later ones, or is of a CMERGE and more than an hour ahead.
	ErrClock = errors.New("the clock of the replica is too far ahead")
	// ErrHeld: a state transfer has to be finished first (transfer.go).
	ErrHeld = errors.New("held back until the state transfer is finished")
)

const (
	// maxAhead is how far a peer may move this replica's clock beyond its wall clock, in ms.
	maxAhead = 3600 * 1000

	// lastStamp is the greatest that is taken: an EXPIRE or SET that has seen a stamp draws a later one. After it come 2^60 more.
	lastStamp = tlv.Stamp(1<<64 - 1<<60)
)

// Apply merges a batch of another replica, durably before it returns; it shows after at most the update period. A batch
// that is here already is skipped. ErrGap, ErrFork, ErrClock and ErrHeld refuse it, and an error of tlv what no replica can
// have written; ErrFailed says that its outcome is unknown.
func (e *Engine) Apply(b *tlv.Batch) error {
	_, err := e.ApplyAll([]tlv.Batch{*b})
	return err
}

// MaxApply is how many batches ApplyAll takes: as many may wait to be synced together.
const MaxApply = 64

// ApplyAll is Apply of up to MaxApply batches one after the other, which are synced together. It ends with the first that is
// refused: err says why, and n how many before it are stored.
func (e *Engine) ApplyAll(list []tlv.Batch) (n int, err error) {
	c := e.committer.lock()
	defer c.unlock()
	var shown []*commit
	for n < min(len(list), MaxApply) && err == nil {
		var t *commit
		if t, err = c.apply(&list[n]); err == nil {
			n++
		}
		if t != nil {
			shown = append(shown, t)
		}
	}
	if failed := c.awaitSync(shown...); failed != nil {
		return 0, failed
	}
	return n, err
}

// apply is Apply without the sync. The commit, if there is one, is to be given to awaitSync, whatever the error.
func (c *committer) apply(b *tlv.Batch) (*commit, error) {
	if err := c.e.refusal(); err != nil {
		return nil, err
	}
	if have := c.vector.Entry(b.Replica); b.Stamp < have.Stamp || b.Stamp == have.Stamp && b.Hash == have.Hash {
		return nil, nil
	}
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if err := c.follows(b); err != nil {
		return nil, fmt.Errorf("batch %d of replica %x: %w", b.Stamp, b.Replica, err)
	}
	if err := c.awaitTables(); err != nil {
		return nil, err
	}
	c.e.clock.hear(b.Stamp, c.e.Now())
	t, err := c.merge(b.Deltas, func(a *merging) { c.mergeDelta(a, b) })
	if err != nil {
		return nil, err
	}
	t.record(b, len(b.Deltas), b.Encoded)
	return t, t.show()
}

// follows says whether b may be applied: it is the next of its replica, not of the end of time, and not held back.
func (c *committer) follows(b *tlv.Batch) error {
	have := c.vector.Entry(b.Replica)
	switch {
	case b.Stamp > lastStamp:
		return ErrClock
	case c.awaiting || c.holds(b.Replica, have.Stamp):
		return ErrHeld
	case b.Replica == c.e.self.id || have.Stamp > b.Prev || have.Stamp == b.Prev && have.Hash != b.Chain:
		return ErrFork
	case have.Stamp < b.Prev && mutation != noGapCheck:
		return ErrGap
	}
	return nil
}

// merge begins a commit of what deltas make of their keys: mergeKey is called for each with the state as it is in all. After an error, of
// mergeKey or of a read, nothing has changed.
func (c *committer) merge(deltas []tlv.Delta, mergeKey func(*merging)) (*commit, error) {
	t := c.begin(min(1<<10+len(deltas)*roomPerKey, maxBatchSize))
	t.arrivals = c.room(len(deltas))
	if err := t.arrive(deltas, mergeKey); err != nil {
		t.forgetArrivals()
		return nil, errors.Join(err, t.close())
	}
	if t.bookArrivals(); t.err != nil {
		t.forgetArrivals()
		return nil, errors.Join(c.e.fail(fmt.Errorf("merge: %w", t.err)), t.close())
	}
	return t, nil
}

// mergeDelta merges the delta of a batch. A contribution at or below the version vector that is not stored is known to be old,
// and is never let in again.
func (c *committer) mergeDelta(a *merging, b *tlv.Batch) {
	delta := a.delta
	if anyOf(delta.Contributions, c.isOld) {
		d := a.delta.Clone()
		d.Contributions = slices.DeleteFunc(d.Contributions, func(p tlv.Contribution) bool { return c.isOld(&p) })
		delta = &d
	}
	if mutation == mergeAdds {
		delta = addUp(&a.all, delta)
	}
	a.all.Merge(delta)
	a.keep(func(id tlv.ReplicaID, s tlv.Stamp) bool {
		return id == b.Replica && s <= b.Stamp || c.covers(id, s)
	})
}

// isOld says that a contribution is not to be let in.
func (c *committer) isOld(p *tlv.Contribution) bool {
	return p.Replica == c.e.self.id || c.covers(p.Replica, p.Rev)
}

// mergeAndClose makes what has arrived part of what the entry shows, and closes what is to be closed of it. The caller holds it
// exclusively, and a guard.
func (e *Engine) mergeAndClose(en *entry) {
	if e.mergeIncoming(en) {
		e.closeLeftover(en)
	}
}

// mergeIncoming is mergeAndClose for a batch that is just arriving. What is to be closed closeLeftovers finds when all of it shows: until its fields do, a
// hash looks as if there were none.
func (e *Engine) mergeIncoming(en *entry) bool {
	if en.state().Incoming() == nil || en.is(gone) {
		return false
	}
	en.fold()
	all := en.state().Stored()
	en.state().Foreign.Incoming = nil
	en.state().SetStored(e.self.id, all)
	en.rare.open.refreshed = e.Now()
	e.show(en)
	e.report(en, Arrived)
	return true
}
