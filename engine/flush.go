package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dchest/siphash"

	"atomiccounter/engine/journal"
	"atomiccounter/engine/state"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

const (
	flushSoon       = 5 * time.Millisecond
	flushLate       = 2 * time.Second
	flushAwaited    = 1200 * time.Millisecond // the same, where peers wait for it
	flushSmall      = 100                     // keys: a flush of so few takes no processor to speak of, only the disk's time
	flushShare      = 9                       // wait that many times as long as the last flush took: at most a tenth of one core
	flushSmallShare = 3                       // the same after a small one, where peers wait: each syncs it too, and has those of others to sync
)

// pace says when to flush.
type pace struct {
	dirty               signal       // there is something to flush
	hurry               signal       // a caller waits for a flush
	dirtied             atomic.Bool  // dirty was signalled in this generation
	texts               atomic.Int64 // bytes of texts assigned in the present generation
	rest                atomic.Int64 // until the next flush, in ns
	lastFlush, lastTook atomic.Int64 // ms since the epoch; ns
	flushes             atomic.Int64
}

// restart is for the generation that begins.
func (p *pace) restart() {
	p.dirtied.Store(false)
	p.texts.Store(0)
}

// done notes a flush that ended now, ms, and after how long the next may begin.
func (p *pace) done(now int64, took, rest time.Duration) {
	p.flushes.Add(1)
	p.lastFlush.Store(now)
	p.lastTook.Store(int64(took))
	p.rest.Store(int64(rest))
}

// note has the flusher wake up if this is the first that is dirty in this generation.
func (p *pace) note() {
	if !p.dirtied.Load() && p.dirtied.CompareAndSwap(false, true) {
		p.dirty.give()
	}
}

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
	return c.flush()
}

// flushExcess flushes if the cache holds far more than it may, all of it dirty.
func (e *Engine) flushExcess() {
	c := e.committer.lock()
	defer c.unlock()
	if e.table.over() && c.mayCommit() == nil && !e.tight() {
		if err := c.flush(); err != nil {
			e.log.Error("flush", "err", err)
		}
		for i := range e.table.shards {
			e.table.evict(uint64(i)<<(64-shardBits), e.cuts.flushed.Load(), e.forget)
		}
	}
}

// flush brings all that is pending into the database.
func (c *committer) flush() error { return (&flush{c: c}).run() }

// flushMark is flush, which commits even if nothing is pending: the journal before it is not needed any more.
func (c *committer) flushMark() error { return (&flush{c: c, always: true}).run() }

// flushAs is flushMark, with become called before the cut, while all guards are held.
func (c *committer) flushAs(become func() error) error {
	return (&flush{c: c, always: true, before: become}).run()
}

// flush is one flush: the cut that ends a generation, the commit of what keys did in it, and what follows from that.
type flush struct {
	c      *committer
	always bool         // commit even if nothing is dirty
	before func() error // called before the cut, with all guards held; nil: nothing is

	gen     uint64 // that ended
	stamp   tlv.Stamp
	keys    int    // dirty ones, by cut
	emptied uint32 // databases, a bit each
	at      journal.Mark
}

func (f *flush) run() error {
	c, e := f.c, f.c.e
	if e.Failed() != nil {
		return e.failure()
	}
	if c.awaiting {
		return nil
	}
	begin := time.Now()
	t := c.begin(c.batchSize)
	defer t.close()
	if err := f.cut(); err != nil {
		return e.fail(err)
	}
	if f.keys > 0 || f.always {
		if err := f.commit(t); err != nil {
			return e.fail(fmt.Errorf("flush: %w", err))
		}
	}
	e.cuts.flushed.Store(f.gen)
	e.table.forgetFlight(f.gen)
	c.dropEmptied(f.emptied)
	if err := e.journal.Release(c.mark); err != nil {
		return e.fail(err)
	}
	took := time.Since(begin)
	e.pace.done(e.Now(), took, c.restAfter(f.keys, took))
	return nil
}

