package engine

import (
	"fmt"
	"sync/atomic"

	"atomiccounter/engine/lockorder"
)

// syncing says when the journal is synced.
type syncing struct {
	mu   lockorder.Mutex // held while mode and the journal's form change
	mode atomic.Uint32
}

// Sync is the present mode.
func (e *Engine) Sync() SyncMode { return SyncMode(e.sync.mode.Load()) }

// SetSync changes the mode for what is journaled from now on. After an error the mode is the stricter of the two.
func (e *Engine) SetSync(m SyncMode) error {
	if err := e.enterScan(); err != nil { // Close unmaps the journal
		return err
	}
	defer e.scans.RUnlock()
	e.sync.mu.Lock() // or one change could store its mode after another has changed the journal
	defer e.sync.mu.Unlock()
	if m == Always {
		e.sync.mode.Store(uint32(m))
	}
	if err := e.journal.SetBuffered(m == Always); err != nil {
		return fmt.Errorf("change of mode: %w", err)
	}
	e.sync.mode.Store(uint32(m))
	return nil
}

// Durable is the position up to which the journal is synced.
func (e *Engine) Durable() Position { return e.journal.Durable() }

// Appended is the position up to which there is anything at all.
func (e *Engine) Appended() Position { return e.journal.Appended() }

// SyncJournal syncs what is journaled.
func (e *Engine) SyncJournal() error { return e.journal.Sync() }

// Notify has w told once Durable is at least pos.
func (e *Engine) Notify(pos Position, w Waiter) { e.journal.Notify(pos, w) }
