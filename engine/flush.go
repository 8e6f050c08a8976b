package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dchest/siphash"

	"atomiccounter/tlv"
)

const (
	flushSoon    = 5 * time.Millisecond
	flushLate    = 2 * time.Second
	flushAwaited = 1200 * time.Millisecond // the same, where peers wait for it
	flushSmall   = 100                     // keys: a flush of so few takes no processor to speak of, only the disk's time
	flushShare   = 9                       // wait that many times as long as the last flush took: at most a tenth of one core
	flushTurn    = 3                       // the same after a small one, where peers wait: each syncs it too, and has those of others to sync
)

// flusher flushes as long as there is something to flush, paced.
func (e *Engine) flusher() {
	defer e.running.done.Done()
	for {
		select {
		case <-e.running.stop:
			return
		case <-e.pace.dirty:
		}
		select {
		case <-e.running.stop:
			return
		case <-e.pace.hurry:
		case <-time.After(max(flushSoon, time.Duration(e.pace.rest.Load()))):
		}
		if !e.flushWithRoom() {
			return
		}
	}
}

// flushWithRoom flushes once the disk has room for that. False: there is nothing more to flush, for the engine stops or has
// failed, and has said so.
func (e *Engine) flushWithRoom() bool {
	for e.awaitRoom() {
		if err := e.Flush(); !errors.Is(err, ErrNoSpace) {
			return err == nil
		}
		select {
		case <-e.running.stop:
		case <-time.After(spaceEvery):
		}
	}
	return false
}

// Flush brings all that is journaled into the database, synced. While the store awaits its peers it does nothing. ErrNoSpace:
// nothing has changed, and a later one may do it.
func (e *Engine) Flush() error {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	if err := e.awaitTables(); err != nil {
		return err
	}
	return e.flush(flushStep{})
}

// relieve flushes if the cache holds far more than it may, all of it dirty.
func (e *Engine) relieve() {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.table.over() && e.mayCommit() == nil && !e.tight() {
		if err := e.flush(flushStep{}); err != nil {
			e.log.Error("flush", "err", err)
		}
		for i := range e.table.shards {
			e.table.evict(uint64(i)<<(64-shardBits), e.cuts.flushed.Load(), e.forget)
		}
	}
}

// flushStep is what a flush does beside its usual work.
type flushStep struct {
	always bool         // commit even if nothing is dirty
	before func() error // called before the cut, with all guards held
}

// flush is one flush. The caller holds commitMu.
func (e *Engine) flush(step flushStep) error {
	if e.Failed() != nil {
		return e.failure()
	}
	if e.awaiting {
		return nil
	}
	begin := time.Now()
	batch := e.db.NewBatchWithSize(e.batchSize)
	defer batch.Close()
	e.halt()
	if step.before != nil {
		if err := step.before(); err != nil {
			e.resume()
			return e.fail(err)
		}
	}
	stamp := e.clock.next(e.Now())
	e.pace.dirtied.Store(false)
	e.pace.texts.Store(0)
	n := e.table.cut()
	emptied := e.table.emptied.Swap(0)
	gen := e.cuts.gen.Load()
	e.cuts.stamp.Store(uint64(stamp))
	e.cuts.gen.Store(gen + 1)
	if n > 0 {
		e.cuts.last.Store(uint64(stamp))
	}
	if err := e.noteCut(stamp, n > 0); err != nil {
		e.resume()
		return e.fail(err)
	}
	at := e.journal.Mark()
	e.resume()
	if n > 0 || step.always {
		if err := e.commit(batch, gen, n > 0, stamp, at); err != nil {
			return e.fail(fmt.Errorf("flush: %w", err))
		}
	}
	e.cuts.flushed.Store(gen)
	e.table.landed(gen)
	e.dropEmptied(emptied)
	if err := e.journal.Release(e.mark); err != nil {
		return e.fail(err)
	}
	e.pace.flushes.Add(1)
	e.pace.lastFlush.Store(e.Now())
	took := time.Since(begin)
	e.pace.lastTook.Store(int64(took))
	e.pace.rest.Store(int64(e.restAfter(n, took)))
	return nil
}

