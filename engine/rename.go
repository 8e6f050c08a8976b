package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// A store that lost what it had published must not go on under its old ID: its next contribution would take the place of
// the greater one that its peers hold (design, section 4: forks). So a store with peers that was just opened publishes
// nothing, which is to say it does not flush, before they have confirmed its entry (Confirm) or shown that it has forked
// (Rename). It serves and journals meanwhile.

// Confirm ends the wait: the peers' entries are true, or none can be reached.
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
	return e.flush(func(*pebble.Batch) error { return nil })
}

// Rename gives the store a new replica ID, because it has forked under the present one; it ends the wait for peers too. What
// the old ID added becomes that of another replica, which the peers complete. If nothing was published since the start
// nothing is lost. Otherwise the peers have another history of the old ID than this store, and its increments in that are
// lost to it: NeedsState says that a state transfer has to bring what the peers have instead.
func (e *Engine) Rename() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	late := !e.awaiting
	if e.awaiting {
		e.awaiting = false
		close(e.confirmed)
	}
	old, id := e.id, randomID(e.options.random)
	return e.flush(func(batch *pebble.Batch) error { return e.rename(batch, old, id, late) })
}

// rename changes the ID inside the cut of a flush, which then publishes what is pending under the new one. All guards are
// held.
func (e *Engine) rename(batch *pebble.Batch, old, id tlv.ReplicaID, late bool) error {
	e.id = id
	e.former = append(e.former, old)
	e.history.rename(id, e.options.random)
	for i := range e.table.shards {
		s := &e.table.shards[i]
		s.mu.Lock()
		list := slices.Clone(s.ring)
		s.mu.Unlock()
		for _, en := range list {
			en.mu.Lock()
			en.rename(old)
			e.show(en)
			en.mu.Unlock()
		}
	}
	if !late {
		return nil
	}
	e.vector.Remove(old)
	e.transfer.Replace = append(slices.Clone(e.transfer.Replace), old)
	return errors.Join(e.transfer.write(batch), e.dropLog(batch, old))
}

// rename makes this replica's contribution that of another replica, old. What is pending counts from nothing; what it took
// away of its own is now a reset.
func (en *entry) rename(old tlv.ReplicaID) {
	if en.own.Replica == 0 {
		return
	}
	if en.pend != nil && en.gen != 0 {
		en.settle()
		if en.pend.reborn && en.ownOpen() {
			joinReset(&en.pend.resets, tlv.Reset{Replica: old, Rev: en.own.Rev, Base: en.own.Total})
		}
		if !en.pend.add && en.pend.expiry.Stamp == 0 {
			en.pend.touch, en.pend.reborn = false, false
		}
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
	e.awaiting = e.options.AwaitPeers || len(peers) > 0
	if e.awaiting {
		e.flags |= metaLogging
	} else {
		close(e.confirmed)
	}
	return nil
}
