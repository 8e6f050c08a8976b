package tests

import (
	"fmt"
	"sync"
)

// ledger bounds the value of each key by what was acknowledged and what was attempted.
type ledger struct {
	mu   sync.Mutex
	low  map[string]int64 // acknowledged, and all unanswered decrements
	high map[string]int64 // acknowledged, and all unanswered increments
}

func newLedger() *ledger { return &ledger{low: make(map[string]int64), high: make(map[string]int64)} }

// attempt widens the bounds by an increment that is about to be sent; acknowledge moves them together again.
func (l *ledger) attempt(key string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.low[key] += min(n, 0)
	l.high[key] += max(n, 0)
}

func (l *ledger) acknowledge(key string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.low[key] += max(n, 0)
	l.high[key] += min(n, 0)
}

// within says what is wrong with a key's value.
func (l *ledger) within(key string, n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < l.low[key] || n > l.high[key] {
		return fmt.Errorf("%s = %d; want %d to %d", key, n, l.low[key], l.high[key])
	}
	return nil
}

// below is within for a replica that may lack some: nothing has been counted twice.
func (l *ledger) below(key string, n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > l.high[key] {
		return fmt.Errorf("%s = %d; want at most %d", key, n, l.high[key])
	}
	return nil
}

// settle sets what a key is known to be.
func (l *ledger) settle(key string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.low[key], l.high[key] = n, n
}

// keys are all that were ever written to.
func (l *ledger) keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for key := range l.high {
		keys = append(keys, key)
	}
	return keys
}
