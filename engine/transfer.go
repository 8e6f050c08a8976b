package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// A state transfer brings what the logs of the peers do not have any more: pages of a Snapshot of theirs, each merged and
// synced with the place where the next one begins. Its rules:
//
//   - A contribution of a page is let in if it is beyond the version vector as it is then.
//   - One that is stored here, and that the snapshot lacks though its vector V covers it, was closed.
//   - While it is not finished no batch is applied of a replica whose entry is below V: it could bring to life for good what
//     an empty page has left out, because the vector is about to pass the batch that ends it.
//   - At the end the vector becomes the pointwise maximum, but for the entry of this replica.
//   - A transfer may take the place of one that is not finished, whose source perhaps is gone. All that came of that is true, and
//     stays; batches that bring it once more change nothing. But it may be here alone. So of each key of which more is here than
//     the new snapshot has and the vector covers, this replica publishes what is here, as what it took in by Merge.

// Transfer is a state transfer that is not finished.
type Transfer struct {
	Source   tlv.ReplicaID
	Snapshot string // its name at the source
	Cursor   []byte // where the next page begins
	Vector   tlv.Vector
	Keys     int64 // in all, about
	Done     int64 // keys merged
	Bytes    int64 // of pages
	Complete bool  // all pages are merged; it is to be finished
}

// ErrNoTransfer: there is no transfer under way.
var ErrNoTransfer = errors.New("no state transfer is under way")

// Transfer is the one that is not finished, if there is one. It outlives restarts.
func (e *Engine) Transfer() (Transfer, bool) {
	c := e.committer.lock()
	defer c.unlock()
	t := c.transfer.Transfer
	t.Cursor = slices.Clone(t.Cursor)
	return t, c.transfer.Running
}

// holds says whether batches of a replica, of which all up to have is here, are held back.
func (c *committer) holds(id tlv.ReplicaID, have tlv.Stamp) bool {
	return have < c.transfer.Vector.Entry(id).Stamp && mutation != noHold
}

// BeginTransfer begins a transfer: Source, Snapshot, Vector and Keys are filled. It takes the place of one that is not finished.
// ErrFork: the snapshot has another history of a replica than this store.
func (e *Engine) BeginTransfer(t Transfer) error {
	c := e.committer.lock()
	defer c.unlock()
	if err := c.mayCommit(); err != nil {
		return err
	}
	if c.awaiting {
		return ErrHeld
	}
	was := &c.transfer
	t.Vector = without(t.Vector, e.history.Parted()) // of those what is here stays
	for _, v := range t.Vector {
		if v.Stamp > lastStamp {
			return fmt.Errorf("replica %x: %w", v.Replica, ErrClock)
		}
		if !e.True(v) {
			return fmt.Errorf("replica %x: %w", uint64(v.Replica), ErrFork)
		}
	}
	if v, forked := t.Vector.Conflict(was.Vector); forked {
		return fmt.Errorf("replica %x: %w", uint64(v.Replica), ErrFork)
	}
	for _, v := range t.Vector {
		e.clock.hear(v.Stamp, e.Now())
	}
	t.Cursor, t.Done, t.Bytes, t.Complete = nil, 0, 0, false
	others := slices.ContainsFunc(c.vector, func(v tlv.VectorEntry) bool { return v.Replica != e.self.id })
	next := transfer{Transfer: t, Running: true, Succeeds: was.Running, Marks: others || was.Running}
	k := c.begin(0)
	k.end(t.Vector) // pages bring tails, and the source may be lost before the last one
	if was.Running {
		k.end(c.vector) // of which it may have brought tails
	}
	k.setTransfer(next)
	k.deleteAll(store.MetPrefix)
	k.saveHistory()
	return k.sync()
}

// setTransfer makes next the transfer that is under way.
func (t *commit) setTransfer(next transfer) {
	t.put([]byte{store.TransferPrefix}, next.encode())
	t.onCommit(func() { t.c.transfer = next })
}

// readTransfer finds what an earlier life has left unfinished.
func (c *committer) readTransfer() error {
	v, closer, err := c.e.db.Get([]byte{store.TransferPrefix})
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if err := errors.Join(c.transfer.decode(v), closer.Close()); err != nil {
		return fmt.Errorf("state transfer: %w", err)
	}
	return nil
}

