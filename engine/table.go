package engine

import (
	"sync"
	"sync/atomic"
)

// The table holds the cached counters. A key's hash decides its shard by its highest bits, so a walk over the shards
// in order meets keys in the order of SCAN.
const shardBits = 8

type table struct {
	shards  [1 << shardBits]shard
	limit   atomic.Int64 // bytes over all shards
	entries atomic.Int64
	bytes   atomic.Int64
	evicted atomic.Int64
}

type shard struct {
	mu    sync.RWMutex
	slots map[uint64]*entry // by entry.slot; chained where hashes are equal
	ring  []*entry          // for eviction, in no order
	hand  int
	bytes int64

	dirtyMu sync.Mutex
	dirty   []*entry // with something pending in the present generation
	flight  []*entry // those of the flush in progress
	_       [64]byte
}

func newTable(limit int64) *table {
	t := &table{}
	t.limit.Store(limit)
	for i := range t.shards {
		t.shards[i].slots = make(map[uint64]*entry)
	}
	return t
}

func (t *table) shard(hash uint64) *shard { return &t.shards[hash>>(64-shardBits)] }

// slot tells the databases apart, which hash does not.
func slot(hash uint64, db byte) uint64 { return hash + uint64(db)*0x9e3779b97f4a7c15 }

// find gives the entry of a key, or nil. The caller locks it and then asks whether it is gone.
func (t *table) find(hash uint64, db byte, key []byte) *entry {
	s := t.shard(hash)
	s.mu.RLock()
	e := s.slots[slot(hash, db)]
	for e != nil && (e.key[0] != db || e.key[1:] != string(key)) {
		e = e.next
	}
	s.mu.RUnlock()
	return e
}

// insert puts e in, or gives the entry that was faster.
func (t *table) insert(e *entry) *entry {
	s := t.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slot(e.hash, e.key[0])
	for o := s.slots[at]; o != nil; o = o.next {
		if o.key == e.key {
			return o
		}
	}
	e.next = s.slots[at]
	s.slots[at] = e
	e.ring = int32(len(s.ring))
	s.ring = append(s.ring, e)
	s.bytes += e.size()
	t.entries.Add(1)
	t.bytes.Add(e.size())
	return e
}

// remove takes e out. The caller holds e.mu exclusively and has found it clean.
func (t *table) remove(e *entry) {
	s := t.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.unlink(s, e)
}

func (t *table) unlink(s *shard, e *entry) {
	e.gone = true
	at := slot(e.hash, e.key[0])
	if first := s.slots[at]; first == e {
		if e.next == nil {
			delete(s.slots, at)
		} else {
			s.slots[at] = e.next
		}
	} else {
		for first.next != e {
			first = first.next
		}
		first.next = e.next
	}
	last := s.ring[len(s.ring)-1]
	s.ring[e.ring], last.ring = last, e.ring
	s.ring[len(s.ring)-1] = nil
	s.ring = s.ring[:len(s.ring)-1]
	s.bytes -= e.size()
	t.entries.Add(-1)
	t.bytes.Add(-e.size())
}

// evict drops clean entries of the shard that were not used since the hand passed, until it is within its part of
// the limit or the hand has gone round twice. flushed is the last generation that is in the database; forget is told of
// every entry that goes, which it may ask while it is locked.
func (t *table) evict(hash uint64, flushed uint64, forget func(*entry)) {
	s := t.shard(hash)
	limit := t.limit.Load() >> shardBits
	s.mu.Lock()
	defer s.mu.Unlock()
	for steps := min(2*len(s.ring), 16); s.bytes > limit && steps > 0; steps-- {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.used.Load() {
			e.used.Store(false)
			s.hand++
			continue
		}
		if !e.mu.TryLock() {
			s.hand++
			continue
		}
		if e.gen == 0 && e.flight <= flushed {
			t.unlink(s, e)
			forget(e)
			t.evicted.Add(1)
		} else {
			s.hand++
		}
		e.mu.Unlock()
	}
}

// over says that what is cached is far beyond the limit: entries wait for a flush before they can go.
func (t *table) over() bool { return t.bytes.Load() > 2*t.limit.Load()+(16<<20) }

// soil notes that e has something pending. The caller holds e.mu exclusively; e.gen was 0.
func (t *table) soil(e *entry) {
	s := t.shard(e.hash)
	s.dirtyMu.Lock()
	s.dirty = append(s.dirty, e)
	s.dirtyMu.Unlock()
}

// cut takes the dirty entries of the generation that ends now; they stay findable in flight until landed.
func (t *table) cut() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.dirtyMu.Lock()
		s.dirty, s.flight = s.flight[:0], s.dirty
		n += len(s.flight)
		s.dirtyMu.Unlock()
	}
	return n
}

// landed forgets the entries of a finished flush.
func (t *table) landed() {
	for i := range t.shards {
		s := &t.shards[i]
		s.dirtyMu.Lock()
		clear(s.flight)
		s.flight = s.flight[:0]
		s.dirtyMu.Unlock()
	}
}

// pending appends the shard's entries that the database may not know yet.
func (s *shard) pending(list []*entry) []*entry {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	return append(append(list, s.flight...), s.dirty...)
}
