package engine

import (
	"errors"
	"fmt"

	"atomiccounter/tlv"
)

// A store that lost what it had published must not go on under its old ID: its next contribution would take the place of
// the greater one that its peers hold. So a store that others know and that was just opened publishes
// nothing, which is to say it does not flush, before all of them have confirmed its entry (Confirm), or one has shown that it has
// forked (Rename), or they have not been heard in time (Renew). It serves and journals meanwhile.

// Created says that this start has made the store: nobody can know its ID.
func (e *Engine) Created() bool { return e.startup.created }

// Joining says that a start with Options.AwaitPeers has made the store, this one or an earlier one, and that it has not had all of a
// peer's state since.
func (e *Engine) Joining() bool {
	c := e.committer.lock()
	defer c.unlock()
	return c.flags&metaJoining != 0
}

// Joined notes, durably, that it has.
func (e *Engine) Joined() error {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	c.flags &^= metaJoining
	return c.begin(0).sync()
}

// Confirm ends the wait: the entries of all who know this store are true. If a start before this one ended before it could publish anything,
// the store gets a new ID all the same: nobody could tell of a copy whether what it has of that start is of the original or its own.
func (e *Engine) Confirm() error {
	c := e.committer.lock()
	defer c.unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	if !c.awaiting {
		return nil
	}
	if e.history.Interrupted {
		return c.giveUp(c.vector.Entry(e.self.id))
	}
	c.awaiting = false
	close(e.running.confirmed)
	return c.flushMark()
}

// Rename gives the store a new replica ID, because it has forked under the present one: a peer has entry, which is not of
// this store's history. It ends the wait for peers too. What the old ID added becomes that of another replica, which the
// peers complete. What the journal had when the store was copied or rolled back, its original has published: that comes
// from the peers, and is dropped here, or it would count twice; what was done since goes on under the new ID.
//
// If this store has published anything that its original has not, its history of the old ID is then one of two that replicas
// have, and stays so. Replicas of the one refuse what those of the other have of that ID.
func (e *Engine) Rename(entry tlv.VectorEntry) error {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	return c.giveUp(entry)
}

// Renew gives the store a new replica ID, because not all who know the present one have confirmed what they have of it. Nothing is
// dropped: what the journal had before this start is published as the tail of the old ID.
func (e *Engine) Renew() error {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	if !c.awaiting {
		return nil
	}
	return c.giveUp(c.vector.Entry(e.self.id))
}

// giveUp goes on under a new ID. Others have entry of the present one.
func (c *committer) giveUp(entry tlv.VectorEntry) error {
	awaited := c.awaiting
	if awaited {
		c.awaiting = false
		defer close(c.e.running.confirmed) // who waits sees the new ID
	}
	id := randomID(c.e.options.random)
	return c.flushAs(func() error {
		if awaited {
			return c.republish(entry, id)
		}
		c.e.history.GiveUp(entry, c.vector.Entry(c.e.self.id).Stamp, nil)
		c.rename(id)
		return nil
	})
}

// rename changes the ID at a moment when all guards are held.
func (c *committer) rename(id tlv.ReplicaID) {
	for _, en := range c.e.table.all() {
		c.e.lockState(en)
		en.fold()
		en.state().Rename(c.e.self.id)
		c.e.show(en)
		c.e.unlockState(en)
	}
	c.ended = tlv.VectorEntry{}
	c.become(id)
}

// become makes id that of the store.
func (c *committer) become(id tlv.ReplicaID) {
	c.e.self.id = id
	c.e.cuts.last.Store(0) // of the old ID
	c.e.history.Rename(id, uint64(randomID(c.e.options.random)))
	c.e.self.former = c.e.Former()
	c.e.reportAll()
}

// DropTails cancels the tails of IDs, here and everywhere, of which it has turned out that batches have them too.
func (e *Engine) DropTails() error {
	for _, id := range e.history.ToVoid() {
		if err := e.cancelAll(id); err != nil {
			return err
		}
		e.history.Voided(id)
	}
	return nil
}

// cancelAll cancels all that is stored of a replica, and publishes that.
func (e *Engine) cancelAll(id tlv.ReplicaID) error {
	concerns := func(s *tlv.State) bool {
		p := s.Contribution(id)
		return p != nil && s.Open(p)
	}
	return e.eachStored(concerns, false, func(deltas []tlv.Delta) error {
		c := e.committer.lock()
		defer c.unlock()
		if err := c.mayCommit(); err != nil {
			return err
		}
		b, err := c.ownBatch()
		if err != nil {
			return err
		}
		mergeKey := func(a *merging) {
			if p := a.all.Contribution(id); p != nil && a.all.Open(p) {
				d := tlv.State{Resets: []tlv.Reset{{Replica: id, Rev: p.Rev, Base: p.Total}}}
				a.all.Merge(&d)
				b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte(a.key), State: d})
			}
			a.keep(c.covers)
		}
		t, err := c.merge(deltas, mergeKey)
		if err != nil {
			return err
		}
		t.publish(&b)
		return t.showSynced()
	})
}

// Confirmed is closed when the store awaits its peers no more: what it does and says then is under its own ID. Who calls Merge,
// Dump, Forget, Backup, Seen or Written before is made to wait.
func (e *Engine) Confirmed() <-chan struct{} { return e.running.confirmed }

// awaitPeers waits until the peers have confirmed this store.
func (e *Engine) awaitPeers() error {
	select {
	case <-e.running.confirmed:
		return nil
	case <-e.running.stop:
		return ErrClosed
	}
}

// readHistory prepares the state of a store that is opened: its lives, and what it was in the middle of.
func (c *committer) readHistory() error {
	if err := c.e.beginLife(c.vector.Entry(c.e.self.id).Stamp); err != nil {
		return err
	}
	c.e.self.former = c.e.Former()
	c.proclaim()
	if err := errors.Join(c.readCluster(), c.e.readLog()); err != nil {
		return err
	}
	if err := c.readTransfer(); err != nil {
		return err
	}
	peers, err := c.e.settings(PeerSetting)
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	pullers, err := c.e.settings(PullerSetting)
	if err != nil {
		return fmt.Errorf("pullers: %w", err)
	}
	c.awaiting = c.e.options.AwaitPeers || len(peers)+len(pullers) > 0
	if d := c.e.options.Disk; d != nil && d.Resumes() {
		c.awaiting = false
		c.e.history.Resume()
	}
	if c.awaiting {
		c.flags |= metaLogging
	} else {
		close(c.e.running.confirmed)
	}
	if c.e.startup.created && c.e.options.AwaitPeers {
		c.flags |= metaJoining
	}
	return nil
}
