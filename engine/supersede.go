package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// A store that was rolled back or copied, and finds out late, has published a second history of its ID (design, section 4:
// forks). Some replicas then have the one and some the other. Of any two histories one counts (tlv.Lineage.Conflict), the
// same for everybody, and whoever meets that and has the other takes it instead, by a state transfer:
//
//   - The vector's entry goes when the transfer begins, so nothing that concerns the replica is collected before its end; no
//     batch of it is applied meanwhile. The log forgets it. Its lineage stays, for the case that the transfer comes to nothing.
//   - Of each key the snapshot's contribution takes the place of the one here. Where the snapshot's history does not count it
//     is the other way round: nothing of the replica is taken from it.
//   - Resets stay, whoever made them, and whichever history they speak of: all replicas will have them. One that was dropped
//     here because of a contribution that goes now comes from the snapshot, or from a batch that the snapshot does not have
//     and the log here does (resetsBeyond), or has yet to come (makeWay).
//     A state of one who has the history that does not count, and so may have dropped such a reset, is not fetched before that
//     one has replaced it (ErrAhead), or has had a minute to do so.
//   - What the batches of the history that goes did to other replicas' contributions stays too, and nobody else may have it:
//     it is published again, as this store's own (beyond).
//
// What the replica added in the history that goes is lost. It is what a store counted under an ID that was not its own any more.

// supersession is what a transfer that begins changes.
type supersession struct {
	next    transfer
	replace []tlv.ReplicaID // that next is the first to replace
	resets  []tlv.Delta     // of these
	restore tlv.Vector      // entries of histories that are not replaced after all
}

// supersede decides which histories t is to bring in place of those here, and which not at all. Nothing is changed yet.
func (e *Engine) supersede(t Transfer) (s supersession, err error) {
	was := &e.transfer
	t.Vector, t.Cursor, t.Done, t.Bytes, t.Complete = slices.Clone(t.Vector), nil, 0, 0, false
	for _, v := range slices.Clone(t.Vector) {
		if v.Replica == e.id || slices.Contains(was.Replace, v.Replica) {
			continue
		}
		mine, met, theirs := e.Lineage(e.vector.Entry(v.Replica)), lineageOf(was.Lineages, v.Replica), lineageOf(t.Lineages, v.Replica)
		switch a, b := mine.Conflict(&theirs), met.Conflict(&theirs); {
		case a > 0 && !t.Waited && !t.MakeDo:
			return s, fmt.Errorf("%w: the history of replica %x that counts", ErrAhead, uint64(v.Replica))
		case a > 0:
			s.next.Skip = append(s.next.Skip, v.Replica)
			t.Vector.Remove(v.Replica)
		case a < 0 || b != 0: // of what an unfinished transfer has brought, parts are here: whoever had it may be gone
			s.replace = append(s.replace, v.Replica)
		}
	}
	if err := s.reconsider(was, &t); err != nil {
		return s, err
	}
	for _, id := range s.replace {
		s.next.Replace = append(s.next.Replace, id)
		s.next.Replaced.Put(e.vector.Entry(id))
	}
	if s.resets, err = e.resetsBeyond(t.Vector, &s, t.MakeDo); err != nil {
		return s, err
	}
	t.Hold = slices.DeleteFunc(slices.Clone(was.Hold), func(h tlv.VectorEntry) bool {
		return slices.Contains(was.Replace, h.Replica) || slices.Contains(s.replace, h.Replica)
	})
	t.Hold.Merge(t.Vector)
	theirs := t.Lineages
	t.Lineages = nil
	for _, h := range t.Hold {
		l := lineageOf(theirs, h.Replica)
		if h != t.Vector.Entry(h.Replica) { // the one before had more of the same history
			l = lineageOf(was.Lineages, h.Replica)
		}
		if len(l.Lives) > 0 {
			t.Lineages = append(t.Lineages, l)
		}
	}
	others := slices.ContainsFunc(e.vector, func(v tlv.VectorEntry) bool { return v.Replica != e.id })
	s.next.Transfer, s.next.Running, s.next.Marks = t, true, others || was.Running || len(was.Replace) > 0
	return s, nil
}

