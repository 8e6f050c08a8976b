package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// ErrMember refuses a state that has a contribution of a member of this cluster which its batches have not brought yet.
var ErrMember = errors.New("contribution of a member that is beyond its batches")

// Merge joins states made elsewhere: another cluster's, or those of a device that keeps a counter of its own. It is durable
// when it returns, all of it or after an error nothing, and goes to the peers in a batch of this replica. It is idempotent
// and commutative. Keys are database and name, each once. Contributions of members are ignored where their batches are here,
// and otherwise refused (ErrMember), as are stamps that lie more than an hour ahead (ErrClock).
func (e *Engine) Merge(list []tlv.Delta) error {
	if err := e.awaitPeers(); err != nil {
		return err
	}
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.mayCommit(); err != nil {
		return err
	}
	for i := range list {
		if err := e.mayMerge(&list[i].State); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	if err := e.flush(flushStep{}); err != nil { // what is pending has earlier stamps than this batch
		return err
	}
	b := e.nextBatch(e.clock.next(e.Now()))
	b.Deltas = e.foreignOnly(list)
	if len(b.Deltas) == 0 {
		return nil
	}
	if err := b.Validate(); err != nil {
		return err
	}
	b.Seal(func(content []byte) tlv.Hash { return e.chainHash(&b, content) })
	err := e.land(b.Deltas, func(a *joining) { e.join(a, &b) }, func(batch *pebble.Batch, _ []arrival) (func(), error) {
		return e.publish(batch, &b)
	})
	if err == nil {
		e.takeInAll(b.Deltas) // it is a write of this replica: it shows at once
	}
	return err
}

// publish makes b, whose deltas are in batch, the next batch of this replica. What it returns is done after the commit.
func (e *Engine) publish(batch *pebble.Batch, b *tlv.Batch) (landed func(), err error) {
	e.lastCut.Store(uint64(b.Stamp))
	return e.record(batch, b, uint32(len(b.Deltas)), b.Encoded)
}

// takeInAll makes what has arrived of the keys show, update period or not.
func (e *Engine) takeInAll(list []tlv.Delta) {
	guard := e.nextGuard()
	guard.RLock()
	defer guard.RUnlock()
	for i := range list {
		key := list[i].Key
		if en := e.table.find(e.hash(key[1:]), key[0], key[1:]); en != nil {
			en.mu.Lock()
			e.takeIn(en)
			en.mu.Unlock()
		}
	}
}

// Merge is Engine.Merge, for a connection that may ask what it has Written. It lets go of the pipeline's locks first. A hash
// cannot be merged into: ErrWrongType.
func (p *Pipeline) Merge(list []tlv.Delta) error {
	if p.section.open {
		return ErrInSection
	}
	for i := range list {
		if t, err := p.Type(list[i].Key[1:]); err != nil || t == TypeHash {
			return cmp.Or(err, ErrWrongType)
		}
	}
	p.pause()
	err := p.e.Merge(list)
	p.wrote = p.e.gen.Load() - 1 // and so in the database
	return err
}

func (e *Engine) mayMerge(s *tlv.State) error {
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if c.Rev.Millis() > e.Now()+maxAhead && e.vector.Entry(c.Replica).Stamp == 0 && c.Birth > 1 {
			return fmt.Errorf("contribution of replica %x: %w", uint64(c.Replica), ErrClock)
		}
		if e.member(c.Replica) && c.Rev > e.vector.Entry(c.Replica).Stamp {
			return fmt.Errorf("replica %x: %w", uint64(c.Replica), ErrMember)
		}
	}
	return nil
}

func (e *Engine) member(id tlv.ReplicaID) bool {
	return id == e.id || e.vector.Entry(id).Stamp != 0
}

