package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"atomiccounter/tlv"
)

// Errors of Merge.
var (
	// ErrMember refuses a contribution of a replica of this cluster that its batches have not brought yet.
	ErrMember = errors.New("contribution of a replica of this cluster that is beyond its batches")
	// ErrForeign: a key would have more of foreign contributions than it may.
	ErrForeign = fmt.Errorf("a key keeps at most %d foreign contributions, cancelled ones included, with %d MiB of texts", maxForeign, maxForeignTexts>>20)
)

const (
	maxForeign      = 1000    // of a key; CFORGET makes room
	maxForeignTexts = 4 << 20 // bytes of a key
)

// Merge joins states made elsewhere: another cluster's, or those of a device that keeps a counter of its own. It is durable
// when it returns, all of it or after an error nothing, and goes to the peers in a batch of this replica. It is idempotent
// and commutative. Keys are database and name, each once; the states are as tlv.State.Abroad makes them. What is of this cluster is
// ignored where its batches are here, and otherwise refused (ErrMember), as are stamps that lie more than an hour ahead (ErrClock) and
// what is too much (ErrForeign).
func (e *Engine) Merge(list []tlv.Delta) error {
	if err := e.awaitPeers(); err != nil {
		return err
	}
	c := e.committer.lock()
	defer c.unlock()
	if err := c.mayCommit(); err != nil {
		return err
	}
	b, err := c.ownBatch()
	if err != nil {
		return err
	}
	all := tlv.Batch{Replica: b.Replica, Stamp: b.Stamp, Deltas: list}
	if err := all.Validate(); err != nil {
		return err
	}
	mergeKey := func(a *merging) {
		s := c.moved(a)
		a.all.Merge(&s)
		news, err := c.foreignOnly(a)
		if err == nil {
			err = mergeForeign(&a.all, &news)
		}
		if err != nil {
			a.refused = fmt.Errorf("key %q: %w", a.key[1:], err)
			return
		}
		if s.Merge(&news); !s.Empty() {
			b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte(a.key), State: s})
		}
		a.keep(c.covers)
	}
	t, err := c.merge(list, mergeKey)
	if err != nil {
		return err
	}
	t.publish(&b)
	if err := t.showSynced(); err != nil {
		return err
	}
	e.takeInAll(b.Deltas) // it is a write of this replica: it shows at once
	return nil
}

// foreignOnly is what a.delta has that is not of this cluster, and news: of a plain counter the replica that cancelled a part of it dumps what is
// left under the revision of the whole. The error says why nothing of it may be merged.
func (c *committer) foreignOnly(a *merging) (s tlv.State, err error) {
	for i := range a.delta.Origins {
		o := &a.delta.Origins[i]
		p, r := a.delta.Contribution(o.ID), a.delta.Reset(o.ID)
		upTo, known := c.elsewhere(&a.all, o)
		switch {
		case known && p != nil && beyond(o, p, upTo):
			return s, fmt.Errorf("replica %016x: %w", uint64(o.Replica), ErrMember)
		case known:
			continue
		case c.e.isAhead(o, p, r):
			return s, fmt.Errorf("replica %016x: %w", uint64(o.Replica), ErrClock)
		}
		if mine := a.all.Contribution(o.ID); p != nil && (mine == nil || mine.Rev < p.Rev) {
			s.Contributions = append(s.Contributions, *p)
		}
		if r != nil && a.all.Cut(o.ID) < r.Rev {
			s.Resets = append(s.Resets, *r)
		}
		if s.Contribution(o.ID) != nil || s.Reset(o.ID) != nil {
			s.Origins = append(s.Origins, *o)
		}
	}
	return s, nil
}

// moved is what makes of what a store of format 3 has of the replicas of a.delta, under their own IDs, what they have here now: that goes on
// under the IDs of foreign ones, cancelled as far as it was, and is cancelled where it was.
func (c *committer) moved(a *merging) (s tlv.State) {
	for i := range a.delta.Origins {
		o := &a.delta.Origins[i]
		p, r := a.all.Contribution(o.Replica), a.all.Reset(o.Replica)
		if _, known := c.elsewhere(&a.all, o); known || p == nil && r == nil {
			continue
		}
		var m tlv.State
		if r != nil && a.all.Origin(o.ID) == nil {
			m.PutReset(tlv.Reset{Replica: o.ID, Rev: r.Rev, Base: r.Base})
		}
		if p != nil && a.all.Open(p) {
			m.Put(*p)
			m.Contributions[0].Replica = o.ID
			m.PutReset(tlv.Reset{Replica: o.Replica, Rev: p.Rev, Base: p.Total})
		}
		if !m.Empty() {
			m.Origins = []tlv.Origin{*o}
			s.Merge(&m)
		}
	}
	return s
}

// elsewhere says whether what a replica contributes comes by another way than this, and up to which rev it is here: by batches and pages, that
// of a replica of this cluster; and by native states, that of a foreign one whose own are among all, though a plain counter names it too.
func (c *committer) elsewhere(all *tlv.State, o *tlv.Origin) (upTo tlv.Stamp, known bool) {
	if c.member(o.Replica) || c.e.Cluster().Has(o.Cluster) {
		return max(c.vector.Entry(o.Replica).Stamp, stored(all, o.Replica)), true
	}
	native := tlv.ForeignID(o.Replica, false)
	if o.Cluster != tlv.PlainCluster || all.Origin(native) == nil {
		return 0, false
	}
	return stored(all, native), true
}

