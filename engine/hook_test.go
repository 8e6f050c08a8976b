package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// hookFS calls f before every write. Background writes call it too, one at a time.
func hookFS(fs vfs.FS, f func()) vfs.FS {
	turn := make(chan struct{}, 1)
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			turn <- struct{}{}
			f()
			<-turn
		}
		return nil
	}))
}

// prepared waits until the journal has the next segment, or has no room for one.
func prepared(e *Engine) {
	for e.journal.NoRoom() == nil {
		list, err := e.segments.List()
		if err != nil || slices.Contains(list, e.journal.Mark().Segment+1) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Abandon ends an engine as a crash does: nothing is flushed.
func (e *Engine) Abandon() error {
	if !e.health.closed.CompareAndSwap(false, true) {
		return ErrClosed
	}
	e.health.refuse.Or(refuseClosed)
	close(e.running.stop)
	e.running.done.Wait()
	e.published.news.Send()
	e.scans.Lock()
	defer e.scans.Unlock()
	return errors.Join(e.journal.Close(), e.closeDB(), e.folder.Close())
}

// roomAgain waits until the journal, on a disk that was full, has prepared its next segment.
func roomAgain(e *Engine) {
	for e.journal.NoRoom() != nil {
		time.Sleep(time.Millisecond)
	}
}