// cut ends the generation at a moment when no pipeline is active.
func (f *flush) cut() error {
	c, e := f.c, f.c.e
	e.cuts.halt()
	defer e.cuts.resume()
	if f.before != nil {
		if err := f.before(); err != nil {
			return err
		}
	}
	f.stamp = e.clock.next(e.Now())
	e.pace.restart()
	f.keys = e.table.cut()
	f.emptied = e.table.emptied.Swap(0)
	f.gen = e.cuts.advance(f.stamp, f.keys > 0)
	if f.keys > 0 && c.flags&metaLogging != 0 { // peers will get what lies before it
		if _, err := e.journal.Append(appendCut(nil, f.stamp)); err != nil {
			return err
		}
	}
	f.at = e.journal.Mark()
	return nil
}

// restAfter is how long the next flush has time after one of so many keys.
func (c *committer) restAfter(keys int, took time.Duration) time.Duration {
	peers := c.flags&metaLogging != 0
	switch {
	case keys <= flushSmall && peers:
		return min(flushSmallShare*took, flushAwaited)
	case keys <= flushSmall:
		return 0
	case peers:
		return min(flushShare*took, flushAwaited)
	}
	return min(flushShare*took, flushLate)
}

// commit writes what the keys did in the generation. If any did something, peers get it as a batch.
func (f *flush) commit(t *commit) error {
	c, e := f.c, f.c.e
	publish := f.keys > 0
	b := c.nextBatch(f.stamp)
	w := deltaWriter{t: t, e: e, gen: f.gen, logs: publish && (c.flags&metaLogging != 0 || e.options.publish != nil)}
	w.log = tlv.BeginBatch(c.logBuffer[:0], &b)
	for i := range e.table.shards {
		for _, en := range e.table.shards[i].sortFlight() {
			if err := w.write(en); err != nil {
				return err
			}
		}
	}
	t.bookFields()
	if !w.logs {
		w.log = binary.LittleEndian.AppendUint64(w.log, w.sum)
	}
	b.Hash = tlv.SealBatch(w.log, 0, func(content []byte) tlv.Hash { return e.self.secret.Hash(&b, content) })
	w.log = tlv.EndBatch(w.log, 0)
	if c.logBuffer = w.log; cap(c.logBuffer) > maxBatchSize {
		c.logBuffer = nil
	}
	if publish {
		t.record(&b, w.keys, func() []byte { return w.log })
	}
	t.saveHistory()
	t.saveMeta(f.at)
	durably := pebble.Sync
	if mutation == publishBeforeSync {
		durably = pebble.NoSync
	}
	size := t.batch.Len() // a large one is Pebble's afterwards
	if err := t.write(durably); err != nil {
		return err
	}
	c.mark, c.batchSize = f.at, min(size, maxBatchSize)
	c.unchecked += size
	c.proclaim()
	if e.options.publish != nil && publish {
		e.options.publish(w.log)
	}
	return c.removeReplayed()
}

// maxBatchSize bounds the memory asked for at once, in bytes, in the expectation that a flush is as large as the last.
const maxBatchSize = 32 << 20

// deltaWriter writes what each dirty key did in a generation; its buffers are used again for the next key.
type deltaWriter struct {
	t          *commit
	e          *Engine
	gen        uint64
	key, value []byte
	delta      tlv.State
	logs       bool   // peers are to get it
	log        []byte // for them
	sum        uint64 // a hash of what was written, where no peer is to get it
	keys       int    // in log
}

