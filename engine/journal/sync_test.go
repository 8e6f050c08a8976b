package journal

import (
	"errors"
	"syscall"
	"testing"
)

// TestWaitersAfterAFailedSync: who waits for what was synced before is told so.
func TestWaitersAfterAFailedSync(t *testing.T) {
	s := &unreliable{Memory: NewMemory()}
	j := openTestJournal(t, s, 1<<16)
	appendBodies(t, j, bodies(10))
	must(t, j.Sync())
	synced := Position(j.durable.Load())
	appendBodies(t, j, bodies(10))
	s.set(nil, syscall.EIO)
	var told []error
	for _, pos := range []Position{synced, synced + 1, 0, synced + 1, synced} {
		j.Notify(pos, waitFunc(func(err error) { told = append(told, err) }))
	}
	j.serve()
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close = %v; want %v", err, syscall.EIO)
	}
	j.Notify(synced, waitFunc(func(err error) { told = append(told, err) }))
	j.Notify(synced+1, waitFunc(func(err error) { told = append(told, err) }))
	for i, err := range told {
		if failed := i == 1 || i == 3 || i == 6; errors.Is(err, syscall.EIO) != failed {
			t.Errorf("waiter %d was told %v; want an error: %t", i, err, failed)
		}
	}
	if len(told) != 7 {
		t.Errorf("%d waiters were told; want 7", len(told))
	}
}

type waitFunc func(error)

func (f waitFunc) Durable(err error) { f(err) }
