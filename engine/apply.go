package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// Errors of Apply.
var (
	// ErrGap: batches of the replica before this one are missing here.
	ErrGap = errors.New("batches before this one are missing")
	// ErrFork: the batch overlaps with one that is here already: its replica has two histories.
	ErrFork = errors.New("the replica has forked")
	// ErrClock: the stamp lies so far ahead that one bad clock would run away with all others.
	ErrClock = errors.New("the clock of the replica is more than an hour ahead")
	// ErrHeld: a state transfer has to be finished first (design, section 4).
	ErrHeld = errors.New("held back until the state transfer is finished")
)

const maxAhead = 3600 * 1000 // ms

// arrival is one key on its way into the store.
type arrival struct {
	place  place
	key    string
	delta  *tlv.State // what comes
	state  tlv.State  // to be stored
	all    tlv.State  // the same with what may be forgotten: a cached entry has to learn what was closed
	before books
	after  books
	fields int64 // of the key that the database has, where that matters
	whole  bool  // all lacks what was forgotten: a cached entry must not keep it
}

// Apply merges a batch of another replica, durably before it returns; it shows after at most the update period. A batch
// that is here already is skipped. ErrGap, ErrFork, ErrClock and ErrHeld refuse it, and an error of tlv what no replica can
// have written; ErrFailed says that its outcome is unknown.
func (e *Engine) Apply(b *tlv.Batch) error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	if b.Stamp <= e.vector.Entry(b.Replica).Stamp {
		return nil
	}
	if err := b.Validate(); err != nil {
		return err
	}
	if err := e.follows(b); err != nil {
		return fmt.Errorf("batch %d of replica %x: %w", b.Stamp, b.Replica, err)
	}
	e.clock.pass(b.Stamp)
	list, err := e.arrive(b.Deltas, func(a *arrival) { e.join(a, b) })
	if err != nil {
		return err
	}
	return e.land(list, func(batch *pebble.Batch) (func(), error) {
		if err := e.advance(batch, b); err != nil {
			return nil, err
		}
		l := logged{replica: b.Replica, prev: b.Prev, stamp: b.Stamp, keys: uint32(len(b.Deltas))}
		return e.note(batch, l, func() []byte { return tlv.AppendBatch(make([]byte, 0, len(list)*roomPerKey), b) })
	})
}

// follows says whether b may be applied: it is the next of its replica, of a sane clock, and not held back.
func (e *Engine) follows(b *tlv.Batch) error {
	have := e.vector.Entry(b.Replica).Stamp
	switch {
	case b.Stamp.Millis() > e.Now()+maxAhead:
		return ErrClock
	case e.awaiting || e.holds(b.Replica, have):
		return ErrHeld
	case b.Replica == e.id || have > b.Prev:
		return ErrFork
	case have < b.Prev && mutation != noGapCheck:
		return ErrGap
	}
	return nil
}

// arrive works out what deltas make of the stored states of their keys: join is called for each with the state as it is
// in all. The list is in the order of the store, which reads and takes them faster so.
func (e *Engine) arrive(deltas []tlv.Delta, join func(*arrival)) ([]arrival, error) {
	list := e.room(len(deltas))
	for n, at := range e.inOrder(deltas) {
		d := &deltas[at.index]
		list[n] = arrival{place: at.place, key: string(d.Key), delta: &d.State}
	}
	r := stateReader{e: e}
	var err error
	for i := 0; i < len(list) && err == nil; i++ {
		err = e.weigh(&r, &list[i], join)
	}
	return list, errors.Join(err, r.close())
}

// room gives memory for arrivals, used again by the next ones. The caller holds commitMu.
func (e *Engine) room(n int) []arrival {
	if cap(e.arrivals) < n || cap(e.arrivals) > maxArrivals && n <= maxArrivals {
		e.arrivals = make([]arrival, n)
	}
	e.arrivals = e.arrivals[:n]
	return e.arrivals
}

