package lua

import (
	"errors"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// Why a script is stopped.
var (
	errKilled = errors.New("Script killed by user with SCRIPT KILL...") //lint:ignore ST1005 Redis's words
	errMemory = errors.New("not enough memory")
	errClosed = errors.New("server is shutting down")
)

// watch stops a script from outside. To the interpreter it is a context that is asked before every instruction: as long as
// all is well, that is one atomic load. A stopped script cannot catch its end: whatever instruction it goes on with fails, too.
type watch struct {
	why     atomic.Pointer[error] // nil: go on
	measure sync.Mutex            // held while memory is measured: the script stands still
	held    atomic.Bool           // it is
	closed  chan struct{}

	mu    sync.Mutex
	ended bool
}

func newWatch() *watch {
	w := &watch{closed: make(chan struct{})}
	close(w.closed)
	return w
}

func (w *watch) Deadline() (time.Time, bool) { return time.Time{}, false }

func (w *watch) Value(any) any { return nil }

// Done is called before every instruction. A nil channel is never ready.
func (w *watch) Done() <-chan struct{} {
	if w.held.Load() {
		w.stand()
	}
	if w.why.Load() != nil {
		return w.closed
	}
	return nil
}

// stand waits while memory is measured.
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

// patrol looks after a script that has run for a while, until it has ended: it says so, raises the alarm when the time has come,
// and stops a script that has made the heap grow by more than limit bytes.
func (w *watch) patrol(over <-chan struct{}, limit uint64, c *Call) {
	base, alarm := heap(), c.Alarm
	weighAt := base + limit // to weigh is a garbage collection: seldom, even if much is kept
	w.tell(c.Slow)
	late := time.Now().Add(c.Busy)
	tick := time.NewTicker(patrolInterval)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case now := <-tick.C:
			if alarm != nil && now.After(late) {
				w.tell(alarm)
				alarm = nil
			}
			if heap() > weighAt {
				weighAt = w.weigh(base+limit) + limit/2
			}
		}
	}
}

// tell calls f, unless the script has ended.
func (w *watch) tell(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f != nil && !w.ended {
		f()
	}
}

// end makes sure that nobody is told any more.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// patrolInterval is also how long a script may run before anybody looks after it.
const patrolInterval = 2 * time.Millisecond

// weigh tells a script that makes much garbage from one that keeps much, while it stands still. It gives what is kept.
func (w *watch) weigh(most uint64) uint64 {
	w.measure.Lock()
	defer w.measure.Unlock()
	w.held.Store(true)
	defer w.held.Store(false)
	runtime.GC()
	kept := heap()
	if kept > most {
		w.stop(errMemory)
	}
	return kept
}

// heap is how many bytes objects take that are in use, or not yet known to be garbage.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
