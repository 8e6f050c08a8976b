package engine

import (
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

func prepared(e *Engine) { e.journal.Prepared() }

// roomAgain waits until the journal, on a disk that was full, has prepared its next segment.
func roomAgain(e *Engine) {
	for e.journal.NoRoom() != nil {
		time.Sleep(time.Millisecond)
	}
}