// maxArrivals bounds for how many keys memory is kept between batches.
const maxArrivals = 128 << 10

// placed is where a delta's key stands in the store.
type placed struct {
	place
	index int32
}

func (e *Engine) inOrder(deltas []tlv.Delta) []placed {
	order := make([]placed, len(deltas))
	for i := range deltas {
		order[i] = placed{e.place(deltas[i].Key), int32(i)}
	}
	slices.SortFunc(order, func(a, b placed) int { return a.compare(b.place) })
	return order
}

func (e *Engine) weigh(r *stateReader, a *arrival, join func(*arrival)) (err error) {
	if a.all, err = e.storedState(r, a.place, a.key); err != nil {
		return err
	}
	before := a.all.View()
	join(a)
	after := a.state.View()
	a.before, a.after = e.booksOf(&before), e.booksOf(&after)
	return nil
}

// join merges the delta of a batch. A contribution at or below the version vector that is not stored is known to be old,
// and is never let in again.
func (e *Engine) join(a *arrival, b *tlv.Batch) {
	delta := a.delta
	if slices.ContainsFunc(delta.Contributions, func(c tlv.Contribution) bool { return e.isOld(&c) }) {
		d := a.delta.Clone()
		d.Contributions = slices.DeleteFunc(d.Contributions, func(c tlv.Contribution) bool { return e.isOld(&c) })
		delta = &d
	}
	if mutation == mergeAdds {
		delta = addUp(&a.all, delta)
	}
	e.makeWay(&a.all, delta)
	a.all.Merge(delta)
	a.keep(func(id tlv.ReplicaID, s tlv.Stamp) bool {
		return id == b.Replica && s <= b.Stamp || e.covers(id, s)
	})
}

// isOld says that a contribution is not to be let in.
func (e *Engine) isOld(c *tlv.Contribution) bool {
	return c.Replica == e.id || e.covers(c.Replica, c.Rev)
}

// keep makes state what is to be stored of all.
func (a *arrival) keep(covered func(tlv.ReplicaID, tlv.Stamp) bool) {
	a.state = a.all
	if len(a.all.Resets) == 0 && !slices.ContainsFunc(a.all.Contributions, func(c tlv.Contribution) bool { return c.Closed }) {
		return // the two may share: state is written before all is given away
	}
	a.state = a.all.Clone()
	a.state.Collect(covered)
}

// stateReader reads states in ascending order. The caller holds commitMu: the database does not change meanwhile.
type stateReader struct {
	e   *Engine
	it  *pebble.Iterator
	key []byte
}

func (r *stateReader) read(at place, key string) (s tlv.State, err error) {
	if r.it == nil {
		if r.it, err = r.e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{statePrefix}, UpperBound: []byte{statePrefix + 1}, UseL6Filters: true}); err != nil {
			return s, err
		}
	}
	r.key = stateKey(r.key[:0], at, key)
	if !r.it.SeekPrefixGE(r.key) {
		return s, r.it.Error()
	}
	v, err := r.it.ValueAndErr()
	if err != nil {
		return s, err
	}
	return tlv.ParseState(v)
}

func (r *stateReader) close() error {
	if r.it == nil {
		return nil
	}
	return r.it.Close()
}

// storedState gives what is stored of a key, from its cached entry if there is one. The caller holds commitMu, so no
// flush is under way and what the entry holds as stored is.
func (e *Engine) storedState(r *stateReader, at place, key string) (tlv.State, error) {
	if en := e.table.get(at.hash, key); en != nil {
		en.mu.Lock()
		defer en.mu.Unlock()
		if !en.gone {
			return en.full(), nil
		}
	}
	s, err := r.read(at, key)
	if err != nil {
		err = fmt.Errorf("read %q: %w", key[1:], err)
	}
	return s, err
}

// roomPerKey is what a key takes in a Pebble batch, about, in bytes.
const roomPerKey = 128

