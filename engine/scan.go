package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// Keys are walked in the order of their hash. A cursor is the upper 53 bits of the hash to go on with, because clients
// read cursors as doubles; keys that share them are never split over two pages.
const (
	cursorShift = 64 - 53
	cursorEnd   = 1 << 53
)

// found is one key that shows.
type found struct {
	hash uint64
	key  string // user's key
	typ  Type
}

// Scan calls f with about count keys of the selected database from cursor on (0: the start), and their types; the key is only
// valid during the call. next is the cursor to go on with, below 2^53; 0: that was all. Every key that exists all the while is met at
// least once over the pages. No lock is held: the pipeline lets go of its own first, but for those of a section.
func (p *Pipeline) Scan(cursor uint64, count int, f func(key []byte, t Type)) (next uint64, err error) {
	return p.scanAt(p.now(), cursor, count, f)
}

// beforeAll is a time at which no expiry is due.
const beforeAll = 0

// scanAt is Scan of what exists at a time, in ms.
func (p *Pipeline) scanAt(now int64, cursor uint64, count int, f func(key []byte, t Type)) (next uint64, err error) {
	p.pause()
	if err := p.enterScan(); err != nil {
		return 0, err
	}
	defer p.e.scans.RUnlock()
	w := &walk{p: p, e: p.e, db: p.DB, now: now, want: max(count, 1), wiped: p.isWiped(p.DB), stale: p.e.unsyncable()}
	for shards := uint64(1); cursor < cursorEnd && len(w.list) < w.want; shards *= 2 {
		if cursor, err = w.some(cursor, shards); err != nil {
			return 0, err
		}
	}
	for _, k := range w.list {
		f([]byte(k.key), k.typ)
	}
	if cursor >= cursorEnd {
		cursor = 0
	}
	return cursor, nil
}

// Keys calls f with every key of the selected database, as Scan does. An error of f ends it.
func (p *Pipeline) Keys(f func(key []byte, t Type) error) error { return p.keysAt(p.now(), f) }

func (p *Pipeline) keysAt(now int64, f func(key []byte, t Type) error) error {
	for cursor := uint64(0); ; {
		var failed error
		next, err := p.scanAt(now, cursor, 10_000, func(key []byte, t Type) {
			if failed == nil {
				failed = f(key, t)
			}
		})
		if err = errors.Join(err, failed); err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

// RandomKey gives some key of the selected database, which is the caller's. Keys behind large gaps of the hash are met a
// little more often than others.
func (p *Pipeline) RandomKey() (key []byte, ok bool, err error) {
	var list [][]byte
	collect := func(k []byte, _ Type) { list = append(list, slices.Clone(k)) }
	for _, from := range []uint64{rand.Uint64N(cursorEnd), 0} {
		if _, err := p.Scan(from, 16, collect); err != nil {
			return nil, false, err
		}
		if len(list) > 0 {
			return list[rand.IntN(len(list))], true, nil
		}
	}
	return nil, false, nil
}

func (e *Engine) enterScan() error {
	e.scans.RLock()
	if e.health.closed.Load() {
		e.scans.RUnlock()
		return ErrClosed
	}
	return nil
}

// walk collects one page.
type walk struct {
	p    *Pipeline
	e    *Engine
	db   byte
	now  int64
	want int
	list []found

	wiped bool // what is stored does not count
	stale bool // nothing else counts
}

// some collects from a number of shards, or until the page is full, and gives the cursor after that. What is pending in
// memory is noted before the database is opened: a flush in between then shows a key twice rather than never.
func (w *walk) some(cursor, shards uint64) (next uint64, err error) {
	const perShard = cursorEnd >> shardBits
	first := cursor / perShard
	last := min(first+shards, 1<<shardBits)
	limit := last * perShard
	var pending []*entry
	for i := first; i < last && !w.stale; i++ {
		pending = w.e.table.shards[i].pending(pending)
	}
	start := len(w.list)
	next, err = w.stored(store.StatePrefix, cursor, limit)
	if err == nil && w.e.counts.hashes.Load() {
		states := w.list
		w.list = w.list[:start:start]
		if next, err = w.stored(store.FieldsPrefix, cursor, next); err == nil {
			w.list = append(w.list, states[start:]...)
		}
	}
	if err != nil {
		return 0, err
	}
	for _, en := range pending {
		if at := en.hash >> cursorShift; en.key()[0] == w.db && at >= cursor && at < next {
			w.add(en.hash, en.key()[1:], w.typeOf(en))
		}
	}
	w.list = slices.CompactFunc(w.sorted(start), func(a, b found) bool { return a.hash == b.hash && a.key == b.key })
	for len(w.list) > start && w.list[len(w.list)-1].hash>>cursorShift >= next {
		w.list = w.list[:len(w.list)-1]
	}
	return next, nil
}

func (w *walk) add(hash uint64, key string, t Type) {
	if t != TypeNone {
		w.list = append(w.list, found{hash, key, t})
	}
}

func (w *walk) sorted(start int) []found {
	slices.SortFunc(w.list[start:], func(a, b found) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key, b.key))
	})
	return w.list
}

// stored collects what the database has under a prefix from cursor up to limit, or until the page is full at the end of a
// group: states of keys, or numbers of fields, which are in the same order.
func (w *walk) stored(prefix byte, cursor, limit uint64) (next uint64, err error) {
	if w.wiped {
		return limit, nil
	}
	lower := binary.BigEndian.AppendUint64([]byte{prefix, w.db}, cursor<<cursorShift)
	upper := []byte{prefix, w.db + 1}
	if limit < cursorEnd {
		upper = binary.BigEndian.AppendUint64([]byte{prefix, w.db}, limit<<cursorShift)
	}
	next = limit
	for k, v := range store.Scan(w.e.db, lower, upper, &err) {
		hash := binary.BigEndian.Uint64(k[2:])
		if len(w.list) >= w.want && hash>>cursorShift != w.list[len(w.list)-1].hash>>cursorShift {
			next = hash >> cursorShift
			break
		}
		if err = w.take(hash, k, v); err != nil {
			break
		}
	}
	return next, err
}

// take adds a stored key if it shows: by its cached entry if there is one, which knows what is not flushed.
func (w *walk) take(hash uint64, k, v []byte) (err error) {
	key := k[store.StateKeyHeader:]
	if en := w.e.table.find(name{w.db, key, hash}); en != nil && !w.stale {
		w.add(hash, string(key), w.typeOf(en))
		return nil
	}
	var s tlv.State
	fields := k[0] == store.FieldsPrefix
	if fields {
		name := string(append([]byte{w.db}, key...))
		s, err = w.e.readState(store.Place{First: w.db, Hash: hash}, name)
	} else {
		s, err = tlv.ParseState(v)
	}
	if err == nil {
		w.add(hash, string(key), w.typeIn(&s, fields))
	}
	return err
}

func (w *walk) typeIn(s *tlv.State, fields bool) Type {
	switch v := s.View(); {
	case v.Expiry.At != 0 && v.Expiry.At <= w.now:
		return TypeNone
	case v.Exists:
		return TypeString
	case fields:
		return TypeHash
	}
	return TypeNone
}

// typeOf is what a cached key holds. A section that is not journaled may have made it that, whose locks it lets go of before.
func (w *walk) typeOf(en *entry) Type {
	en.mu.RLock()
	defer en.mu.RUnlock()
	t := en.typeAt(w.now)
	w.p.tells(en)
	w.p.tellsFields(en)
	w.p.told.unlocked = w.p.told.unlocked || w.p.told.saw
	return t
}
