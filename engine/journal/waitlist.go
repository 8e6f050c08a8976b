package journal

import "sync"

// Waiter is told once that the journal is synced up to its position, or that it never will be. Run calls it, in the order of Notify: it
// must not block.
type Waiter interface{ Durable(err error) }

type waiter struct {
	pos Position
	w   Waiter
}

// waitlist keeps the waiters until the next sync, in the order of Notify.
type waitlist struct {
	mu    sync.Mutex
	list  []waiter
	ended bool          // no sync comes any more
	wake  chan struct{} // has an element while there are waiters that Run has not seen

	spare []waiter // memory for list; only serve uses it
}

// add puts a waiter on the list. False: no sync comes any more, and the caller tells the waiter.
func (l *waitlist) add(pos Position, w Waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.list = append(l.list, waiter{pos, w})
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// serve takes all waiters off the list and calls tell with each. Calls do not overlap.
func (l *waitlist) serve(tell func(waiter)) {
	l.mu.Lock()
	list := l.list
	l.list, l.spare = l.spare, nil
	l.mu.Unlock()
	for _, w := range list {
		tell(w)
	}
	clear(list)
	l.spare = list[:0]
}

// end has add refuse from now on.
func (l *waitlist) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}