// ErrAhead: histories differ, and the source of a transfer does not have yet all that is here: the history that counts, or where
// the transfer is to replace one, batches. It has to get that first, or what was cancelled of a history might be known at one of
// the two and not at the other. Where it never can, and only then, the transfer may MakeDo: what nobody else has they get from here.
var ErrAhead = errors.New("the snapshot lacks what is here")

// reconsider is for histories that an unfinished transfer is replacing, where t has nothing of the replica. Who had the one
// that counts may have lost it: what is here has to do then, whatever of the other has come, as the history that went.
func (s *supersession) reconsider(was *transfer, t *Transfer) error {
	s.next.Replaced = slices.Clone(was.Replaced)
	for _, id := range was.Replace {
		switch {
		case t.Vector.Entry(id).Stamp != 0:
			s.next.Replace = append(s.next.Replace, id)
		case !t.MakeDo:
			return fmt.Errorf("%w: something of replica %x, which forked", ErrAhead, uint64(id))
		default:
			if v := was.Replaced.Entry(id); v.Stamp != 0 {
				s.restore.Put(v)
			}
			s.next.Replaced.Remove(id)
		}
	}
	return nil
}

// maxBeyond bounds what a source may lack of what is here, in bytes of batches, if it is to replace a history. It is about to
// get it.
const maxBeyond = 16 << 20

// resetsBeyond finds in the log what replicas have cancelled of those that are replaced in batches that the snapshot, whose
// vector is v, does not have.
func (e *Engine) resetsBeyond(v tlv.Vector, s *supersession, makeDo bool) (list []tlv.Delta, err error) {
	if len(s.replace) == 0 {
		return nil, nil
	}
	have := slices.DeleteFunc(slices.Clone(e.vector), func(h tlv.VectorEntry) bool {
		return slices.Contains(s.next.Replace, h.Replica) || slices.Contains(s.next.Skip, h.Replica)
	})
	batches, behind := e.backlog.after(v, have, 0)
	for ; behind != 0; batches, behind = e.backlog.after(v, have, 0) {
		if !makeDo {
			return nil, fmt.Errorf("%w: batches of replica %x", ErrAhead, uint64(behind))
		}
		have.Remove(behind)
	}
	size := int64(0)
	at := make(map[string]int) // in list
	for i := range batches {
		if size += batches[i].size; size > maxBeyond && !makeDo {
			return nil, ErrAhead
		}
		b, err := e.readLogged(&batches[i])
		if err != nil {
			return nil, err
		}
		for _, d := range b.Deltas {
			for _, r := range d.State.Resets {
				if !slices.Contains(s.replace, r.Replica) {
					continue
				}
				n, ok := at[string(d.Key)]
				if !ok {
					n = len(list)
					at[string(d.Key)] = n
					list = append(list, tlv.Delta{Key: d.Key})
				}
				list[n].State.PutReset(r)
			}
		}
	}
	return list, nil
}

// readLogged reads a batch of the log.
func (e *Engine) readLogged(l *logged) (b tlv.Batch, err error) {
	data, closer, err := e.db.Get(logKey(l))
	if err == nil {
		b, _, err = tlv.ParseBatch(slices.Clone(data))
		err = errors.Join(err, closer.Close())
	}
	if err != nil {
		err = fmt.Errorf("replication log: %w", err)
	}
	return b, err
}

// joinResets merges resets of histories that are about to go.
func (e *Engine) joinResets(a *joining) {
	e.makeWay(&a.all, a.delta)
	a.all.Merge(a.delta)
	a.keep(e.covers)
}

// makeWay drops contributions of histories that are being replaced because of which a reset in delta would be dropped.
func (e *Engine) makeWay(s, delta *tlv.State) {
	if len(e.transfer.Replace) == 0 {
		return
	}
	for _, r := range delta.Resets {
		if c := s.Contribution(r.Replica); c != nil && r.Rev < c.Birth && slices.Contains(e.transfer.Replace, r.Replica) {
			drop(s, []tlv.ReplicaID{r.Replica})
		}
	}
}

