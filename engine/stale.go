package engine

import (
	"sync/atomic"
	"time"

	"atomiccounter/engine/lockorder"
)

// staleKeys are the entries with something to take in.
type staleKeys struct {
	period     atomic.Int64    // ms: the update period
	repaced    signal          // period has changed
	wake       signal          // there are such
	refreshing lockorder.Mutex // one Refresh at a time

	mu   lockorder.Mutex // guards what follows, and opened.listed of those in keys
	keys []*entry
}

// UpdatePeriod bounds how late foreign data shows; 0: not at all.
func (e *Engine) UpdatePeriod() time.Duration {
	return time.Duration(e.stale.period.Load()) * time.Millisecond
}

// SetUpdatePeriod changes it, rounded up to ms; AlwaysFresh and 0 both mean 0.
func (e *Engine) SetUpdatePeriod(d time.Duration) {
	e.stale.period.Store(millis(d))
	e.stale.repaced.give()
}

func millis(d time.Duration) int64 {
	return int64((max(d, 0) + time.Millisecond - 1) / time.Millisecond)
}

// unlist takes an entry that leaves the cache from the list of those with something to take in. The caller holds en exclusively.
func (s *staleKeys) unlist(en *entry) {
	o := en.opened()
	if o == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := o.listed.Swap(0); at != 0 {
		last := s.keys[len(s.keys)-1]
		if last != en {
			s.keys[at-1] = last
			last.rare.open.listed.Store(at)
		}
		s.keys = s.keys[:len(s.keys)-1]
	}
}

// refresher takes in what foreign batches brought to cached keys, when their update period is over, so that DBSIZE and
// memory do not wait for a read.
func (e *Engine) refresher() {
	defer e.running.done.Done()
	for {
		select {
		case <-e.running.stop:
			return
		case <-e.stale.wake:
		}
		if !e.periodPasses() {
			return
		}
		e.Refresh()
	}
}

// periodPasses waits for the update period, which may change meanwhile. False: the engine stops.
func (e *Engine) periodPasses() bool {
	for begin := time.Now(); ; {
		rest := e.UpdatePeriod() - time.Since(begin)
		if rest <= 0 {
			return true
		}
		select {
		case <-e.running.stop:
			return false
		case <-e.stale.repaced:
		case <-time.After(rest):
		}
	}
}

// Refresh makes all foreign data show that has arrived so far, update period or not: when it returns, that shows.
func (e *Engine) Refresh() {
	e.stale.refreshing.Lock() // another one may be in the middle of what this one would find taken
	defer e.stale.refreshing.Unlock()
	guard := e.cuts.guard()
	for _, en := range e.stale.take() {
		guard.RLock() // it may make an entry dirty
		e.lockState(en)
		e.mergeAndClose(en)
		e.unlockState(en)
		guard.RUnlock()
	}
}

// list adds an entry that has something to take in. The caller holds it exclusively.
func (s *staleKeys) list(en *entry) {
	o := en.rare.open
	s.mu.Lock()
	if o.listed.Load() == 0 {
		s.keys = append(s.keys, en)
		o.listed.Store(int32(len(s.keys)))
	}
	s.mu.Unlock()
	s.wake.give()
}

// take gives all, and goes on with none.
func (s *staleKeys) take() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.keys
	for _, en := range list {
		en.rare.open.listed.Store(0)
	}
	s.keys = nil
	return list
}
