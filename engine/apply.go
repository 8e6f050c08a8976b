package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"

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
	// ErrHeld: a state transfer has to be finished first (design, section 4).
	ErrHeld = errors.New("held back until the state transfer is finished")
)

const (
	// maxAhead is how far a peer may move this replica's clock beyond its wall clock, in ms.
	maxAhead = 3600 * 1000

	// lastStamp is the greatest that is taken: an EXPIRE or SET that has seen a stamp draws a later one. After it come 2^60 more.
	lastStamp = tlv.Stamp(1<<64 - 1<<60)
)

// arrival is one key on its way into the store, as far as that is kept of all keys of a batch until they are committed.
type arrival struct {
	place  place
	key    string // in the memory of the delta
	before books
	after  books
	fields int64      // of the key that the database has, where that matters
	all    *tlv.State // of a key that is cached: what is stored, with what may be forgotten, for the entry has to learn what was closed
	whole  bool       // all lacks what was forgotten: a cached entry must not keep it
	texts  bool       // there is a text among what is stored

	owes bool // this replica may have something to close, or an expiry to name
}

// joining is what it takes to work out the new state of one arrival; its memory is used again for the next.
type joining struct {
	*arrival
	delta *tlv.State // what comes
	all   tlv.State  // what is stored, then what is made of it, with what may be forgotten
	state tlv.State  // to be stored: all, or kept
	kept  tlv.State

	refused error // by join: nothing of the batch is taken in
}

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
	if failed := c.settle(shown...); failed != nil {
		return 0, failed
	}
	return n, err
}

// apply is Apply without the sync. The commit, if there is one, is to be settled, whatever the error.
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
	t, err := c.merge(b.Deltas, func(a *joining) { c.join(a, b) })
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

// merge begins a commit of what deltas make of their keys: join is called for each with the state as it is in all. After an error, of
// join or of a read, nothing has changed.
func (c *committer) merge(deltas []tlv.Delta, join func(*joining)) (*commit, error) {
	t := c.begin(min(1<<10+len(deltas)*roomPerKey, maxBatchSize))
	t.arrivals = c.room(len(deltas))
	if err := t.arrive(deltas, join); err != nil {
		t.forgetArrivals()
		return nil, errors.Join(err, t.close())
	}
	t.bookArrivals()
	return t, nil
}

// arrive adds what deltas make of their keys. The arrivals are in the order of the store, which reads and takes them faster so.
func (t *commit) arrive(deltas []tlv.Delta, join func(*joining)) (err error) {
	order := t.c.e.inOrder(deltas)
	w := arrivalWriter{t: t, e: t.c.e, join: join}
	for i := 0; i < len(order) && err == nil; i++ {
		if i%lookAhead == 0 {
			w.ahead += touch(deltas, order[i:min(i+lookAhead, len(order))])
		}
		d := &deltas[order[i].index]
		t.arrivals[i] = arrival{place: order[i].place, key: unsafe.String(&d.Key[0], len(d.Key))}
		w.arrival, w.delta = &t.arrivals[i], &d.State
		err = w.write()
	}
	return errors.Join(err, w.close())
}

// lookAhead is how many deltas are brought into the processor's caches together. They came in another order: one at a time,
// each would be waited for.
const lookAhead = 16

func touch(deltas []tlv.Delta, at []placed) (sum int) {
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
	return sortPlaced(order)
}

