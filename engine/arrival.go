package engine

import (
	"errors"
	"fmt"
	"unsafe"

	"atomiccounter/engine/state"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// arrival is one key on its way into the store, as far as that is kept of all keys of a batch until they are committed.
type arrival struct {
	place  store.Place
	key    string // in the memory of the delta
	before books
	after  books
	fields int64      // of the key that the database has, where that matters
	all    *tlv.State // of a key that is cached: what is stored, with what may be forgotten, for the entry has to learn what was closed
	whole  bool       // all lacks what was forgotten: a cached entry must not keep it
	texts  bool       // there is a text among what is stored

	owes bool // this replica may have something to close, or an expiry to name
}

// merging is what it takes to work out the new state of one arrival; its memory is used again for the next.
type merging struct {
	*arrival
	delta *tlv.State // what comes
	all   tlv.State  // what is stored, then what is made of it, with what may be forgotten
	state tlv.State  // to be stored: all, or kept
	kept  tlv.State

	refused error // by mergeKey: nothing of the batch is taken in
}

// arrive adds what deltas make of their keys. The arrivals are in the order of the store, which reads and takes them faster so.
func (t *commit) arrive(deltas []tlv.Delta, mergeKey func(*merging)) (err error) {
	order := t.c.e.inOrder(deltas)
	w := arrivalWriter{t: t, e: t.c.e, mergeKey: mergeKey, found: store.Finder{From: t.c.e.db}}
	for i := 0; i < len(order) && err == nil; i++ {
		if i%lookAhead == 0 {
			w.ahead += prefetch(deltas, order[i:min(i+lookAhead, len(order))])
		}
		d := &deltas[order[i].index]
		t.arrivals[i] = arrival{place: order[i].Place, key: unsafe.String(&d.Key[0], len(d.Key))}
		w.arrival, w.delta = &t.arrivals[i], &d.State
		err = w.write()
	}
	return errors.Join(err, w.found.Close())
}

// lookAhead is how many deltas are brought into the processor's caches together. They came in another order: one at a time,
// each would be waited for.
const lookAhead = 16

func prefetch(deltas []tlv.Delta, at []placed) (sum int) {
	for i := range at {
		d := &deltas[at[i].index]
		if len(d.State.Contributions) > 0 {
			c := &d.State.Contributions[0]
			sum += int(c.Rev) + int(c.Expiry.At) // its two cache lines
		}
		sum += int(d.Key[len(d.Key)-1])
	}
	return sum
}

// room gives memory for arrivals, used again by the next ones.
func (c *committer) room(n int) []arrival {
	if cap(c.arrivals) < n || cap(c.arrivals) > maxArrivals && n <= maxArrivals {
		c.arrivals = make([]arrival, n)
	}
	c.arrivals = c.arrivals[:n]
	return c.arrivals
}

// maxArrivals bounds for how many keys memory is kept between batches.
const maxArrivals = 128 << 10

// arrivalWriter reads what is stored of the keys of a batch, in their order, and writes what becomes of it. The database does
// not change meanwhile.
type arrivalWriter struct {
	merging
	t        *commit
	e        *Engine
	mergeKey func(*merging)
	found    store.Finder
	at       []byte // its key in the database
	value    []byte
	ahead    int // what prefetch read
}

// write makes one arrival what becomes of it.
func (w *arrivalWriter) write() error {
	w.at = store.StateKey(w.at[:0], w.place, w.key)
	cached, err := w.stored()
	if err != nil {
		return fmt.Errorf("read %q: %w", w.key[1:], err)
	}
	before := w.all.View()
	if w.mergeKey(&w.merging); w.refused != nil {
		return w.refused
	}
	after := w.state.View()
	w.before, w.after = w.e.booksOf(&before), w.e.booksOf(&after)
	w.owes = w.e.owes(&w.state, &after)
	w.texts = w.all.Texts() > 0
	if w.state.Empty() {
		err = w.t.batch.Delete(w.at, nil)
	} else {
		w.value = tlv.AppendState(w.value[:0], &w.state)
		err = w.t.batch.Set(w.at, w.value, nil)
	}
	if cached {
		all := w.all
		w.arrival.all, w.all = &all, tlv.State{}
	}
	if err != nil {
		return w.e.fail(fmt.Errorf("merge %q: %w", w.key[1:], err))
	}
	return nil
}

// stored makes all what is stored of the key, and says whether that is of its cached entry. No flush is under way: what an
// entry holds as stored is.
func (w *arrivalWriter) stored() (cached bool, err error) {
	if en := w.e.table.get(w.place.Hash, w.key); en != nil {
		en.mu.RLock()
		defer en.mu.RUnlock()
		if !en.is(gone) {
			k := en.copied(w.e.self.id)
			w.all = k.Stored()
			return true, nil
		}
	}
	v, _, err := w.found.Find(w.at)
	return false, errors.Join(err, tlv.ParseStateInto(&w.all, v))
}

// anyOf is slices.ContainsFunc without a copy of each, of which there is one for every key of a batch.
func anyOf(list []tlv.Contribution, f func(*tlv.Contribution) bool) bool {
	for i := range list {
		if f(&list[i]) {
			return true
		}
	}
	return false
}

// keep makes state what is to be stored of all.
func (a *merging) keep(covered func(tlv.ReplicaID, tlv.Stamp) bool) {
	a.state = a.all
	if len(a.all.Resets) == 0 && !anyOf(a.all.Contributions, func(c *tlv.Contribution) bool { return c.Closed }) {
		return // the two may share: state is written before all is given away
	}
	a.kept.Contributions = append(a.kept.Contributions[:0], a.all.Contributions...)
	a.kept.Resets = append(a.kept.Resets[:0], a.all.Resets...)
	a.kept.Origins = append(a.kept.Origins[:0], a.all.Origins...)
	a.kept.Collect(covered)
	a.state = a.kept
}

// roomPerKey is what a key takes in a Pebble batch, about, in bytes.
const roomPerKey = 128

func (c *committer) tellAll(list []arrival, changes hashChanges) error {
	for i := range list {
		if err := c.tell(&list[i], changes); err != nil {
			return err
		}
		if list[i].texts {
			c.e.shrink(list[i].place.Hash)
		}
	}
	return nil
}

// closeLeftovers loads the keys of which this replica now has something to close, which is what loading does, or an expiry to take over.
func (e *Engine) closeLeftovers(list []arrival, changes hashChanges) error {
	p := e.NewPipeline()
	for i := range list {
		if !list[i].owes {
			continue
		}
		if err := p.closeLeftover(list[i].key); err != nil {
			return errors.Join(err, p.finish())
		}
	}
	for key, c := range changes {
		if !c.self.exists && (c.was+c.by == 0 || c.self.left) {
			if err := p.closeLeftover(key); err != nil {
				return errors.Join(err, p.finish())
			}
		}
	}
	return p.finish()
}

// closeLeftover loads a key, closes what is to be closed of it, and has it name an expiry that is left over.
func (p *Pipeline) closeLeftover(key string) error {
	en, err := p.lockKey([]byte(key))
	if err == nil {
		p.ready(en, everything)
		p.e.closeLeftover(en)
		p.inherit(en)
	}
	p.pause()
	return err
}

// tell hands the new state to the cached entry, which takes it in when its update period is over. At once it takes in
// what decides whether the key exists and when it expires, because a write goes by what is stored of that.
// What is not cached shows at once anyway.
func (c *committer) tell(a *arrival, changes hashChanges) error {
	en := c.e.table.get(a.place.Hash, a.key)
	if en != nil {
		c.e.lockState(en)
		defer c.e.unlockState(en)
	}
	c.e.breakArrivalWatches(a)
	if en == nil || en.is(gone) {
		c.e.reportKey(a.key, Arrived)
		c.e.tellUncached(a, changes)
		return nil
	}
	if a.all == nil { // it came into the cache meanwhile
		s, err := c.e.readState(a.place, a.key)
		if err != nil {
			return err
		}
		a.all, a.whole = &s, true
	}
	if en.state().Foreign == nil {
		en.state().Foreign = &state.Foreign{}
		en.rare.open.refreshed = c.e.Now()
	}
	en.state().Foreign.Incoming = a.all
	en.setBooks(a.after)
	if a.whole {
		en.state().Foreign.Other = tlv.State{}
		c.e.mergeIncoming(en)
		return nil
	}
	if v := en.state().Ahead(c.e.self.id); v.Exists != en.is(there) || (v.Exists || en.fields() != nil) && en.differs(c.e.self.id, &v) {
		c.e.mergeIncoming(en)
		return nil
	}
	c.e.stale.list(en)
	return nil
}
