package engine

import (
	"slices"
	"sync/atomic"

	"atomiccounter/engine/history"
	"atomiccounter/engine/journal"
	"atomiccounter/tlv"
)

// commitLock lets one goroutine at a time write to the database: a flush, Apply, FlushDB.
type commitLock struct {
	latch  latch
	shared atomic.Bool // alone was false once
	only   committer   // of the holder, who has it by lock, tryLock or enter
}

// committer is what the holder of the commit lock has: to be given one is to hold the lock.
type committer struct {
	e *Engine

	vector   tlv.Vector // as the next commit says it
	flags    uint64     // meta…
	awaiting bool       // the peers' word, and so not flushing
	transfer transfer
	mark     journal.Mark     // up to which the database has what the journal says
	leftover []uint64         // segments that the next flush makes superfluous
	count    [Databases]int64 // keys in the database
	countEx  [Databases]int64 // those with an expiry
	ended    tlv.VectorEntry  // the tail that the first batch under the present ID brings
	tails    []history.Tail   // published along with it

	batchSize int       // bytes of the last flush
	unchecked int       // bytes committed since Pebble was last seen to keep up
	logBuffer []byte    // of the last flush
	arrivals  []arrival // memory for those of the next batch
}

func newCommitLock(e *Engine) commitLock {
	return commitLock{latch: newLatch(), only: committer{e: e}}
}

func (l *commitLock) lock() *committer {
	l.latch.lock(nil)
	return &l.only
}

// tryLock gives nil if another goroutine has the lock.
func (l *commitLock) tryLock() *committer {
	if !l.latch.tryLock() {
		return nil
	}
	return &l.only
}

// enter is lock for a section; if hasty, it may be called away from a holder that waits for another one.
func (l *commitLock) enter(a *admission, hasty bool) (*committer, error) {
	if err := a.lock(&l.latch, hasty); err != nil {
		return nil, err
	}
	return &l.only, nil
}

func (c *committer) unlock() { c.e.committer.latch.unlock() }

// proclaim makes the vector known, after the commit that it speaks of.
func (c *committer) proclaim() {
	v := slices.Clone(c.vector)
	c.e.published.durable.Store(&v)
	c.e.published.shown.Store(&v)
	c.e.published.news.Send()
}

// reveal makes Seen speak of the vector as it will be: what it says is about to show.
func (c *committer) reveal() {
	v := slices.Clone(c.vector)
	c.e.published.shown.Store(&v)
}

func (c *committer) covers(id tlv.ReplicaID, stamp tlv.Stamp) bool {
	return id == c.e.self.id || stamp <= c.vector.Entry(id).Stamp
}

// alone says that no other replica ever had a part in the store, nor may have any of it.
func (c *committer) alone() bool {
	others := slices.ContainsFunc(c.vector, func(v tlv.VectorEntry) bool { return v.Replica != c.e.self.id })
	alone := !others && c.flags&(metaLogging|metaGiven) == 0
	if !alone {
		c.e.committer.shared.Store(true)
	}
	return alone
}

// askAlone is alone for a caller without the commit lock. Once it was false it stays so: the caller does not wait for a flush to learn that again.
func (e *Engine) askAlone() bool {
	if e.committer.shared.Load() {
		return false
	}
	c := e.committer.lock()
	defer c.unlock()
	return c.alone()
}

// giveAway notes, durably, that a peer or a copy is about to have a state of this store: what is deleted from then on has to be said.
func (c *committer) giveAway() error {
	if c.flags&metaGiven != 0 {
		return nil
	}
	c.flags |= metaGiven
	if err := c.begin(0).sync(); err != nil {
		return err
	}
	c.e.self.cluster.Store(&tlv.Cluster{Names: c.e.Cluster().Names})
	return nil
}

// giveAwayOne is giveAway for the state of a key.
func (e *Engine) giveAwayOne() error {
	c := e.committer.lock()
	defer c.unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	return c.giveAway()
}
