package engine

import (
	"fmt"
	"time"

	"atomiccounter/engine/store"
)

const stallLook = 5 * time.Millisecond // between two looks at whether Pebble has caught up

// awaitTables waits, before anything is changed, while Pebble has too much to do before it should get more. An error says that it must not get more now:
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
func (c *committer) behind() bool {
	return c.unchecked >= c.e.options.memTable/8 && store.Behind(c.e.db, c.e.options.memTable)
}

// mayCommit says why nothing is to be committed at present that is more than a few settings, or nil.
func (c *committer) mayCommit() error {
	if err := c.e.refusal(); err != nil {
		return err
	}
	return c.awaitTables()
}