// sortPlaced sorts by place. Hashes are spread evenly: keys of one kind are dealt out by their first bits to about as many
// buckets as there are keys, and what is left to do is to put the few in each in order.
func sortPlaced(list []placed) []placed {
	for i := range list {
		if list[i].first != list[0].first || list[i].group != 0 { // fields of hashes among them, or several databases
			slices.SortFunc(list, func(a, b placed) int { return a.compare(b.place) })
			return list
		}
	}
	list = deal(list, bits.Len(uint(len(list))))
	for i := range list {
		for j := i; j > 0 && list[j].hash < list[j-1].hash; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

// deal gives list in the order of the first n bits of the hashes.
func deal(list []placed, n int) []placed {
	begins := make([]int32, 1<<n+1)
	for i := range list {
		begins[list[i].hash>>(64-n)+1]++
	}
	for i := range 1 << n {
		begins[i+1] += begins[i]
	}
	dealt := make([]placed, len(list))
	for i := range list {
		at := &begins[list[i].hash>>(64-n)]
		dealt[*at] = list[i]
		*at++
	}
	return dealt
}

// arrivalWriter reads what is stored of the keys of a batch, in their order, and writes what becomes of it. The database does
// not change meanwhile.
type arrivalWriter struct {
	joining
	t     *commit
	e     *Engine
	join  func(*joining)
	it    *pebble.Iterator
	at    []byte // its key in the database
	value []byte
	ahead int // what touch read
}

// write makes one arrival what becomes of it.
func (w *arrivalWriter) write() error {
	w.at = stateKey(w.at[:0], w.place, w.key)
	cached, err := w.stored()
	if err != nil {
		return fmt.Errorf("read %q: %w", w.key[1:], err)
	}
	before := w.all.View()
	if w.join(&w.joining); w.refused != nil {
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
	if en := w.e.table.get(w.place.hash, w.key); en != nil {
		en.mu.Lock()
		defer en.mu.Unlock()
		if !en.gone {
			w.all = en.full()
			return true, nil
		}
	}
	if w.it == nil {
		if w.it, err = w.e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{statePrefix}, UpperBound: []byte{statePrefix + 1}, UseL6Filters: true}); err != nil {
			return false, err
		}
	}
	var v []byte
	if w.it.SeekPrefixGE(w.at) {
		v, err = w.it.ValueAndErr()
	} else {
		err = w.it.Error()
	}
	return false, errors.Join(err, tlv.ParseStateInto(&w.all, v))
}

func (w *arrivalWriter) close() error {
	if w.it == nil {
		return nil
	}
	return w.it.Close()
}

// join merges the delta of a batch. A contribution at or below the version vector that is not stored is known to be old,
// and is never let in again.
func (c *committer) join(a *joining, b *tlv.Batch) {
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
func (a *joining) keep(covered func(tlv.ReplicaID, tlv.Stamp) bool) {
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
			c.e.shrink(list[i].place.hash)
		}
	}
	return nil
}

// tendAll loads the keys of which this replica now has something to close, which is what loading does, or an expiry to take over.
func (e *Engine) tendAll(list []arrival, changes hashChanges) error {
	p := e.NewPipeline()
	for i := range list {
		if !list[i].owes {
			continue
		}
		if err := p.tend(list[i].key); err != nil {
			return errors.Join(err, p.finish())
		}
	}
	for key, c := range changes {
		if !c.self.exists && (c.was+c.by == 0 || c.self.left) {
			if err := p.tend(key); err != nil {
				return errors.Join(err, p.finish())
			}
		}
	}
	return p.finish()
}

// tend loads a key, closes what is to be closed of it, and has it name an expiry that is left over.
func (p *Pipeline) tend(key string) error {
	en, err := p.lockKey([]byte(key))
	if err == nil {
		p.ready(en, everything)
		p.e.tend(en)
		p.inherit(en)
	}
	p.pause()
	return err
}