func (w *deltaWriter) write(en *entry) error {
	w.e.lockState(en)
	defer w.e.unlockState(en)
	if en.is(pending) && en.gen == w.gen {
		w.e.roll(en)
		if en.state().Incoming() == nil {
			w.e.closeLeftover(en)
		}
	}
	if en.gen < w.gen {
		return fmt.Errorf("bug: %q is dirty without an operand", en.key())
	}
	if w.operand(en); w.delta.Empty() {
		return nil
	}
	w.value = tlv.AppendState(w.value[:0], &w.delta)
	if w.logs {
		w.key = append(w.key[:0], en.key()...)
		w.log = tlv.AppendEncodedDelta(w.log, w.key, w.value)
		w.keys++
	}
	w.key = store.StateKey(w.key[:0], en.place(), en.key())
	if !w.logs {
		w.sum = siphash.Hash(w.sum, siphash.Hash(w.sum, 0, w.key), w.value)
	}
	if en.state().Foreign == nil {
		return w.writeOwn(en)
	}
	return w.writeShared(en)
}

// operand makes delta what the generation changed.
func (w *deltaWriter) operand(en *entry) {
	w.delta.Contributions, w.delta.Resets, w.delta.Origins = w.delta.Contributions[:0], nil, w.delta.Origins[:0]
	if en.is(ownInFlight) {
		w.delta.Contributions = append(w.delta.Contributions, en.state().Own)
	}
	if en.state().Foreign != nil {
		w.delta.Resets = en.state().Foreign.Resets
		for _, c := range en.state().Foreign.Tails {
			w.delta.Put(c)
		}
		for _, o := range en.state().Foreign.Other.Origins {
			if w.delta.Reset(o.ID) != nil {
				w.delta.Origins = append(w.delta.Origins, o)
			}
		}
	}
}

// writeOwn writes a key in which no other replica ever had a part: the delta is its whole state. To set that comes to the
// same as to merge it, and spares reads and compactions the merge.
func (w *deltaWriter) writeOwn(en *entry) error {
	v := state.ViewOwn(&en.state().Own, true)
	w.book(en, &v)
	if en.state().Own.Closed {
		en.state().Own = tlv.Contribution{}
		return w.t.batch.Delete(w.key, nil)
	}
	return w.t.batch.Set(w.key, w.value, nil)
}

// writeShared writes a key in which other replicas have a part.
func (w *deltaWriter) writeShared(en *entry) error {
	full := en.state().Stored()
	v := full.View()
	// The database may have dropped a closed contribution when there was no other. It names an expiry that is that of the new one, too.
	whole := slices.ContainsFunc(full.Contributions, func(c tlv.Contribution) bool { return c.Closed && c.Expiry.Stamp != 0 })
	if whole {
		w.value = tlv.AppendState(w.value[:0], &full)
	}
	if full.Collect(w.t.c.covers); full.Empty() {
		w.book(en, &tlv.View{})
		en.state().Own, en.state().Foreign = tlv.Contribution{}, nil
		return w.t.batch.Delete(w.key, nil)
	}
	w.book(en, &v)
	if whole {
		return w.t.batch.Set(w.key, w.value, nil)
	}
	return w.t.batch.Merge(w.key, w.value, nil)
}

func (w *deltaWriter) book(en *entry, v *tlv.View) {
	was, is := en.books(), w.e.booksOf(v)
	en.setBooks(is)
	switch {
	case en.fields() == nil:
		w.t.book(en.key(), was, is, 0)
	case isField(en.key()):
		en.fields().change += change(was.exists, is.exists)
	default:
		w.t.book(en.key(), was, is, en.fields().stored)
	}
}

// bookFields books what the flush in progress does to the numbers of fields.
func (t *commit) bookFields() {
	e := t.c.e
	for i := range e.table.shards {
		for _, head := range e.table.shards[i].flightHeads() {
			f := head.fields()
			is := f.stored + f.change
			e.lockState(head)
			if is == 0 {
				e.closeLeftover(head)
			}
			b := head.books()
			e.unlockState(head)
			if f.change == 0 {
				continue
			}
			t.c.recount(database(head.key()), b, f.stored, b, is)
			f.stored, f.change = is, 0
			t.setFields(head.hash, head.key(), is)
		}
	}
}
