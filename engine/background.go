package engine

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/store"
)

const (
	sweepEvery = 100 * time.Millisecond
	sweepPage  = 512       // keys per look into the index
	sweepGrace = 10 * 1000 // ms after which a replica carries out another's expiry
	spaceEvery = 200 * time.Millisecond
)

// signal wakes a goroutine that receives from it. Those that are given before it does are one.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) give() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// every calls f at each interval until the engine stops.
func (e *Engine) every(interval time.Duration, f func()) {
	defer e.running.done.Done()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-e.running.stop:
			return
		case <-tick.C:
			f()
		}
	}
}

// syncer syncs the journal: for waiters, and every second.
func (e *Engine) syncer() {
	defer e.running.done.Done()
	e.journal.Run(e.running.stop, func() bool { return e.Sync() == EverySec }, func(err error) {
		if e.Failed() == nil {
			_ = e.fail(err) // logged there
		}
	})
}

// sweeper carries out expiries whose time has come.
func (e *Engine) sweeper() {
	e.every(sweepEvery, func() {
		if e.refusal() != nil {
			return // a sweep is a write
		}
		if err := e.Sweep(); err != nil && !errors.Is(err, ErrClosed) {
			e.log.Error("expiry", "err", err)
		}
	})
}

// HoldExpiries has Sweep do nothing before a time. What has expired reads as absent all the same, and a
// command that writes it carries its expiry out.
func (e *Engine) HoldExpiries(until time.Time) { e.sweeps.heldTo.Store(until.UnixMilli()) }

// LongestSweep is how long the longest look for expired keys took since it was last asked.
func (e *Engine) LongestSweep() time.Duration { return time.Duration(e.sweeps.longest.Swap(0)) }

// due is one record of the expiry index.
type due struct {
	at  int64
	key string
}

// Sweep carries out all expiries whose time has come and that are this replica's to carry out, unless they are held.
func (e *Engine) Sweep() error {
	begun := time.Now()
	if begun.UnixMilli() < e.sweeps.heldTo.Load() {
		return nil
	}
	defer func() { e.sweeps.longest.Store(max(e.sweeps.longest.Load(), int64(time.Since(begun)))) }()
	p := e.NewPipeline()
	now := e.Now()
	from := []byte{store.IndexPrefix}
	for {
		page, err := e.duePage(from, now)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, d := range page {
			if err := p.sweep(d, now); err != nil {
				return errors.Join(err, p.finish())
			}
		}
		if err := p.finish(); err != nil {
			return err
		}
		last := page[len(page)-1]
		from = append(store.IndexKey(from[:0], last.at, last.key), 0)
	}
}

// finish commits where no client waits for a reply.
func (p *Pipeline) finish() error {
	_, err := p.Commit()
	return err
}

func (e *Engine) duePage(from []byte, now int64) (page []due, err error) {
	if err := e.enterScan(); err != nil {
		return nil, err
	}
	defer e.scans.RUnlock()
	for k := range store.Scan(e.db, from, store.IndexKey(nil, now+1, ""), &err) {
		at, key, ok := store.ParseIndexKey(k)
		if !ok {
			continue // Check reports it
		}
		if page = append(page, due{at, string(key)}); len(page) == sweepPage {
			break
		}
	}
	return page, err
}

// sweep carries out one expiry, or removes its record from the index if it is out of date.
func (p *Pipeline) sweep(d due, now int64) error {
	p.DB = d.key[0]
	if err := p.writable(0); err != nil {
		return err
	}
	en, err := p.toSweep(d)
	if err != nil {
		return err
	}
	if en.due(now) && (p.e.self.mine(en.rare.open.owner) || en.expire.Load()+sweepGrace <= now) {
		p.cancelAll(en)
		return nil
	}
	switch {
	case en.rare.open.index != d.at:
	case !en.is(pending) && !en.is(there) && en.fields() == nil: // only an expiry is left of the key, whose owner has not closed it in time
		p.cancel(en)
		return nil
	default:
		return nil // already cancelled; the flush removes it
	}
	p.pause()
	return p.e.unindex(d)
}

