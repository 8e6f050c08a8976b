package engine

import (
	"sync/atomic"
	"time"

	"atomiccounter/tlv"
)

// hlc is a hybrid logical clock (Kulkarni et al., 2014), in one word.
type hlc struct{ last atomic.Uint64 }

// next is a stamp after all before it, not before now (ms). A wall clock before 1970 is 0.
func (c *hlc) next(now int64) tlv.Stamp {
	for {
		last := c.last.Load()
		s := max(last+1, uint64(max(now, 0))<<tlv.StampShift)
		if c.last.CompareAndSwap(last, s) {
			return tlv.Stamp(s)
		}
	}
}

// hear moves the clock to a peer's stamp or beyond, but at most to maxAhead beyond now (ms): one bad clock does not run away with
// all others.
func (c *hlc) hear(s tlv.Stamp, now int64) {
	c.pass(min(s, tlv.Stamp(max(now, 0)+maxAhead)<<tlv.StampShift))
}

// pass moves the clock to s or beyond.
func (c *hlc) pass(s tlv.Stamp) {
	for {
		last := c.last.Load()
		if last >= uint64(s) || c.last.CompareAndSwap(last, uint64(s)) {
			return
		}
	}
}

// Ahead is how far the stamps of this replica are ahead of its wall clock, which was ahead before, or heard of one that was.
func (e *Engine) Ahead() time.Duration {
	return time.Duration(max(0, tlv.Stamp(e.clock.last.Load()).Millis()-e.Now())) * time.Millisecond
}