// foreignOnly leaves out what members contributed: it is here.
func (e *Engine) foreignOnly(list []tlv.Delta) []tlv.Delta {
	var out []tlv.Delta
	for i := range list {
		s := list[i].State.Clone()
		s.Contributions = slices.DeleteFunc(s.Contributions, func(c tlv.Contribution) bool { return e.member(c.Replica) })
		s.Resets = slices.DeleteFunc(s.Resets, func(r tlv.Reset) bool {
			return e.member(r.Replica) && r.Rev > e.vector.Entry(r.Replica).Stamp
		})
		if !s.Empty() {
			out = append(out, tlv.Delta{Key: list[i].Key, State: s})
		}
	}
	return out
}

// Dump gives the state of a key with everything that shows, as another cluster may merge it; false if there is no such key.
//
// What it gives is in the database. What is pending has no stamp yet: that of the batch in which the peers get it, under which
// it must be the same everywhere. So if anything is, Dump lets go of the pipeline's locks and flushes, and gives the key as it was
// at the cut. It need not be clean then: what is done to it later is not part of that.
func (p *Pipeline) Dump(key []byte) (tlv.State, bool, error) {
	if !p.section.open {
		p.pause()
		if err := p.e.giveAwayOne(); err != nil {
			return tlv.State{}, false, err
		}
	}
	en, err := p.exclusive(key, true)
	if err != nil {
		return tlv.State{}, false, err
	}
	switch p.typeOf(en) {
	case TypeNone:
		return tlv.State{}, false, nil
	case TypeHash:
		return tlv.State{}, false, ErrWrongType
	}
	if en.gen == 0 && en.flight <= p.e.flushed.Load() {
		return en.full(), true, nil
	}
	if p.section.open {
		return tlv.State{}, false, ErrInSection
	}
	name := en.key
	p.pause()
	if err := p.e.awaitPeers(); err != nil {
		return tlv.State{}, false, err
	}
	s, err := p.e.flushFor(name)
	if v := s.View(); err != nil || !v.Exists || v.Expiry.At != 0 && v.Expiry.At <= p.e.Now() {
		return tlv.State{}, false, err
	}
	return s, true, nil
}

// flushFor flushes, and gives what is stored of a key then.
func (e *Engine) flushFor(key string) (tlv.State, error) {
	e.commitMu.Lock() // until the state is read: an entry already has what the next flush is about to store
	defer e.commitMu.Unlock()
	if e.closed.Load() {
		return tlv.State{}, ErrClosed
	}
	if err := e.flush(flushStep{}); err != nil {
		return tlv.State{}, err
	}
	at := e.place([]byte(key))
	if en := e.table.get(at.hash, key); en != nil {
		en.mu.RLock()
		defer en.mu.RUnlock()
		if !en.gone {
			return en.full(), nil
		}
	}
	return e.readState(at, key)
}

// Forget drops the values and texts that are cancelled of a replica that will not come back to do so itself, and says of how many
// keys. Up to where it is cancelled stays, beside a contribution that is closed in its name: a later batch of it may still come
// through a third, and without that would count in full here, and nowhere else.
func (e *Engine) Forget(id tlv.ReplicaID) (keys int64, err error) {
	if err := e.awaitPeers(); err != nil {
		return 0, err
	}
	if id == e.ReplicaID() {
		return 0, ErrForgetsItself
	}
	concerns := func(s *tlv.State) bool {
		c := s.Contribution(id)
		return c != nil && !c.Closed && !s.Open(c)
	}
	err = e.eachStored(concerns, false, func(deltas []tlv.Delta) error {
		e.commitMu.Lock()
		defer e.commitMu.Unlock()
		if err := e.mayCommit(); err != nil {
			return err
		}
		return e.rework(deltas, func(a *joining) {
			if a.all.Forget(id) {
				keys++
				a.whole = true
			}
			a.keep(e.covers)
		})
	})
	return keys, err
}

// ErrForgetsItself refuses Forget of this replica.
var ErrForgetsItself = errors.New("this replica cleans up after itself")
