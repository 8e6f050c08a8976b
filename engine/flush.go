package engine

import (
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
			e.table.evict(uint64(i)<<(64-shardBits), e.flushed.Load())
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
	at, _ := e.journal.Mark()
	if more != nil {
		if err := more(batch); err != nil {
			e.resume()
			return e.fail(err)
		}
	}
	e.resume()
	if n > 0 || more != nil {
		if err := e.commit(batch, gen, stamp, at); err != nil {
			return e.fail(fmt.Errorf("flush: %w", err))
		}
	}
	e.flushed.Store(gen)
	e.table.landed()
	if err := e.journal.Release(at); err != nil {
		return e.fail(err)
	}
	e.flushes.Add(1)
	e.lastFlush.Store(e.Now())
	e.lastTook.Store(int64(time.Since(begin)))
	return nil
}

func (e *Engine) commit(batch *pebble.Batch, gen uint64, stamp tlv.Stamp, at mark) error {
	var w deltaWriter
	for i := range e.table.shards {
		for _, en := range e.table.shards[i].flight {
			if err := w.write(e, batch, en, gen, stamp); err != nil {
				return err
			}
		}
	}
	e.vector[e.id] = stamp
	if err := batch.Set([]byte{metaPrefix}, e.meta(at), nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

func (e *Engine) meta(at mark) []byte {
	m := meta{id: e.id, seed: e.seed, clock: tlv.Stamp(e.clock.last.Load()), mark: at, count: e.count, countEx: e.countEx, vector: e.vector}
	return m.encode()
}

// deltaWriter writes what one key did in a generation; its buffers are used again for the next key.
type deltaWriter struct{ key, value []byte }

func (w *deltaWriter) write(e *Engine, batch *pebble.Batch, en *entry, gen uint64, stamp tlv.Stamp) error {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.gen == gen {
		en.roll(e.id, stamp)
		en.fast.Store(0)
		if !en.stale.Load() {
			e.tend(en)
		}
	}
	if en.op.gen != gen {
		return fmt.Errorf("bug: %q is dirty without an operand", en.key)
	}
	if !en.op.own && len(en.op.resets) == 0 {
		return nil
	}
	w.key = stateKey(w.key[:0], en.hash, en.key)
	if err := w.writeState(e, batch, en); err != nil {
		return err
	}
	return w.index(e, batch, en)
}

func (w *deltaWriter) writeState(e *Engine, batch *pebble.Batch, en *entry) error {
	if e.dead(en) {
		en.own, en.other = tlv.Contribution{}, tlv.State{}
		en.op.own, en.op.resets = false, nil
		return batch.Delete(w.key, nil)
	}
	var s tlv.State
	if en.op.own {
		s.Contributions = append(s.Contributions, en.own)
	}
	s.Resets = en.op.resets
	w.value = tlv.AppendState(w.value[:0], &s)
	return batch.Merge(w.key, w.value, nil)
}

// dead says that nothing of the key has to be kept: what is left of it is closed or cancelled, and the version vector covers
// it. Apply cannot come between, it needs commitMu.
func (e *Engine) dead(en *entry) bool {
	if en.stale.Load() || en.own.Replica != 0 && !en.own.Closed {
		return false
	}
	if len(en.other.Contributions) == 0 && len(en.other.Resets) == 0 {
		return true
	}
	s := en.other.Clone()
	s.Collect(e.covers)
	return s.Empty()
}

func (e *Engine) covers(id tlv.ReplicaID, stamp tlv.Stamp) bool {
	return id == e.id || stamp <= e.vector[id]
}

// index keeps the expiry index and the counts of the store in step with the state.
func (w *deltaWriter) index(e *Engine, batch *pebble.Batch, en *entry) error {
	s := en.state()
	v := s.View()
	db := en.key[0]
	e.count[db] += change(en.stored, v.Exists)
	en.stored = v.Exists
	at := en.indexAt()
	e.countEx[db] += change(en.indexed != 0, at != 0)
	if at == en.indexed {
		return nil
	}
	if en.indexed != 0 {
		w.key = indexKey(w.key[:0], en.indexed, en.key)
		if err := batch.Delete(w.key, nil); err != nil {
			return err
		}
	}
	en.indexed = at
	if at == 0 {
		return nil
	}
	w.key = indexKey(w.key[:0], at, en.key)
	return batch.Set(w.key, nil, nil)
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
