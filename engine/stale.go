package engine

import (
	"slices"
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

	mu       lockorder.Mutex // guards what follows, and entry.listed of those in keys
	keys     []*entry
	unlisted int // of keys: no longer cached
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

// unlist takes an entry that leaves the cache from the list of those with something to take in. Those that left stay there until they
// are as many as the others, so the list is at most twice as long as it has to be. The caller holds en exclusively.
func (s *staleKeys) unlist(en *entry) {
	if !en.listed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	en.listed = false
	if s.unlisted++; 2*s.unlisted > len(s.keys) {
		s.keys = slices.DeleteFunc(s.keys, func(en *entry) bool { return !en.listed })
		s.unlisted = 0
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
		en.mu.Lock()
		en.listed = false
		e.mergeAndClose(en)
		en.mu.Unlock()
		guard.RUnlock()
	}
}

// list adds an entry that has something to take in. The caller holds it exclusively.
func (s *staleKeys) list(en *entry) {
	if en.listed {
		return
	}
	en.listed = true
	s.mu.Lock()
	s.keys = append(s.keys, en)
	s.mu.Unlock()
	s.wake.give()
}

// take gives all, and goes on with none.
func (s *staleKeys) take() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.keys
	s.keys, s.unlisted = nil, 0
	return list
}