// land commits what has arrived, synced, and what more adds to the same batch; what that returns is called after the
// commit. A cached key learns of it under its lock; a load sees either the old or the new state and is then told of what
// it missed, because none runs between the commit and the telling.
func (e *Engine) land(list []arrival, more func(*pebble.Batch) (func(), error)) error {
	defer clear(list) // nothing of them is kept alive by their memory
	batch := e.db.NewBatchWithSize(min(1<<10+len(list)*roomPerKey, maxBatchSize))
	defer batch.Close()
	var value []byte
	for i := range list {
		var err error
		if value, err = e.writeArrival(batch, &list[i], value); err != nil {
			return e.fail(fmt.Errorf("merge %q: %w", list[i].key[1:], err))
		}
	}
	changes, err := e.bookArrivals(batch, list)
	if err != nil {
		return e.fail(fmt.Errorf("merge: %w", err))
	}
	landed, err := more(batch)
	if err = errors.Join(err, batch.Set([]byte{metaPrefix}, e.meta(e.mark), nil)); err != nil {
		return e.fail(err)
	}
	if err := e.showArrivals(batch, list, changes); err != nil {
		return e.fail(fmt.Errorf("merge: %w", err))
	}
	if err := errors.Join(batch.SyncWait(), e.Failed()); err != nil {
		return e.fail(fmt.Errorf("merge: %w", err))
	}
	landed()
	e.proclaim()
	return e.tendAll(list, changes)
}

// showArrivals commits a batch, not yet synced, and tells the cached keys. It holds a guard, for taking in may make an entry
// dirty, and no longer than that: with two at once one could wait for a section that waits for the other.
func (e *Engine) showArrivals(batch *pebble.Batch, list []arrival, changes hashChanges) error {
	guard := e.nextGuard()
	guard.RLock()
	defer guard.RUnlock()
	e.reveal()
	e.loads.Lock()
	defer e.loads.Unlock()
	if err := e.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return err
	}
	changes.hold(e)
	// Tokens, which are last, are told first: whoever sees an increment here finds its token too.
	tokens := slices.IndexFunc(list, func(a arrival) bool { return isToken(a.key) })
	if tokens < 0 {
		tokens = len(list)
	}
	e.tellAll(list[tokens:], changes)
	e.tellAll(list[:tokens], changes)
	changes.tell(e)
	return nil
}

func (e *Engine) tellAll(list []arrival, changes hashChanges) {
	for i := range list {
		e.tell(&list[i], changes)
		if list[i].all.Texts() > 0 {
			e.shrink(list[i].place.hash)
		}
	}
}

// tendAll loads the keys of which this replica now has something to close, which is what loading does.
func (e *Engine) tendAll(list []arrival, changes hashChanges) error {
	p := e.NewPipeline()
	for i := range list {
		own := list[i].state.Contribution(e.id)
		if own == nil || own.Closed || list[i].after.exists && list[i].state.Open(own) {
			continue
		}
		if err := p.tend(list[i].key); err != nil {
			return errors.Join(err, p.finish())
		}
	}
	for key, c := range changes {
		if c.was+c.by == 0 && !c.self.exists && c.self.index != 0 {
			if err := p.tend(key); err != nil {
				return errors.Join(err, p.finish())
			}
		}
	}
	return p.finish()
}

// tend loads a key, and closes what is to be closed of it.
func (p *Pipeline) tend(key string) error {
	en, err := p.lockKey([]byte(key))
	if err == nil {
		p.ready(en, false)
		if en.incoming() == nil {
			p.e.tend(en)
		}
	}
	p.pause()
	return err
}

func (e *Engine) writeArrival(batch *pebble.Batch, a *arrival, value []byte) ([]byte, error) {
	key := stateKey(nil, a.place, a.key)
	if a.state.Empty() {
		return value, batch.Delete(key, nil)
	}
	value = tlv.AppendState(value[:0], &a.state)
	return value, batch.Set(key, value, nil)
}

