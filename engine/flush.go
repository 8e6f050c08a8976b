package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dchest/siphash"

	"atomiccounter/engine/journal"
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
	c := e.committer.lock()
	defer c.unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	if err := c.awaitTables(); err != nil {
		return err
	}
	return c.flush(flushStep{})
}

// relieve flushes if the cache holds far more than it may, all of it dirty.
func (e *Engine) relieve() {
	c := e.committer.lock()
	defer c.unlock()
	if e.table.over() && c.mayCommit() == nil && !e.tight() {
		if err := c.flush(flushStep{}); err != nil {
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

// flush is one flush.
func (c *committer) flush(step flushStep) error {
	if c.e.Failed() != nil {
		return c.e.failure()
	}
	if c.awaiting {
		return nil
	}
	begin := time.Now()
	batch := c.e.db.NewBatchWithSize(c.batchSize)
	defer batch.Close()
	c.e.halt()
	if step.before != nil {
		if err := step.before(); err != nil {
			c.e.resume()
			return c.e.fail(err)
		}
	}
	stamp := c.e.clock.next(c.e.Now())
	c.e.pace.dirtied.Store(false)
	c.e.pace.texts.Store(0)
	n := c.e.table.cut()
	emptied := c.e.table.emptied.Swap(0)
	gen := c.e.cuts.gen.Load()
	c.e.cuts.stamp.Store(uint64(stamp))
	c.e.cuts.gen.Store(gen + 1)
	if n > 0 {
		c.e.cuts.last.Store(uint64(stamp))
	}
	if err := c.noteCut(stamp, n > 0); err != nil {
		c.e.resume()
		return c.e.fail(err)
	}
	at := c.e.journal.Mark()
	c.e.resume()
	if n > 0 || step.always {
		if err := c.commit(batch, gen, n > 0, stamp, at); err != nil {
			return c.e.fail(fmt.Errorf("flush: %w", err))
		}
	}
	c.e.cuts.flushed.Store(gen)
	c.e.table.landed(gen)
	c.dropEmptied(emptied)
	if err := c.e.journal.Release(c.mark); err != nil {
		return c.e.fail(err)
	}
	c.e.pace.flushes.Add(1)
	c.e.pace.lastFlush.Store(c.e.Now())
	took := time.Since(begin)
	c.e.pace.lastTook.Store(int64(took))
	c.e.pace.rest.Store(int64(c.restAfter(n, took)))
	return nil
}

// restAfter is how long the next flush has time after one of so many keys.
func (c *committer) restAfter(keys int, took time.Duration) time.Duration {
	peers := c.flags&metaLogging != 0
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
func (c *committer) noteCut(stamp tlv.Stamp, publish bool) error {
	if !publish || c.flags&metaLogging == 0 {
		return nil
	}
	_, err := c.e.journal.Append(appendCut(nil, stamp))
	return err
}

// commit writes what the keys did in generation gen. If publish is set, peers get it as a batch.
func (c *committer) commit(batch *pebble.Batch, gen uint64, publish bool, stamp tlv.Stamp, at journal.Mark) error {
	b := c.nextBatch(stamp)
	w := deltaWriter{c: c, e: c.e, batch: batch, gen: gen, logs: publish && (c.flags&metaLogging != 0 || c.e.options.publish != nil)}
	w.log = tlv.BeginBatch(c.logBuffer[:0], &b)
	for i := range c.e.table.shards {
		for _, en := range c.e.table.shards[i].sortFlight() {
			if err := w.write(en); err != nil {
				return err
			}
		}
	}
	if err := c.bookFields(batch); err != nil {
		return err
	}
	if !w.logs {
		w.log = binary.LittleEndian.AppendUint64(w.log, w.sum)
	}
	b.Hash = tlv.SealBatch(w.log, 0, func(content []byte) tlv.Hash { return c.e.chainHash(&b, content) })
	w.log = tlv.EndBatch(w.log, 0)
	if c.logBuffer = w.log; cap(c.logBuffer) > maxBatchSize {
		c.logBuffer = nil
	}
	landed := func() {}
	if publish {
		var err error
		if landed, err = c.record(batch, &b, w.keys, func() []byte { return w.log }); err != nil {
			return err
		}
	}
	if err := errors.Join(c.e.history.write(batch), batch.Set([]byte{metaPrefix}, c.meta(at), nil)); err != nil {
		return err
	}
	durably := pebble.Sync
	if mutation == publishBeforeSync {
		durably = pebble.NoSync
	}
	size := batch.Len()                                                      // a large one is Pebble's afterwards
	if err := errors.Join(batch.Commit(durably), c.e.Failed()); err != nil { // Failed: see fence
		return err
	}
	c.mark, c.batchSize = at, min(size, maxBatchSize)
	c.unlooked += size
	landed()
	c.proclaim()
	if c.e.options.publish != nil && publish {
		c.e.options.publish(w.log)
	}
	return c.removeReplayed()
}

// maxBatchSize bounds the memory asked for at once, in bytes, in the expectation that a flush is as large as the last.
const maxBatchSize = 32 << 20

// deltaWriter writes what each dirty key did in a generation; its buffers are used again for the next key.
type deltaWriter struct {
	c          *committer
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
	if full.Collect(w.c.covers); full.Empty() {
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
		return w.c.book(w.batch, en.key, was, is, 0)
	case isField(en.key):
		en.fields.change += change(was.exists, is.exists)
		return nil
	}
	return w.c.book(w.batch, en.key, was, is, en.fields.stored)
}

// bookFields books what the flush in progress does to the numbers of fields.
func (c *committer) bookFields(batch *pebble.Batch) error {
	for i := range c.e.table.shards {
		for _, head := range c.e.table.shards[i].sunk() {
			f := head.fields
			is := f.stored + f.change
			head.mu.Lock()
			if is == 0 {
				c.e.tend(head)
			}
			b := head.books()
			head.mu.Unlock()
			if f.change == 0 {
				continue
			}
			c.recount(database(head.key), b, f.stored, b, is)
			f.stored, f.change = is, 0
			if err := c.e.setFields(batch, head.hash, head.key, is); err != nil {
				return err
			}
		}
	}
	return nil
}
