package engine

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// fewFiles is a disk of which, a number of times, no file can be opened.
type fewFiles struct {
	vfs.FS
	left atomic.Int64
}

func newFewFiles(fs vfs.FS) *fewFiles {
	d := new(fewFiles)
	d.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpOpen, errorfs.OpOpenDir, errorfs.OpReuseForWrite, errorfs.OpLock:
			if d.left.Add(-1) >= 0 {
				return syscall.EMFILE
			}
		}
		return nil
	}))
	return d
}

// TestTooManyFiles: where no file can be opened for a while, at the start or later, the store waits and has not failed.
func TestTooManyFiles(t *testing.T) {
	o := disk()
	d := newFewFiles(o.fs)
	o.fs = d
	want := map[string]int64{}
	for round := range int64(8) {
		d.left.Store(round)
		e := open(t, o)
		for range 3 {
			d.left.Store(2)
			increment(t, e, "k", 1)
			want["k"]++
			if err := e.Flush(); err != nil {
				t.Fatalf("Flush = %v", err)
			}
			rotate(t, e)
		}
		if err := e.Failed(); err != nil {
			t.Fatalf("Failed = %v", err)
		}
		evictAll(e)
		checkCounters(t, e, want)
		if err := e.Close(); err != nil {
			t.Fatalf("Close = %v", err)
		}
	}
}

// TestNoFileForTheJournal: writes are refused in words of their own, and go on.
func TestNoFileForTheJournal(t *testing.T) {
	e, s := withoutNext(t, syscall.EMFILE)
	e.checkSpace()
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNoFiles) {
		t.Errorf("Increment = %v; want %v", err, ErrNoFiles)
	}
	s.Fail(nil, nil)
	roomAgain(e)
	e.checkSpace()
	increment(t, e, "k", 1)
}