// MergePage merges a page of the snapshot, synced; next is where the page after it begins, empty if there is none, and done
// how many keys there are up to there. It shows after at most the update period. An error of tlv says that the page is malformed; nothing of it is merged then.
func (e *Engine) MergePage(page, next []byte, done int64) error {
	deltas, err := tlv.ParseDeltas(page)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	c := e.committer.lock()
	defer c.unlock()
	if err := c.transferring(); err != nil {
		return err
	}
	if parted := e.history.Parted(); len(parted) > 0 {
		for i := range deltas { // of those what is here stays (BeginTransfer)
			dropContributions(&deltas[i].State, parted)
		}
	}
	t := c.transfer
	t.Cursor = slices.Clone(next)
	t.Done, t.Complete = done, len(next) == 0
	t.Bytes += int64(len(page))
	k, err := c.mergePage(deltas)
	if err != nil {
		return err
	}
	k.setTransfer(t)
	for i := 0; t.Marks && i < len(k.arrivals); i++ {
		k.put(store.MetKey(nil, k.arrivals[i].place, k.arrivals[i].key), nil)
	}
	return k.showSynced()
}

// mergePage is merge with mergePaged, and publishes what may be here alone.
func (c *committer) mergePage(deltas []tlv.Delta) (*commit, error) {
	if !c.transfer.Succeeds {
		return c.merge(deltas, c.mergePaged)
	}
	b, err := c.ownBatch()
	if err != nil {
		return nil, err
	}
	without := append(c.e.history.Parted(), c.e.self.id)
	t, err := c.merge(deltas, func(a *merging) {
		c.mergePaged(a)
		if c.mayBeAlone(a) {
			s := a.state.Clone()
			dropContributions(&s, without)
			b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte(a.key), State: s})
		}
	})
	if err != nil {
		return nil, err
	}
	t.publish(&b)
	return t, nil
}

// mayBeAlone says whether a state that mergePaged has made has what neither the snapshot has nor the batches that are here have brought.
func (c *committer) mayBeAlone(a *merging) bool {
	v, theirs := c.transfer.Vector, a.delta
	return anyOf(a.state.Contributions, func(p *tlv.Contribution) bool {
		return !c.isOld(p) && p.Rev > v.Entry(p.Replica).Stamp
	}) || slices.ContainsFunc(a.state.Resets, func(r tlv.Reset) bool {
		t := theirs.Reset(r.Replica)
		return t == nil || t.Rev < r.Rev
	})
}

func (c *committer) transferring() error {
	if err := c.mayCommit(); err != nil {
		return err
	}
	if !c.transfer.Running {
		return ErrNoTransfer
	}
	return nil
}

// mergePaged merges what a snapshot has of a key, by the rules above; an empty delta: nothing.
func (c *committer) mergePaged(a *merging) {
	v := c.transfer.Vector
	mine, theirs := &a.all, a.delta
	add := tlv.State{Origins: theirs.Origins}
	for _, p := range theirs.Contributions {
		if !c.isOld(&p) {
			add.Put(p)
		}
	}
	for _, p := range mine.Contributions {
		upTo := v.Entry(p.Replica).Stamp
		their := theirs.Contribution(p.Replica) // an older one is what is left of an earlier life, closed
		if p.Replica != c.e.self.id && (!p.Closed || mine.Forgotten(&p)) && p.Rev <= upTo && (their == nil || their.Rev < p.Rev) {
			add.Put(tlv.Contribution{Replica: p.Replica, Birth: upTo, Rev: upTo, Closed: true, Expiry: p.Expiry.Or(tlv.Expiry{})})
		}
	}
	for _, r := range theirs.Resets { // one of something that is closed here already is stale
		if mine.Contribution(r.Replica) != nil || add.Contribution(r.Replica) != nil || !c.covers(r.Replica, r.Rev) {
			add.PutReset(r)
		}
	}
	mine.Merge(&add)
	a.keep(c.covers)
}

// FinishTransfer ends the transfer after its last page: what the snapshot lacked is closed, then the vector grows, synced.
func (e *Engine) FinishTransfer() error {
	if err := e.closeUnmet(); err != nil {
		return err
	}
	c := e.committer.lock()
	defer c.unlock()
	if err := c.transferring(); err != nil {
		return err
	}
	t := c.transfer
	k := c.begin(0)
	k.deleteAll(store.MetPrefix)
	k.end(t.Vector)
	for _, v := range t.Vector {
		if v.Replica != e.self.id && v.Stamp > c.vector.Entry(v.Replica).Stamp {
			k.advance(v)
			k.dropLog(v.Replica) // there is nothing to relay from before this point
		}
	}
	k.saveHistory()
	k.delete([]byte{store.TransferPrefix})
	c.flags |= metaUnscrubbed
	if err := k.sync(); err != nil {
		return err
	}
	c.transfer = transfer{}
	c.proclaim()
	e.sweeps.unscrubbed.give()
	return nil
}

