package engine

import (
	"fmt"
	"time"
)

// Pebble stalls a commit that finds too much memory waiting to become tables, or too many tables in level 0: the commit waits until
// that is better, with whatever locks its caller holds, and even if it never can be, because the disk has failed or the engine
// closes. So Pebble is told never to (stallNever), and the engine waits itself (awaitTables): before it changes anything, with no lock
// that a read wants, and for no longer than there is hope. What is committed once, at the start, the end or a change of the
// replica ID, does not wait; it goes beyond the limits a little.
const (
	stallMemory    = 4  // memory tables of full size
	stallSublevels = 40 // of level 0, each of which a read looks into
	stallNever     = 1 << 10
	stallLook      = 5 * time.Millisecond // between two looks at whether it is over
)

// awaitTables waits while Pebble has too much to do before it should get more. An error says that it must not get more now:
// ErrFailed, ErrClosed, or ErrNoSpace if the disk is too full for what it has to do.
func (c *committer) awaitTables() error {
	for shortages := c.e.health.shortages.Load(); c.behind(); {
		switch {
		case c.e.Failed() != nil:
			return c.e.failure()
		case c.e.health.shortages.Load() != shortages:
			return fmt.Errorf("%w for what is to be written before", ErrNoSpace)
		}
		select {
		case <-c.e.running.stop:
			return ErrClosed
		case <-time.After(stallLook):
		}
	}
	c.unchecked = 0
	return nil
}

// behind says whether to wait. Since Pebble was last seen to keep up it cannot have become much worse if it got little.
func (c *committer) behind() bool { return c.unchecked >= c.e.options.memTable/8 && c.e.stalled() }

// stalled says whether Pebble has too much to do, and is at it: when nothing is under way there is nothing to wait for.
func (e *Engine) stalled() bool {
	m := e.db.Metrics()
	return m.MemTable.Size >= uint64(stallMemory*e.options.memTable) && m.Flush.NumInProgress > 0 ||
		m.Levels[0].Sublevels >= stallSublevels && m.Compact.NumInProgress > 0
}

// mayCommit says why nothing is to be committed at present that is more than a few settings, or nil.
func (c *committer) mayCommit() error {
	if err := c.e.refusal(); err != nil {
		return err
	}
	return c.awaitTables()
}
