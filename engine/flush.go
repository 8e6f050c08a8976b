package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

const (
	flushSoon  = 10 * time.Millisecond
	flushLate  = 2 * time.Second
	flushShare = 4 // wait that many times as long as the last flush took: at most a fifth of one core
)

// flusher flushes as long as there is something to flush, paced.
func (e *Engine) flusher() {
	defer e.done.Done()
	for {
		select {
		case <-e.stop:
			return
		case <-e.dirty:
		}
		wait := min(max(flushSoon, flushShare*time.Duration(e.lastTook.Load())), flushLate)
		select {
		case <-e.stop:
			return
		case <-time.After(wait):
		}
		if err := e.Flush(); err != nil {
			return // the engine has failed, and has said so
		}
	}
}

// Flush brings all that is journaled into the database, synced.
func (e *Engine) Flush() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.closed.Load() {
		return ErrClosed
	}
	return e.flush(nil)
}

// relieve flushes if the cache holds far more than it may, all of it dirty.
func (e *Engine) relieve() {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.table.over() && e.Failed() == nil && !e.closed.Load() {
		if err := e.flush(nil); err != nil {
			e.log.Error("flush", "err", err)
		}
		for i := range e.table.shards {
			e.table.evict(uint64(i)<<(64-shardBits), e.flushed.Load(), e.forget)
		}
	}
}

// flush is one flush; more adds to its batch inside the cut. The caller holds commitMu.
func (e *Engine) flush(more func(*pebble.Batch) error) error {
	if err := e.Failed(); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	begin := time.Now()
	batch := e.db.NewBatch()
	defer batch.Close()
	e.halt()
	stamp := e.clock.next(e.Now())
	e.dirtied.Store(false)
	n := e.table.cut()
	gen := e.gen.Load()
	e.cutStamp.Store(uint64(stamp))
	e.gen.Store(gen + 1)
	if more != nil {
		if err := more(batch); err != nil {
			e.resume()
			return e.fail(err)
		}
	}
	at, _ := e.journal.Mark() // beyond what more journaled: it must not happen again, on top of what is applied later
	e.resume()
	if n > 0 || more != nil {
		if err := e.commit(batch, gen, stamp, at); err != nil {
			return e.fail(fmt.Errorf("flush: %w", err))
		}
	}
	e.flushed.Store(gen)
	e.table.landed()
	if err := e.journal.Release(e.mark); err != nil {
		return e.fail(err)
	}
	e.flushes.Add(1)
	e.lastFlush.Store(e.Now())
	e.lastTook.Store(int64(time.Since(begin)))
	return nil
}

func (e *Engine) commit(batch *pebble.Batch, gen uint64, stamp tlv.Stamp, at mark) error {
	w := deltaWriter{batch: tlv.Batch{Replica: e.id, Prev: e.vector[e.id], Stamp: stamp}}
	for i := range e.table.shards {
		for _, en := range e.table.shards[i].flight {
			if err := w.write(e, batch, en, gen); err != nil {
				return err
			}
		}
	}
	e.vector[e.id] = stamp
	if err := batch.Set([]byte{metaPrefix}, e.meta(at), nil); err != nil {
		return err
	}
	if err := errors.Join(batch.Commit(pebble.Sync), e.Failed()); err != nil { // Failed: see fence
		return err
	}
	e.mark = at
	if e.options.publish != nil {
		e.options.publish(&w.batch)
	}
	return nil
}

func (e *Engine) meta(at mark) []byte {
	m := meta{id: e.id, seed: e.seed, clock: tlv.Stamp(e.clock.last.Load()), mark: at, count: e.count, countEx: e.countEx, vector: e.vector}
	return m.encode()
}

// deltaWriter writes what one key did in a generation; its buffers are used again for the next key.
type deltaWriter struct {
	key, value []byte
	batch      tlv.Batch // what peers are to get
}

func (w *deltaWriter) write(e *Engine, batch *pebble.Batch, en *entry, gen uint64) error {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.gen == gen {
		e.roll(en)
		en.fast.Store(0)
		if en.incoming() == nil {
			e.tend(en)
		}
	}
	if en.flight != gen {
		return fmt.Errorf("bug: %q is dirty without an operand", en.key)
	}
	delta := en.operand()
	if delta.Empty() {
		return nil
	}
	if e.options.publish != nil {
		w.batch.Deltas = append(w.batch.Deltas, tlv.Delta{Key: []byte(en.key), State: delta.Clone()})
	}
	full := en.full()
	is := e.booksOf(&full)
	if err := e.book(batch, en.key, en.books, is); err != nil {
		return err
	}
	en.books = is
	w.key = stateKey(w.key[:0], en.hash, en.key)
	if full.Collect(e.covers); full.Empty() {
		en.own, en.foreign = tlv.Contribution{}, nil
		en.stale.Store(false)
		return batch.Delete(w.key, nil)
	}
	w.value = tlv.AppendState(w.value[:0], delta)
	return batch.Merge(w.key, w.value, nil)
}

// operand is what the generation that is being committed changed.
func (e *entry) operand() *tlv.State {
	s := &tlv.State{}
	if e.foreign != nil {
		s.Resets = e.foreign.resets
	}
	if e.flightOwn {
		s.Contributions = []tlv.Contribution{e.own}
	}
	return s
}

func (e *Engine) covers(id tlv.ReplicaID, stamp tlv.Stamp) bool {
	return id == e.id || stamp <= e.vector[id]
}
