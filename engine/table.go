package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"atomiccounter/engine/lockorder"
)

// The table holds the cached counters. A key's hash decides its shard by its highest bits, so a walk over the shards
// in order meets keys in the order of SCAN.
const shardBits = 8

type table struct {
	shards  [1 << shardBits]shard
	deleted *entry       // stands in slots that were emptied
	limit   atomic.Int64 // bytes over all shards
	entries atomic.Int64
	bytes   atomic.Int64
	evicted atomic.Int64
	misses  atomic.Int64
	seconds atomic.Uint32 // the wall clock as usage has it, a little late
	emptied atomic.Uint32 // databases of which the next flush drops what is empty here, a bit each
}

type shard struct {
	slots atomic.Pointer[slots] // read without a lock
	mu    lockorder.Mutex       // of all that changes slots, and of the fields below
	ring  []*entry              // for eviction, in no order
	hand  int
	bytes atomic.Int64

	dirtyMu       lockorder.Mutex
	dirty         []*entry // with something pending in the present generation
	flight        []*entry // those of the flush in progress
	heads         []*entry // with fields that became dirty in the present generation
	headsInFlight []*entry // those of the flush in progress
	_             [64]byte
}

// slots is an open-addressing hash table with linear probing. Who reads it takes no lock: a slot once in use is never nil
// again, and when the table grows it is copied. A reader of the old copy may miss a new entry; insert tells him.
type slots struct {
	list []slot
	used int // slots that are not nil
}

type slot struct {
	tag   atomic.Uint64 // of entry; spares a look at most entries of other keys
	entry atomic.Pointer[entry]
}

func newSlots(n int) *slots { return &slots{list: make([]slot, n)} }

// put fills the slot of e, which is not there yet.
func (s *slots) put(e, deleted *entry) {
	mask := uint64(len(s.list) - 1)
	i := e.tag() & mask
	for ; ; i = (i + 1) & mask {
		o := s.list[i].entry.Load()
		if o == nil {
			s.used++
			break
		}
		if o == deleted {
			break
		}
	}
	s.list[i].tag.Store(e.tag())
	s.list[i].entry.Store(e)
}

// first gives what is in the first slot that a search looks at.
func (s *slots) first(tag uint64) *entry {
	return s.list[tag&uint64(len(s.list)-1)].entry.Load()
}

// find is small enough to be inlined; with a name for its parameters it would not be.
func (s *slots) find(tag uint64, first byte, rest []byte) *entry {
	mask := uint64(len(s.list) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		e := s.list[i].entry.Load()
		if e == nil {
			return nil
		}
		if s.list[i].tag.Load() == tag && e.hasKey(first, rest) {
			return e
		}
	}
}

func (s *slots) remove(e, deleted *entry) {
	mask := uint64(len(s.list) - 1)
	i := e.tag() & mask
	for s.list[i].entry.Load() != e {
		i = (i + 1) & mask
	}
	s.list[i].entry.Store(deleted)
}

func newTable(limit int64) *table {
	t := &table{deleted: newEntry(name{first: 0xff}, nil)} // no key begins so
	t.limit.Store(limit)
	for i := range t.shards {
		t.shards[i].slots.Store(newSlots(8))
	}
	return t
}

func (t *table) shard(hash uint64) *shard { return &t.shards[hash>>(64-shardBits)] }

func (e *entry) tag() uint64 { return tagOf(e.hash, e.key()[0]) }

// find gives the entry of a key, or nil. The caller locks it and then asks whether it is gone.
func (t *table) find(n name) *entry {
	return t.shard(n.hash).slots.Load().find(n.tag(), n.first, n.rest)
}

// get is find by the whole key.
func (t *table) get(hash uint64, key string) *entry {
	return t.find(name{key[0], []byte(key[1:]), hash})
}

// insert puts e in, or gives the entry that was faster.
func (t *table) insert(e *entry) *entry {
	t.placeLock(e)
	s := t.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.slots.Load().find(e.tag(), e.key()[0], []byte(e.key()[1:])); o != nil {
		return o
	}
	s.room(t.deleted).put(e, t.deleted)
	e.ring = int32(len(s.ring))
	s.ring = append(s.ring, e)
	t.adjust(e, e.memory())
	t.entries.Add(1)
	if e.fields() != nil {
		e.fields().cached.Add(1)
	}
	return e
}

