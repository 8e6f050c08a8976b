package engine

import (
	"runtime"
	"sync/atomic"

	"atomiccounter/engine/lockorder"
	"atomiccounter/tlv"
)

// cuts are the moments between two generations, when no pipeline is active.
type cuts struct {
	guards    []guard
	next      atomic.Uint32 // of guards
	admission admission
	gen       atomic.Uint64 // present generation; changes at a cut only
	stamp     atomic.Uint64 // of the batch of the generation before
	flushed   atomic.Uint64 // last generation that is in the database
	last      atomic.Uint64 // stamp of the last batch that was not empty
}

// guard is held shared by every active pipeline and exclusively, all of them, by a cut.
type guard struct {
	lockorder.RWMutex
	_ [104]byte // a cache line of its own, and its neighbour's
}

// newGuards gives so few that to take them all is quick, and so many that two processors seldom meet at one.
func newGuards() []guard { return make([]guard, min(4*runtime.GOMAXPROCS(0), 64)) }

func (c *cuts) guard() *guard { return &c.guards[c.next.Add(1)%uint32(len(c.guards))] }

// halt returns when no pipeline is active, and keeps all from becoming so until resume.
func (c *cuts) halt() {
	for i := range c.guards {
		c.guards[i].Lock()
	}
}

func (c *cuts) resume() {
	for i := range c.guards {
		c.guards[i].Unlock()
	}
}

// advance begins the next generation, and gives the one that ends under a stamp. The caller has halted all; dirty says whether anything
// was done in it.
func (c *cuts) advance(stamp tlv.Stamp, dirty bool) (ended uint64) {
	ended = c.gen.Load()
	c.stamp.Store(uint64(stamp))
	c.gen.Store(ended + 1)
	if dirty {
		c.last.Store(uint64(stamp))
	}
	return ended
}