// toSweep gives the entry of what may have expired, ready for that.
func (p *Pipeline) toSweep(d due) (*entry, error) {
	if !isToken(d.key) {
		return p.lockFor([]byte(d.key[1:]), toEdit)
	}
	en, err := p.lockKey([]byte(d.key))
	if err == nil {
		p.ready(en, everything)
	}
	return en, err
}

// unindex removes a record of the expiry index that speaks of no key any more (after FLUSHDB).
func (e *Engine) unindex(d due) error {
	c := e.committer.lock()
	defer c.unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	if en := e.table.get(e.self.hash([]byte(d.key[1:])), d.key); en != nil {
		en.mu.RLock()
		current := en.books().index == d.at
		en.mu.RUnlock()
		if current {
			return nil
		}
		return e.db.Delete(store.IndexKey(nil, d.at, d.key), pebble.NoSync)
	}
	return nil // not known just now: the next sweep asks again
}

// spaceWatcher refuses writes while there is less space than the reserve, so that the database never meets a full disk.
func (e *Engine) spaceWatcher() {
	e.every(spaceEvery, func() {
		e.table.seconds.Store(inSeconds(e.Now()))
		e.checkSpace()
	})
}

func (e *Engine) checkSpace() {
	free, err := e.free()
	if err != nil {
		e.log.Error("cannot tell the free disk space", "err", err)
		return
	}
	// A compaction that runs may need its whole input once more.
	need := e.options.Reserve + e.db.Metrics().Compact.InProgressBytes
	refused := e.health.refuse.Load()&refuseSpace != 0
	if refused {
		need += e.options.Reserve / 8
	}
	noRoom := e.journal.NoRoom()
	short := free < need || noRoom != nil
	if short && free >= e.options.Reserve/8 {
		e.giveBack()
	}
	switch {
	case short && !refused:
		e.health.refuse.Or(refuseSpace)
		if !store.TooManyFiles(noRoom) { // the journal has told that
			e.log.Error("disk almost full: writes are refused, reads go on", "free", free, "needed", need)
		}
	case !short && refused:
		e.health.refuse.And(^uint32(refuseSpace))
		e.log.Info("there is room again: writes go on", "free", free)
	}
}

// giveBack has Pebble write what its log holds into tables, and so remove the log. Otherwise it does that when there is more to write,
// and while there is no room there is no more.
func (e *Engine) giveBack() {
	m := e.db.Metrics()
	if e.Failed() != nil || m.Flush.NumInProgress > 0 || m.WAL.Size < uint64(e.options.memTable/8) {
		return
	}
	if _, err := e.db.AsyncFlush(); err != nil {
		e.log.Error("cannot give back the database's log", "err", err)
	}
}

// tight says that the disk is so full, by others than this store, that a flush could fail, after which only a restart helps.
// What is to be flushed is safe in the journal meanwhile, and there will not be more of it: writes are refused long before.
func (e *Engine) tight() bool {
	free, err := e.free()
	return err == nil && free < e.options.Reserve && free < e.options.Reserve/8+e.table.unflushed()
}

// awaitRoom waits until the disk is not tight. False: the engine stops.
func (e *Engine) awaitRoom() bool {
	for e.tight() {
		select {
		case <-e.running.stop:
			return false
		case <-time.After(spaceEvery):
		}
	}
	return true
}

func (e *Engine) free() (int64, error) {
	if e.options.free != nil {
		return e.options.free()
	}
	u, err := e.options.fs.GetDiskUsage(e.folder.Dir)
	return int64(min(u.AvailBytes, 1<<62)), err
}

// sweeps is what removes what is over.
type sweeps struct {
	heldTo     atomic.Int64 // ms since the Unix epoch, of HoldExpiries
	longest    atomic.Int64 // ns, of LongestSweep
	expired    atomic.Int64
	unscrubbed signal // there is something to scrub
}