// tell hands the new state to the cached entry, which takes it in when its update period is over. At once it takes in
// what decides whether the key exists and when it expires, because a write has to know what is stored of that (design,
// section 2); and what is not cached shows at once anyway.
func (c *committer) tell(a *arrival, changes hashChanges) error {
	en := c.e.table.get(a.place.hash, a.key)
	if en != nil {
		en.mu.Lock()
		defer en.mu.Unlock()
	}
	c.e.touchArrival(a)
	if en == nil || en.gone {
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
	if en.foreign == nil {
		en.foreign = &foreign{}
	}
	en.foreign.incoming = a.all
	en.setBooks(a.after)
	if a.whole {
		en.foreign.other = tlv.State{}
		c.e.absorb(en)
		return nil
	}
	c.e.table.weigh(en)
	if v := en.ahead(c.e.self.id); v.Exists != en.exists || (v.Exists || en.fields != nil) && en.differs(c.e.self.id, &v) {
		c.e.absorb(en)
		return nil
	}
	en.stale.Store(true)
	if !en.listed {
		en.listed = true
		c.e.stale.mu.Lock()
		c.e.stale.keys = append(c.e.stale.keys, en)
		c.e.stale.mu.Unlock()
		c.e.stale.wake.give()
	}
	return nil
}

// unlist takes an entry that leaves the cache from the list of those with something to take in. Those that left stay there until they
// are as many as the others, so the list is at most twice as long as it has to be. The caller holds en exclusively.
func (e *Engine) unlist(en *entry) {
	if !en.listed {
		return
	}
	e.stale.mu.Lock()
	defer e.stale.mu.Unlock()
	en.listed = false
	if e.stale.unlisted++; 2*e.stale.unlisted > len(e.stale.keys) {
		e.stale.keys = slices.DeleteFunc(e.stale.keys, func(en *entry) bool { return !en.listed })
		e.stale.unlisted = 0
	}
}

// takeIn makes what has arrived part of what the entry shows, and closes what is to be closed of it. The caller holds it
// exclusively, and a guard.
func (e *Engine) takeIn(en *entry) {
	if e.absorb(en) {
		e.tend(en)
	}
}

// absorb is takeIn for a batch that is just arriving. What is to be closed tendAll finds when all of it shows: until its fields do, a
// hash looks as if there were none.
func (e *Engine) absorb(en *entry) bool {
	if en.incoming() == nil || en.gone {
		return false
	}
	en.settle()
	all := en.full()
	en.foreign.incoming = nil
	en.stale.Store(false)
	en.take(e.self.id, all)
	en.refreshed = e.Now()
	e.show(en)
	e.report(en, Arrived)
	return true
}

// books are what the store counts of a stored state.
type books struct {
	exists bool
	index  int64 // ms under which the expiry index has the key; 0: it has not, and no expiry
	left   bool  // an expiry is left over: if the key is a hash, its head is to name that
}

// shown says whether a key with so many fields exists, and whether it has an expiry.
func (b books) shown(fields int64) (exists, expires bool) {
	exists = b.exists || fields > 0
	return exists, exists && b.index != 0
}

// booksOf computes them from the view of the state. The index has a key under the time at which this replica is to carry
// out the expiry: its own at once, another's or one that is left over after a grace. A head with a left-over one is there too, for the record
// by which it is named may be lost with the power.
func (e *Engine) booksOf(v *tlv.View) books {
	b := books{exists: v.Exists, index: v.Expiry.At, left: v.Left && !v.Exists}
	if b.index != 0 && !e.mine(v.Owner) {
		b.index += sweepGrace
	}
	return b
}

// recount keeps the counts of the store.
func (c *committer) recount(db byte, was books, fieldsWere int64, is books, fieldsAre int64) {
	existed, expired := was.shown(fieldsWere)
	exists, expires := is.shown(fieldsAre)
	c.count[db] += change(existed, exists)
	c.countEx[db] += change(expired, expires)
}

// book keeps the counts of the store and the expiry index in step with the stored state of a key that has so many fields
// stored.
func (t *commit) book(key string, was, is books, fields int64) {
	if isUsers(key) {
		t.c.recount(database(key), was, fields, is, fields)
	}
	if was.index == is.index {
		return
	}
	if was.index != 0 {
		t.delete(indexKey(nil, was.index, key))
	}
	if is.index != 0 {
		t.put(indexKey(nil, is.index, key), nil)
	}
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
