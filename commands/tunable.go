package commands

import "sync/atomic"

// tunable is a number whose default is not zero.
type tunable struct {
	changed atomic.Bool
	n       atomic.Int64
}

func (t *tunable) or(usual int64) int64 {
	if t.changed.Load() {
		return t.n.Load()
	}
	return usual
}

func (t *tunable) set(n int64) {
	t.n.Store(n)
	t.changed.Store(true)
}