// restAfter is how long the next flush has time after one of so many keys.
func (e *Engine) restAfter(keys int, took time.Duration) time.Duration {
	peers := e.flags&metaLogging != 0
	switch {
	case keys <= flushSmall && peers:
		return min(flushTurn*took, flushAwaited)
	case keys <= flushSmall:
		return 0
	case peers:
		return min(flushShare*took, flushAwaited)
	}
	return min(flushShare*took, flushLate)
}

// noteCut notes the cut in the journal if peers will get what lies before it.
func (e *Engine) noteCut(stamp tlv.Stamp, publish bool) error {
	if !publish || e.flags&metaLogging == 0 {
		return nil
	}
	_, err := e.journal.Append(appendCut(nil, stamp))
	return err
}

// commit writes what the keys did in generation gen. If publish is set, peers get it as a batch.
func (e *Engine) commit(batch *pebble.Batch, gen uint64, publish bool, stamp tlv.Stamp, at mark) error {
	b := e.nextBatch(stamp)
	w := deltaWriter{e: e, batch: batch, gen: gen, logs: publish && (e.flags&metaLogging != 0 || e.options.publish != nil)}
	w.log = tlv.BeginBatch(e.logBuffer[:0], &b)
	for i := range e.table.shards {
		for _, en := range e.table.shards[i].sortFlight() {
			if err := w.write(en); err != nil {
				return err
			}
		}
	}
	if err := e.bookFields(batch); err != nil {
		return err
	}
	if !w.logs {
		w.log = binary.LittleEndian.AppendUint64(w.log, w.sum)
	}
	b.Hash = tlv.SealBatch(w.log, 0, func(content []byte) tlv.Hash { return e.chainHash(&b, content) })
	w.log = tlv.EndBatch(w.log, 0)
	if e.logBuffer = w.log; cap(e.logBuffer) > maxBatchSize {
		e.logBuffer = nil
	}
	landed := func() {}
	if publish {
		var err error
		if landed, err = e.record(batch, &b, w.keys, func() []byte { return w.log }); err != nil {
			return err
		}
	}
	if err := errors.Join(e.history.write(batch), batch.Set([]byte{metaPrefix}, e.meta(at), nil)); err != nil {
		return err
	}
	durably := pebble.Sync
	if mutation == publishBeforeSync {
		durably = pebble.NoSync
	}
	size := batch.Len()                                                    // a large one is Pebble's afterwards
	if err := errors.Join(batch.Commit(durably), e.Failed()); err != nil { // Failed: see fence
		return err
	}
	e.mark, e.batchSize = at, min(size, maxBatchSize)
	e.unlooked += size
	landed()
	e.proclaim()
	if e.options.publish != nil && publish {
		e.options.publish(w.log)
	}
	return e.removeReplayed()
}

// maxBatchSize bounds the memory asked for at once, in bytes, in the expectation that a flush is as large as the last.
const maxBatchSize = 32 << 20

func (e *Engine) meta(at mark) []byte {
	m := meta{id: e.self.id, seed: e.self.seed, clock: tlv.Stamp(e.clock.last.Load()), mark: at, flags: e.flags, count: e.count, countEx: e.countEx, vector: e.vector}
	return m.encode()
}

// deltaWriter writes what each dirty key did in a generation; its buffers are used again for the next key.
type deltaWriter struct {
	e          *Engine
	batch      *pebble.Batch
	gen        uint64
	key, value []byte
	delta      tlv.State
	logs       bool   // peers are to get it
	log        []byte // for them
	sum        uint64 // a hash of what was written, where nobody is to get it
	keys       uint32 // in log
}

