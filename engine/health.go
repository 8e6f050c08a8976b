package engine

import (
	"fmt"
	"sync/atomic"

	"atomiccounter/engine/store"
)

// health says why the engine takes no writes, if it does not.
type health struct {
	refuse    atomic.Uint32 // refuse… bits
	closed    atomic.Bool
	fatal     atomic.Pointer[error]
	shortages atomic.Int64 // tables that could not be written because the disk was full
}

const (
	refuseClosed = 1 << iota
	refuseFailed
	refuseSpace
)

// full notes that a table could not be written because the disk was full.
func (h *health) full() {
	h.refuse.Or(refuseSpace)
	h.shortages.Add(1)
}

// fail makes every later write an error. The first reason stays.
func (e *Engine) fail(err error) error {
	first := e.health.fatal.CompareAndSwap(nil, &err)
	e.health.refuse.Or(refuseFailed)
	if first {
		e.log.Error("the engine stops taking writes; restart to recover", "err", err)
	}
	e.published.news.Send() // there will be no more
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// Fail has the engine take no more writes and publish nothing, for a reason of its user's, until it is opened again. It gives the error that
// calls get from now on.
func (e *Engine) Fail(reason error) error { return e.fail(reason) }

// Failed is why the engine takes no writes any more, or nil.
func (e *Engine) Failed() error {
	if p := e.health.fatal.Load(); p != nil {
		return *p
	}
	return nil
}

// failure is what a call gets once the engine has failed.
func (e *Engine) failure() error { return fmt.Errorf("%w: %w", ErrFailed, e.Failed()) }

// refusal says why there can be no writes at present, or nil.
func (e *Engine) refusal() error {
	if e.health.refuse.Load() == 0 {
		return nil
	}
	switch {
	case e.health.closed.Load():
		return ErrClosed
	case e.Failed() != nil:
		return e.failure()
	}
	if store.TooManyFiles(e.journal.NoRoom()) {
		return ErrNoFiles
	}
	return ErrNoSpace
}