// tell hands the new state to the cached entry, which takes it in when its update period is over. At once it takes in
// what decides whether the key exists and when it expires, because a write has to know what is stored of that (design,
// section 2); and what is not cached shows at once anyway.
func (e *Engine) tell(a *arrival, changes hashChanges) {
	en := e.table.get(a.place.hash, a.key)
	if en != nil {
		en.mu.Lock()
		defer en.mu.Unlock()
	}
	e.touchArrival(a)
	if en == nil || en.gone {
		e.reportKey(a.key, Arrived)
		e.tellUncached(a, changes)
		return
	}
	if en.foreign == nil {
		en.foreign = &foreign{}
	}
	all := a.all
	en.foreign.incoming = &all // a copy: the arrivals' memory is used again
	en.setBooks(a.after)
	if a.whole {
		en.foreign.other = tlv.State{}
		e.takeIn(en)
		return
	}
	e.table.weigh(en)
	if len(e.transfer.Replace) > 0 { // incoming does not have all that is in other
		e.replaceForked(&en.foreign.other)
		e.takeIn(en)
		return
	}
	if v := en.ahead(e.id); v.Exists != en.exists || (v.Exists || en.fields != nil) && en.differs(&v) {
		e.takeIn(en)
		return
	}
	en.stale.Store(true)
	if !en.listed {
		en.listed = true
		e.staleMu.Lock()
		e.staleKeys = append(e.staleKeys, en)
		e.staleMu.Unlock()
		select {
		case e.stale <- struct{}{}:
		default:
		}
	}
}

// takeIn makes what has arrived part of what the entry shows. The caller holds it exclusively, and a guard.
func (e *Engine) takeIn(en *entry) {
	if en.incoming() == nil || en.gone {
		return
	}
	en.settle()
	all := en.full()
	en.foreign.incoming = nil
	en.stale.Store(false)
	en.take(e.id, all)
	en.refreshed = e.Now()
	e.show(en)
	e.report(en, Arrived)
	e.tend(en)
}

// books are what the store counts of a stored state.
type books struct {
	exists bool
	index  int64 // ms under which the expiry index has the key; 0: it has not, and no expiry
}

// shown says whether a key with so many fields exists, and whether it has an expiry.
func (b books) shown(fields int64) (exists, expires bool) {
	exists = b.exists || fields > 0
	return exists, exists && b.index != 0
}

// booksOf computes them from the view of the state. The index has a key under the time at which this replica is to carry
// out the expiry: its own at once, another's after a grace.
func (e *Engine) booksOf(v *tlv.View) books {
	b := books{exists: v.Exists, index: v.Expiry.At}
	if v.Expiry.At != 0 && !e.mine(v.Owner) {
		b.index += sweepGrace
	}
	return b
}

// recount keeps the counts of the store. The caller holds commitMu.
func (e *Engine) recount(db byte, was books, fieldsWere int64, is books, fieldsAre int64) {
	existed, expired := was.shown(fieldsWere)
	exists, expires := is.shown(fieldsAre)
	e.count[db] += change(existed, exists)
	e.countEx[db] += change(expired, expires)
}

// book keeps the counts of the store and the expiry index in step with the stored state of a key that has so many fields
// stored. The caller holds commitMu.
func (e *Engine) book(batch *pebble.Batch, key string, was, is books, fields int64) error {
	if isUsers(key) {
		e.recount(database(key), was, fields, is, fields)
	}
	if was.index == is.index {
		return nil
	}
	if was.index != 0 {
		if err := batch.Delete(indexKey(nil, was.index, key), nil); err != nil {
			return err
		}
	}
	if is.index == 0 {
		return nil
	}
	return batch.Set(indexKey(nil, is.index, key), nil, nil)
}

func change(was, is bool) int64 {
	switch {
	case is && !was:
		return 1
	case was && !is:
		return -1
	}
	return 0
}