func (w *deltaWriter) write(en *entry) error {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.gen == w.gen {
		w.e.roll(en)
		en.fast.Store(0)
		if en.incoming() == nil {
			w.e.tend(en)
		}
		w.e.table.weigh(en)
	}
	if en.flight != w.gen {
		return fmt.Errorf("bug: %q is dirty without an operand", en.key)
	}
	if w.operand(en); w.delta.Empty() {
		return nil
	}
	if w.logs {
		w.key = append(w.key[:0], en.key...)
		w.log = tlv.AppendDelta(w.log, &tlv.Delta{Key: w.key, State: w.delta})
		w.keys++
	}
	w.key = stateKey(w.key[:0], en.place(), en.key)
	w.value = tlv.AppendState(w.value[:0], &w.delta)
	if !w.logs {
		w.sum = siphash.Hash(w.sum, siphash.Hash(w.sum, 0, w.key), w.value)
	}
	if en.foreign == nil {
		return w.alone(en)
	}
	return w.joined(en)
}

// operand makes delta what the generation changed.
func (w *deltaWriter) operand(en *entry) {
	w.delta.Contributions, w.delta.Resets, w.delta.Origins = w.delta.Contributions[:0], nil, w.delta.Origins[:0]
	if en.flightOwn {
		w.delta.Contributions = append(w.delta.Contributions, en.own)
	}
	if en.foreign != nil {
		w.delta.Resets = en.foreign.resets
		for _, c := range en.foreign.tails {
			w.delta.Put(c)
		}
		for _, o := range en.foreign.other.Origins {
			if w.delta.Reset(o.ID) != nil {
				w.delta.Origins = append(w.delta.Origins, o)
			}
		}
	}
}

// alone writes a key in which no other replica ever had a part: the delta is its whole state. To set that comes to the
// same as to merge it, and spares whoever reads or compacts the merge.
func (w *deltaWriter) alone(en *entry) error {
	v := viewOwn(&en.own, true)
	if err := w.book(en, &v); err != nil {
		return err
	}
	if en.own.Closed {
		en.own = tlv.Contribution{}
		return w.batch.Delete(w.key, nil)
	}
	return w.batch.Set(w.key, w.value, nil)
}

// joined writes a key that others have a part in.
func (w *deltaWriter) joined(en *entry) error {
	full := en.full()
	v := full.View()
	if err := w.book(en, &v); err != nil {
		return err
	}
	if full.Collect(w.e.covers); full.Empty() {
		en.own, en.foreign = tlv.Contribution{}, nil
		en.stale.Store(false)
		return w.batch.Delete(w.key, nil)
	}
	return w.batch.Merge(w.key, w.value, nil)
}

func (w *deltaWriter) book(en *entry, v *tlv.View) error {
	was, is := en.books(), w.e.booksOf(v)
	en.setBooks(is)
	switch {
	case en.fields == nil:
		return w.e.book(w.batch, en.key, was, is, 0)
	case isField(en.key):
		en.fields.change += change(was.exists, is.exists)
		return nil
	}
	return w.e.book(w.batch, en.key, was, is, en.fields.stored)
}

// bookFields books what the flush in progress does to the numbers of fields.
func (e *Engine) bookFields(batch *pebble.Batch) error {
	for i := range e.table.shards {
		for _, head := range e.table.shards[i].sunk() {
			f := head.fields
			is := f.stored + f.change
			head.mu.Lock()
			if is == 0 {
				e.tend(head)
			}
			b := head.books()
			head.mu.Unlock()
			if f.change == 0 {
				continue
			}
			e.recount(database(head.key), b, f.stored, b, is)
			f.stored, f.change = is, 0
			if err := e.setFields(batch, head.hash, head.key, is); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) covers(id tlv.ReplicaID, stamp tlv.Stamp) bool {
	return id == e.self.id || stamp <= e.vector.Entry(id).Stamp
}