// forgetCovered has the cached keys remember of replicas whose entries are about to go what the database does, and no more. What
// was dropped there, because the vector covers it, would be news here, and no page speaks of a key of which nothing is stored.
func (e *Engine) forgetCovered(replicas []tlv.ReplicaID) {
	if len(replicas) == 0 {
		return
	}
	covered := func(id tlv.ReplicaID, s tlv.Stamp) bool { return slices.Contains(replicas, id) && e.covers(id, s) }
	guard := e.nextGuard()
	for _, en := range e.table.all() {
		guard.RLock() // to take in may make an entry dirty
		en.mu.Lock()
		if en.foreign != nil && !en.gone {
			e.takeIn(en)
			en.foreign.other.Collect(covered)
		}
		en.mu.Unlock()
		guard.RUnlock()
	}
}

// replaceForked forgets what replicas added in histories that are being replaced.
func (e *Engine) replaceForked(s *tlv.State) { drop(s, e.transfer.Replace) }

func drop(s *tlv.State, replicas []tlv.ReplicaID) {
	if len(replicas) > 0 {
		s.Contributions = slices.DeleteFunc(s.Contributions, func(c tlv.Contribution) bool { return slices.Contains(replicas, c.Replica) })
	}
}

// mergeKeys merges what a snapshot has of keys, in one commit with more. The caller holds commitMu.
func (e *Engine) mergeKeys(deltas []tlv.Delta, more func(*pebble.Batch, []arrival) (func(), error)) error {
	replacing := len(e.transfer.Replace) > 0
	if replacing {
		if e.awaiting {
			return ErrHeld
		}
		if err := e.flush(flushStep{}); err != nil { // what is pending has earlier stamps than what is published here
			return err
		}
	}
	b := tlv.Batch{Replica: e.id, Prev: e.vector.Entry(e.id).Stamp, Life: e.Life()}
	join := func(a *joining) {
		e.joinPage(a)
		if !replacing {
			return
		}
		if s := e.beyond(a); !s.Empty() {
			b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte(a.key), State: s})
		}
	}
	return e.land(deltas, join, func(batch *pebble.Batch, list []arrival) (func(), error) {
		landed, err := more(batch, list)
		if err != nil || len(b.Deltas) == 0 {
			return landed, err
		}
		b.Stamp = e.clock.next(e.Now())
		published, err := e.publish(batch, &b)
		return func() { landed(); published() }, err
	})
}

// beyond is what is stored of a key, and not in the snapshot, and may have been brought by a history that goes: resets, and
// what was merged from elsewhere. Of that which others have anyway it does no harm to say it again.
func (e *Engine) beyond(a *joining) (s tlv.State) {
	for _, r := range a.state.Resets {
		if t := a.delta.Reset(r.Replica); t == nil || *t != r {
			s.PutReset(r)
		}
	}
	for _, c := range a.state.Contributions {
		t := &e.transfer
		if !e.member(c.Replica) && t.Hold.Entry(c.Replica).Stamp == 0 && !slices.Contains(t.Skip, c.Replica) {
			if o := a.delta.Contribution(c.Replica); o == nil || *o != c {
				s.Put(c)
			}
		}
	}
	return s
}

// held leaves those of the replicas in v.
func held(list []tlv.Lineage, v tlv.Vector) []tlv.Lineage {
	return slices.DeleteFunc(slices.Clone(list), func(l tlv.Lineage) bool { return v.Entry(l.Replica).Stamp == 0 })
}

var heldLineages = []byte{transferPrefix, 'l'}

func (t *transfer) writeLineages(batch *pebble.Batch) error {
	return batch.Set(heldLineages, tlv.AppendLineages(nil, t.Lineages), nil)
}

func (e *Engine) readHeldLineages() error {
	v, closer, err := e.db.Get(heldLineages)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	e.transfer.Lineages, err = tlv.ParseLineages(v)
	return errors.Join(err, closer.Close())
}