// room gives the slots with at least a quarter of them nil, so that every search ends soon.
func (s *shard) room(deleted *entry) *slots {
	old := s.slots.Load()
	if (old.used+1)*4 <= len(old.list)*3 {
		return old
	}
	return s.resize(slotsFor(len(s.ring)), deleted)
}

// slotsFor is how many slots are made for so many entries and one more.
func slotsFor(entries int) int {
	n := 8
	for n*3 < (entries+1)*5 {
		n *= 2
	}
	return n
}

func (s *shard) resize(n int, deleted *entry) *slots {
	next := newSlots(n)
	for _, e := range s.ring {
		next.put(e, deleted)
	}
	s.slots.Store(next)
	return next
}

// remove takes e out. The caller holds e.mu exclusively and has found it clean.
func (t *table) remove(e *entry) {
	s := t.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.unlink(s, e)
}

func (t *table) unlink(s *shard, e *entry) {
	s.slots.Load().remove(e, t.deleted)
	last := s.ring[len(s.ring)-1]
	s.ring[e.ring], last.ring = last, e.ring
	s.ring[len(s.ring)-1] = nil
	s.ring = s.ring[:len(s.ring)-1]
	t.adjust(e, -e.memory())
	e.mark(gone, true)
	t.entries.Add(-1)
	if e.fields() != nil && isField(e.key()) {
		e.fields().cached.Add(-1)
	}
}

// mayGo says whether the cache can do without e, which the caller holds: it is clean, and nobody holds on to it.
func (e *entry) mayGo(flushed uint64) bool {
	return e.clean(flushed) && e.pins.Load() == 0 &&
		(!e.isHead() || e.fields().cached.Load() == 0)
}

// evict drops clean entries of the shard that were not used since the hand passed, until it is within its part of
// the limit or the hand has taken a few steps: a load pays for it, and evicts one entry on average. flushed is the last generation that is in the database; forget is told of
// every entry that goes, which it may ask while it is locked.
func (t *table) evict(hash uint64, flushed uint64, forget func(*entry)) {
	s := t.shard(hash)
	limit := t.limit.Load() >> shardBits
	s.mu.Lock()
	defer s.mu.Unlock()
	for steps := min(2*len(s.ring), 16); s.bytes.Load() > limit && steps > 0; steps-- {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.use.spare() {
			s.hand++
			continue
		}
		if !e.mu.TryLock() {
			s.hand++
			continue
		}
		if e.mayGo(flushed) {
			t.unlink(s, e)
			forget(e)
			t.evicted.Add(1)
		} else {
			s.hand++
		}
		e.mu.Unlock()
	}
}

// drop takes all clean entries out that may says may go, which it asks while they are locked, and gives back the memory of the
// slots that were theirs. Entries that are locked by others stay.
func (t *table) drop(flushed uint64, forget func(*entry), may func(*entry) bool) {
	for i := range t.shards {
		t.shards[i].drop(t, flushed, forget, may)
	}
}

func (s *shard) drop(t *table, flushed uint64, forget func(*entry), may func(*entry) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.ring) - 1; i >= 0; i-- { // unlink puts the last in the place of the one that goes
		e := s.ring[i]
		if !e.mu.TryLock() {
			continue
		}
		if e.mayGo(flushed) && may(e) {
			t.unlink(s, e)
			forget(e)
		}
		e.mu.Unlock()
	}
	if n := slotsFor(len(s.ring)); n < len(s.slots.Load().list) {
		s.ring = slices.Clip(slices.Clone(s.ring))
		s.resize(n, t.deleted)
	}
}

// trim evicts from all shards about as many entries as a page of gathered fields has.
func (t *table) trim(flushed uint64, forget func(*entry)) {
	if t.bytes.Load() <= t.limit.Load() {
		return
	}
	for i := range t.shards {
		for range 4 {
			t.evict(uint64(i)<<(64-shardBits), flushed, forget)
		}
	}
}

// all lists every entry.
func (t *table) all() (list []*entry) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		list = append(list, s.ring...)
		s.mu.Unlock()
	}
	return list
}

// sampled is how many entries of each shard avgTTL looks at.
const sampled = 16

