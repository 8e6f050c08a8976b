package stats

import (
	"sync"
	"time"
)

// rates are how much there was a second, of late.
type rates struct {
	mu   sync.Mutex
	last sample // when it was last looked
	each Rate
}

type sample struct {
	at                      time.Time
	commands, input, output int64
}

// Rate is how much there was a second: commands, and bytes.
type Rate struct{ Commands, Input, Output float64 }

// Rate is that of the last second or so.
func (s *Stats) Rate() Rate {
	r := &s.rates
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.each
}

// Sample looks at the rates. It is called about once a second.
func (s *Stats) Sample(now time.Time) {
	r := &s.rates
	r.mu.Lock()
	defer r.mu.Unlock()
	next := sample{now, s.Calls.Total(), s.InputBytes.Load(), s.OutputBytes.Load()}
	if d := now.Sub(r.last.at).Seconds(); d > 0 && !r.last.at.IsZero() {
		per := func(was, is int64) float64 { return max(float64(is-was)/d, 0) }
		r.each = Rate{per(r.last.commands, next.commands), per(r.last.input, next.input), per(r.last.output, next.output)}
	}
	r.last = next
}
