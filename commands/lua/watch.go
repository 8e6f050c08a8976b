package lua

import (
	"errors"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// Why a script is stopped.
var (
	errKilled = errors.New("Script killed by user with SCRIPT KILL...") //lint:ignore ST1005 Redis's words
	errMemory = errors.New("not enough memory")
	errClosed = errors.New("server is shutting down")
)

// watch stops the script of one state from outside. A script asks it before every instruction that heedTheEnd names: as long as
// all is well, that is two loads. A stopped script cannot catch its end: it fails at the next such instruction, too.
type watch struct {
	why     atomic.Pointer[error] // nil: go on
	measure sync.Mutex            // held while memory is measured: the script stands still
	held    atomic.Bool           // it is
}

// heed waits while memory is measured, and gives why the script is stopped.
func (w *watch) heed() error {
	if w.held.Load() {
		w.stand()
	}
	return w.Err()
}

func (w *watch) stand() {
	w.measure.Lock()
	defer w.measure.Unlock()
}

// Err is why the script is stopped.
func (w *watch) Err() error {
	if why := w.why.Load(); why != nil {
		return *why
	}
	return nil
}

func (w *watch) stop(why error) { w.why.CompareAndSwap(nil, &why) }

// reset forgets why the script before was stopped.
func (w *watch) reset() {
	if w.why.Load() != nil {
		w.why.Store(nil)
	}
}

// weigh tells a script that makes much garbage from one that keeps much, while it stands still: it gives what is kept.
func (w *watch) weigh() uint64 {
	w.measure.Lock()
	defer w.measure.Unlock()
	w.held.Store(true)
	defer w.held.Store(false)
	runtime.GC()
	return heap()
}

// heap is how many bytes objects take that are in use, or not yet known to be garbage.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
