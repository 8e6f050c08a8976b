package engine

import (
	"errors"
	"fmt"

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
)

const maxAhead = 3600 * 1000 // ms

// arrival is one key of a foreign batch on its way into the store.
type arrival struct {
	hash   uint64
	key    string
	state  tlv.State // to be stored, the batch included
	all    tlv.State // the same with what may be forgotten: a cached entry has to learn what was closed
	before books
	after  books
}

// Apply merges a batch of another replica, durably before it returns; it shows after at most the update period. A batch
// that is here already is skipped. ErrGap, ErrFork and ErrClock refuse it, and an error of tlv what no replica can have
// written; ErrFailed says that its outcome is unknown.
func (e *Engine) Apply(b *tlv.Batch) error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.closed.Load() {
		return ErrClosed
	}
	if err := e.refusal(); err != nil {
		return err
	}
	if b.Stamp <= e.vector[b.Replica] {
		return nil
	}
	if err := b.Validate(); err != nil {
		return err
	}
	if b.Stamp.Millis() > e.Now()+maxAhead {
		return fmt.Errorf("batch %d of replica %x: %w", b.Stamp, b.Replica, ErrClock)
	}
	if err := e.follows(b); err != nil {
		return fmt.Errorf("batch %d of replica %x: %w", b.Stamp, b.Replica, err)
	}
	e.clock.pass(b.Stamp)
	list := make([]arrival, 0, len(b.Deltas))
	for i := range b.Deltas {
		a, err := e.arrive(b, &b.Deltas[i])
		if err != nil {
			return err
		}
		list = append(list, a)
	}
	return e.land(b, list)
}

// follows says whether b is the next of its replica.
func (e *Engine) follows(b *tlv.Batch) error {
	have := e.vector[b.Replica]
	switch {
	case b.Replica == e.id || have > b.Prev:
		return ErrFork
	case have < b.Prev:
		return ErrGap
	}
	return nil
}

// arrive works out what one delta makes of the stored state of its key. A contribution at or below the version vector
// that is not stored is known to be old, and is never let in again.
func (e *Engine) arrive(b *tlv.Batch, d *tlv.Delta) (a arrival, err error) {
	a.key, a.hash = string(d.Key), e.hash(d.Key[1:])
	if a.all, err = e.storedState(a.hash, a.key); err != nil {
		return a, err
	}
	before := a.all.View()
	delta := tlv.State{Resets: d.State.Resets}
	for _, c := range d.State.Contributions {
		if c.Replica != e.id && !e.covers(c.Replica, c.Rev) {
			delta.Contributions = append(delta.Contributions, c)
		}
	}
	a.all.Merge(&delta)
	a.state = a.all.Clone()
	a.state.Collect(func(id tlv.ReplicaID, s tlv.Stamp) bool {
		return id == b.Replica && s <= b.Stamp || e.covers(id, s)
	})
	after := a.state.View()
	a.before, a.after = e.booksOf(&before), e.booksOf(&after)
	return a, nil
}

// storedState gives what is stored of a key, from its cached entry if there is one. The caller holds commitMu, so no
// flush is under way and what the entry holds as stored is.
func (e *Engine) storedState(hash uint64, key string) (tlv.State, error) {
	if en := e.table.find(hash, key[0], []byte(key[1:])); en != nil {
		en.mu.Lock()
		defer en.mu.Unlock()
		if !en.gone {
			return en.full(), nil
		}
	}
	return e.readState(hash, key)
}

// land commits the batch. A cached key learns of it under its lock; a load sees either the old or the new state and is
// then told of what it missed, because none runs between the commit and the telling.
func (e *Engine) land(b *tlv.Batch, list []arrival) error {
	batch := e.db.NewBatch()
	defer batch.Close()
	var value []byte
	for i := range list {
		var err error
		if value, err = e.writeArrival(batch, &list[i], value); err != nil {
			return e.fail(fmt.Errorf("merge %q: %w", list[i].key[1:], err))
		}
	}
	e.vector[b.Replica] = b.Stamp
	if err := batch.Set([]byte{metaPrefix}, e.meta(e.mark), nil); err != nil {
		return e.fail(err)
	}
	guard := e.nextGuard() // taking in may make an entry dirty; no cut comes between, it needs commitMu
	guard.RLock()
	defer guard.RUnlock()
	e.loads.Lock()
	if err := e.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		e.loads.Unlock()
		return e.fail(fmt.Errorf("merge: %w", err))
	}
	for i := range list {
		e.tell(&list[i])
	}
	e.loads.Unlock()
	if err := errors.Join(batch.SyncWait(), e.Failed()); err != nil {
		return e.fail(fmt.Errorf("merge: %w", err))
	}
	return e.tendAll(list)
}

// tendAll loads the keys of which this replica now has something to close, which is what loading does.
func (e *Engine) tendAll(list []arrival) error {
	p := e.NewPipeline()
	for i := range list {
		own := list[i].state.Contribution(e.id)
		if own == nil || own.Closed || list[i].after.exists && list[i].state.Open(own) {
			continue
		}
		p.DB = list[i].key[0]
		if _, err := p.exclusive([]byte(list[i].key[1:]), false); err != nil {
			return errors.Join(err, p.finish())
		}
		p.pause()
	}
	return p.finish()
}

func (e *Engine) writeArrival(batch *pebble.Batch, a *arrival, value []byte) ([]byte, error) {
	if err := e.book(batch, a.key, a.before, a.after); err != nil {
		return value, err
	}
	key := stateKey(nil, a.hash, a.key)
	if a.state.Empty() {
		return value, batch.Delete(key, nil)
	}
	value = tlv.AppendState(value[:0], &a.state)
	return value, batch.Set(key, value, nil)
}

// tell hands the new state to the cached entry, which takes it in when its update period is over. At once it takes in
// what decides whether the key exists and when it expires, because a write has to know what is stored of that (design,
// section 2); and what is not cached shows at once anyway.
func (e *Engine) tell(a *arrival) {
	en := e.table.find(a.hash, a.key[0], []byte(a.key[1:]))
	if en != nil {
		en.mu.Lock()
		defer en.mu.Unlock()
	}
	if en == nil || en.gone {
		was, was2 := a.before.exists, a.before.expires
		adjust(&e.keys[a.key[0]], &was, a.after.exists)
		adjust(&e.expires[a.key[0]], &was2, a.after.expires)
		return
	}
	if en.foreign == nil {
		en.foreign = &foreign{}
	}
	en.foreign.incoming = &a.all
	en.books = a.after
	if v := en.ahead(e.id); v.Exists != en.exists || v.Exists && en.differs(&v) {
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
	e.tend(en)
}

// books are what the store counts of a stored state.
type books struct {
	exists  bool
	expires bool  // and has an expiry
	index   int64 // ms under which the expiry index has the key; 0: it has not
}

// booksOf computes them from the view of the state. The index has a key under the time at which this replica is to carry
// out the expiry: its own at once, another's after a grace.
func (e *Engine) booksOf(v *tlv.View) books {
	b := books{exists: v.Exists, expires: v.Exists && v.Expiry.At != 0, index: v.Expiry.At}
	if v.Expiry.At != 0 && v.Owner != e.id {
		b.index += sweepGrace
	}
	return b
}

// book keeps the counts of the store and the expiry index in step with a stored state. The caller holds commitMu.
func (e *Engine) book(batch *pebble.Batch, key string, was, is books) error {
	e.count[key[0]] += change(was.exists, is.exists)
	e.countEx[key[0]] += change(was.expires, is.expires)
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