// closeUnmet merges the empty state of every key that the snapshot did not have.
func (e *Engine) closeUnmet() error {
	t, ok := e.Transfer()
	c := e.committer.lock()
	marks, succeeds := c.transfer.Marks, c.transfer.Succeeds
	c.unlock()
	if !ok {
		return ErrNoTransfer
	}
	if !marks {
		return nil
	}
	concerns := func(s *tlv.State) bool {
		return succeeds || slices.ContainsFunc(s.Contributions, func(p tlv.Contribution) bool {
			return p.Rev <= t.Vector.Entry(p.Replica).Stamp
		})
	}
	return e.eachStored(concerns, true, func(deltas []tlv.Delta) error {
		c := e.committer.lock()
		defer c.unlock()
		if err := c.transferring(); err != nil {
			return err
		}
		t, err := c.mergePage(deltas)
		if err != nil {
			return err
		}
		return t.showSynced()
	})
}

// rework merges deltas that no peer has to hear of.
func (c *committer) rework(deltas []tlv.Delta, mergeKey func(*merging)) error {
	t, err := c.merge(deltas, mergeKey)
	if err != nil {
		return err
	}
	return t.showSynced()
}

const (
	reworkPage = 1 << 10 // keys that are changed at once
	lookPage   = 1 << 16 // keys that are looked at in between
)

// eachStored calls f with pages of the keys whose stored states are of concern, without those states; unmet: only keys that
// the transfer has not met. No lock is held: f looks again at what it changes.
func (e *Engine) eachStored(concerns func(*tlv.State) bool, unmet bool, f func([]tlv.Delta) error) error {
	from := []byte{store.StatePrefix}
	for from != nil {
		list, next, err := e.storedPage(from, concerns, unmet)
		if err == nil && len(list) > 0 {
			err = f(list)
		}
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// storedPage is a page of them, and where the next begins; nil: nowhere.
func (e *Engine) storedPage(from []byte, concerns func(*tlv.State) bool, unmet bool) (list []tlv.Delta, next []byte, err error) {
	if err := e.enterScan(); err != nil {
		return nil, nil, err
	}
	defer e.scans.RUnlock()
	met := store.Finder{From: e.db}
	defer func() { err = errors.Join(err, met.Close()) }()
	var state tlv.State
	var mark []byte
	looked := 0
	for k, v := range store.Scan(e.db, from, []byte{store.StatePrefix + 1}, &err) {
		if looked++; len(list) == reworkPage || looked > lookPage {
			next = slices.Clone(k)
			break
		}
		if err = tlv.ParseStateInto(&state, v); err != nil {
			break
		}
		if len(v) > 0 && !concerns(&state) {
			continue
		}
		if unmet {
			mark = append(append(mark[:0], store.MetPrefix), k[1:]...)
			var is bool
			if _, is, err = met.Find(mark); err != nil {
				break
			} else if is {
				continue
			}
		}
		if key, ok := store.KeyOf(k); ok { // otherwise Check reports it
			list = append(list, tlv.Delta{Key: key})
		}
	}
	return list, next, err
}

// Scrub deletes what dead keys have left behind and nobody will touch again: what a state transfer closed before the
// version vector covered it, and the empty values of merges.
func (e *Engine) Scrub() error {
	concerns := func(s *tlv.State) bool {
		return slices.ContainsFunc(s.Contributions, func(p tlv.Contribution) bool { return p.Closed }) ||
			slices.ContainsFunc(s.Resets, func(r tlv.Reset) bool { return s.Contribution(r.Replica) == nil })
	}
	return e.eachStored(concerns, false, func(deltas []tlv.Delta) error {
		c := e.committer.lock()
		defer c.unlock()
		if err := c.mayCommit(); err != nil {
			return err
		}
		return c.rework(deltas, func(a *merging) {
			a.keep(c.covers)
		})
	})
}

// scrubber scrubs after every state transfer, and at the start if an earlier life did not get to it.
func (e *Engine) scrubber() {
	defer e.running.done.Done()
	for {
		select {
		case <-e.running.stop:
			return
		case <-e.sweeps.unscrubbed:
		}
		begin := time.Now()
		err := e.Scrub()
		if err == nil {
			err = e.noteScrubbed()
		}
		switch {
		case errors.Is(err, ErrClosed):
			return
		case err != nil:
			e.log.Error("scrub", "err", err)
		default:
			e.log.Debug("scrubbed", "took", time.Since(begin))
		}
	}
}

func (e *Engine) noteScrubbed() error {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	c.flags &^= metaUnscrubbed
	return c.begin(0).sync()
}