// stored is up to which rev all has, or had, what is contributed under an ID.
func stored(all *tlv.State, id tlv.ReplicaID) tlv.Stamp {
	if c := all.Contribution(id); c != nil {
		return max(c.Rev, all.Cut(id))
	}
	return all.Cut(id)
}

// beyond says whether c has more than what is here up to a rev. The revision of a plain Z is the rev that it had where it was dumped; the
// total of a plain N does not tell: it is less after a DEL.
func beyond(o *tlv.Origin, c *tlv.Contribution, upTo tlv.Stamp) bool {
	switch {
	case o.Cluster != tlv.PlainCluster:
		return c.Rev > upTo
	case c.Kind == tlv.Natural:
		return false
	}
	return c.Rev-1 > upTo
}

// isAhead says whether a foreign part could win over what is written here later, for longer than an hour. The revs of a plain counter are a
// count of their own, which is compared with nothing else.
func (e *Engine) isAhead(o *tlv.Origin, c *tlv.Contribution, r *tlv.Reset) bool {
	latest := tlv.Stamp(0)
	if c != nil {
		latest = c.Rev
	}
	if r != nil {
		latest = max(latest, r.Rev)
	}
	if o.Cluster == tlv.PlainCluster && (c == nil || c.Birth <= 1 && !c.HasValue && c.Expiry.Stamp == 0) {
		return false
	}
	return latest.Millis() > e.Now()+maxAhead
}

// mergeForeign merges s, all of which is foreign, unless that were too much.
func mergeForeign(all, s *tlv.State) error {
	before, textsBefore := all.Foreign()
	all.Merge(s)
	after, texts := all.Foreign()
	if after > max(before, maxForeign) || texts > max(textsBefore, maxForeignTexts) {
		return ErrForeign
	}
	return nil
}

// member says whether an ID is of this cluster: of a replica, or of a tail, also one that a transfer is bringing.
func (c *committer) member(id tlv.ReplicaID) bool {
	has := func(entry tlv.VectorEntry) bool { return entry.Stamp != 0 || entry.End != 0 }
	return id == c.e.self.id || has(c.vector.Entry(id)) || has(c.transfer.Vector.Entry(id))
}

// takeInAll makes what has arrived of the keys show, update period or not.
func (e *Engine) takeInAll(list []tlv.Delta) {
	guard := e.cuts.guard()
	guard.RLock()
	defer guard.RUnlock()
	for i := range list {
		key := list[i].Key
		if en := e.table.find(e.name(key[0], key[1:])); en != nil {
			e.lockState(en)
			e.mergeAndClose(en)
			e.unlockState(en)
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
	p.wrote = p.e.cuts.gen.Load() - 1 // and so in the database
	return err
}

// Dump gives the state of a key with everything that shows, as another cluster may merge it (tlv.AppendDump); false if there is no such
// key.
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
	en, err := p.exclusive(key, everything)
	if err != nil {
		return tlv.State{}, false, err
	}
	switch p.typeOf(en) {
	case TypeNone:
		return tlv.State{}, false, nil
	case TypeHash:
		return tlv.State{}, false, ErrWrongType
	}
	if en.clean(p.e.cuts.flushed.Load()) {
		return en.state().Stored(), true, nil
	}
	if p.section.open {
		return tlv.State{}, false, ErrInSection
	}
	name := en.key()
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
	c := e.committer.lock() // until the state is read: an entry already has what the next flush is about to store
	defer c.unlock()
	if e.health.closed.Load() {
		return tlv.State{}, ErrClosed
	}
	if err := c.flush(); err != nil {
		return tlv.State{}, err
	}
	at := e.self.place([]byte(key))
	if en := e.table.get(at.Hash, key); en != nil {
		en.mu.RLock()
		defer en.mu.RUnlock()
		if !en.is(gone) {
			k := en.copied(e.self.id)
			return k.Stored(), nil
		}
	}
	return e.readState(at, key)
}

// Forget drops the values and texts that are cancelled of a replica that will not come back to do so itself, and says of how many
// keys. Up to where it is cancelled stays, beside a contribution that is closed in its name: a later batch of it may still come
// through a third, and without that would count in full here, and nowhere else. Of a foreign replica, which has no batches, nothing stays.
func (e *Engine) Forget(id tlv.ReplicaID) (keys int64, err error) {
	if err := e.awaitPeers(); err != nil {
		return 0, err
	}
	if id == e.ReplicaID() {
		return 0, ErrForgetsItself
	}
	concerns := func(s *tlv.State) bool {
		p := s.Contribution(id)
		return p != nil && !p.Closed && !s.Open(p) || slices.ContainsFunc(s.Origins, func(o tlv.Origin) bool { return o.Replica == id })
	}
	err = e.eachStored(concerns, false, func(deltas []tlv.Delta) error {
		c := e.committer.lock()
		defer c.unlock()
		if err := c.mayCommit(); err != nil {
			return err
		}
		return c.rework(deltas, func(a *merging) {
			if forget(&a.all, id) {
				keys++
				a.whole = true
			}
			a.keep(c.covers)
		})
	})
	return keys, err
}

func forget(s *tlv.State, id tlv.ReplicaID) bool {
	own, foreign := s.Forget(id), s.ForgetForeign(id)
	return own || foreign
}

// ErrForgetsItself refuses Forget of this replica.
var ErrForgetsItself = errors.New("this replica cleans up after itself")