// avgTTL is how many ms the keys of each database have to live, by a sample of those that expire.
func (t *table) avgTTL(now int64) (avg [Databases]int64) {
	var n, sum [Databases]float64
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		from := rand.IntN(len(s.ring) + 1)
		for j := range min(len(s.ring), sampled) {
			e := s.ring[(from+j)%len(s.ring)]
			if at := e.expire.Load(); at > now && isUsers(e.key()) {
				n[database(e.key())]++
				sum[database(e.key())] += float64(at - now)
			}
		}
		s.mu.Unlock()
	}
	for db := range avg {
		avg[db] = int64(min(sum[db]/max(n[db], 1), math.MaxInt64/2))
	}
	return avg
}

// clear forgets every entry, with what is pending in it. No pipeline is active.
func (t *table) clear(gen uint64) {
	t.cut()
	t.forgetFlight(gen)
	for _, e := range t.all() {
		e.mu.Lock()
		t.remove(e)
		e.mu.Unlock()
	}
}

// over says that what is cached is far beyond the limit: entries wait for a flush before they can go.
func (t *table) over() bool { return t.bytes.Load() > 2*t.limit.Load()+(16<<20) }

// addDirty notes that e has something pending. The caller holds e.mu exclusively; e.gen was 0.
func (t *table) addDirty(e *entry) {
	s := t.shard(e.hash)
	s.dirtyMu.Lock()
	s.dirty = append(s.dirty, e)
	s.dirtyMu.Unlock()
}

// cut takes the dirty entries of the generation that ends now; they stay findable in flight until forgetFlight.
func (t *table) cut() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.dirtyMu.Lock()
		s.dirty, s.flight = s.flight[:0], s.dirty
		n += len(s.flight)
		s.heads, s.headsInFlight = s.headsInFlight[:0], s.heads
		s.dirtyMu.Unlock()
	}
	return n
}

// sortFlight puts the entries of the flush in progress in the order of the database, whose memory table takes them much
// faster so.
func (s *shard) sortFlight() []*entry {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	slices.SortFunc(s.flight, func(a, b *entry) int { return a.place().Compare(b.place()) })
	return s.flight
}

// unflushed is how many bytes the next flush writes to the database's log, about.
func (t *table) unflushed() (n int64) {
	const each = 128 // beside the key and what the entry holds
	var list []*entry
	for i := range t.shards {
		s := &t.shards[i]
		list = s.pending(list[:0])
		for _, e := range list {
			e.mu.RLock()
			n += each + int64(len(e.key())) + e.memory() - entrySize
			e.mu.RUnlock()
		}
	}
	return n
}

// forgetFlight forgets the entries of a finished flush, of what became dirty up to generation gen. The heads are told before their shard
// is locked: a pipeline that makes a field dirty holds its hash's fields while it locks that.
func (t *table) forgetFlight(gen uint64) {
	for i := range t.shards {
		s := &t.shards[i]
		for _, head := range s.flightHeads() {
			head.fields().forgetFlight(gen)
		}
		s.dirtyMu.Lock()
		clear(s.flight)
		s.flight = s.flight[:0]
		clear(s.headsInFlight)
		s.headsInFlight = s.headsInFlight[:0]
		s.dirtyMu.Unlock()
	}
}

// flightHeads gives the heads of the flush in progress, some perhaps twice. They stay as they are until forgetFlight.
func (s *shard) flightHeads() []*entry {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	return s.headsInFlight
}

// pending appends the shard's entries that the database may not know yet, and the heads of such fields.
func (s *shard) pending(list []*entry) []*entry {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	list = append(append(list, s.flight...), s.dirty...)
	return append(append(list, s.headsInFlight...), s.heads...)
}

// weigh counts what the open state of an entry takes. The caller holds e exclusively.
func (t *table) weigh(e *entry) {
	o := e.rare.open
	was := o.weight
	o.weight = uint32(min(openSize+int64(o.state.Size()), 1<<31))
	t.adjust(e, int64(o.weight)-int64(was))
}

// adjust counts that e takes so many bytes more. The caller holds e exclusively.
func (t *table) adjust(e *entry, n int64) {
	if n == 0 || e.is(gone) {
		return
	}
	t.shard(e.hash).bytes.Add(n)
	t.bytes.Add(n)
}

// shrink evicts from e's shard if it has grown beyond its part of the cache.
func (e *Engine) shrink(hash uint64) { e.table.evict(hash, e.cuts.flushed.Load(), e.forget) }
