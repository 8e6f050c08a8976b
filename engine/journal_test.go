package engine

import (
	"errors"
	"syscall"
	"testing"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/journal"
)

// withoutNext opens a store on segments of which no more can be made, for the given reason, and has the journal find out.
func withoutNext(t *testing.T, full error) (*Engine, *enginetest.Segments) {
	t.Helper()
	o := disk()
	s := enginetest.NewSegments()
	o.segments = s
	e := open(t, o)
	prepared(e)
	s.Fail(full, nil)
	for n := e.journal.Mark(); e.journal.Mark().Segment == n.Segment; {
		increment(t, e, "k", 1)
	}
	for e.journal.NoRoom() == nil {
		prepared(e)
	}
	return e, s
}

// TestJournalFullDisk: without a next segment new writes are refused while what is left is kept for those in flight, and
// they go on when there is room.
func TestJournalFullDisk(t *testing.T) {
	e, s := withoutNext(t, syscall.ENOSPC)
	p := e.NewPipeline()
	if _, err := p.Incr([]byte("k"), 1); err != nil {
		t.Fatalf("Incr = %v", err)
	}
	e.checkSpace()
	if _, err := p.Incr([]byte("k"), 1); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Incr without room = %v; want %v", err, ErrNoSpace)
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit of a command in flight = %v", err)
	}
	if _, err := e.Counter("k").Get(t.Context()); err != nil {
		t.Errorf("Get without room = %v", err)
	}
	s.Fail(nil, nil)
	roomAgain(e)
	e.checkSpace()
	increment(t, e, "k", 1)
}

// TestSyncModeOnFullDisk: where a change of the mode needs a segment that there is no room for, it fails as often as it is asked
// for. Without Always nothing may be acknowledged while it is only in the buffer of the process.
func TestSyncModeOnFullDisk(t *testing.T) {
	o := disk()
	s := enginetest.NewSegments()
	o.segments, o.Sync = s, Always
	e := open(t, o)
	prepared(e)
	s.Fail(syscall.ENOSPC, nil)
	for range 3 {
		if err := e.SetSync(EverySec); !errors.Is(err, journal.ErrNoSegment) || e.Sync() != Always {
			t.Errorf("SetSync without room = %v, the mode is %d; want %v, %d", err, e.Sync(), journal.ErrNoSegment, Always)
		}
	}
	s.Fail(nil, nil)
	roomAgain(e)
	if err := e.SetSync(EverySec); err != nil || e.Sync() != EverySec {
		t.Errorf("SetSync = %v, the mode is %d; want %d", err, e.Sync(), EverySec)
	}
	increment(t, e, "k", 1)
	if n := e.Stats().JournalBuffered; n != 0 {
		t.Errorf("%d bytes are in memory only; want 0", n)
	}
}

// TestJournalSyncFails: who waits is told, the engine takes no writes any more, and reads go on.
func TestJournalSyncFails(t *testing.T) {
	o := disk()
	s := enginetest.NewSegments()
	o.segments, o.Sync, o.Logger = s, Always, quiet
	e, err := Open("store", o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	increment(t, e, "k", 1)
	s.Fail(nil, syscall.EIO)
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, syscall.EIO) {
		t.Errorf("Increment = %v; want %v", err, syscall.EIO)
	}
	s.Fail(nil, nil)                               // a sync that works now proves nothing
	for e.health.refuse.Load()&refuseFailed == 0 { // a moment after Failed says so
		w := make(waitChan, 1)
		e.Notify(e.Durable()+1, w)
		if err := <-w; !errors.Is(err, syscall.EIO) {
			t.Fatalf("waiter was told %v; want %v", err, syscall.EIO)
		}
	}
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrFailed) {
		t.Errorf("Increment after a failed sync = %v; want %v", err, ErrFailed)
	}
	p := e.NewPipeline()
	if v, _, err := p.Get([]byte("k")); v < 1 || err != nil {
		t.Errorf("Get after a failed sync = %d, %v; want 1 or more", v, err)
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
	if err := e.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close = %v; want %v", err, syscall.EIO)
	}
}
