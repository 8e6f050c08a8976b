package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"atomiccounter/engine/enginetest"

	"atomiccounter/engine/store"
)

// faultyDisk fails the writes of the database once it has done a number of them.
type faultyDisk struct {
	vfs.FS
	mem   *vfs.MemFS
	left  atomic.Int64
	once  bool   // only one write fails
	only  string // the one file that fails; empty: all
	err   error
	count atomic.Int64 // writes that failed
}

func newFaultyDisk(err error) *faultyDisk {
	d := &faultyDisk{mem: vfs.NewCrashableMem(), err: err}
	d.left.Store(1 << 60)
	d.FS = errorfs.Wrap(d.mem, errorfs.InjectorFunc(d.inject))
	return d
}

func (d *faultyDisk) inject(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpLock, errorfs.OpFileClose:
		return nil
	}
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || d.only != "" && op.Path != d.only {
		return nil
	}
	if n := d.left.Add(-1); n >= 0 || d.once && n < -1 {
		return nil
	}
	d.count.Add(1)
	return d.err
}

// TestFailingDisk lets the disk fail at every place of a run with flushes, log rotations and compactions. Writes get an
// error, reads go on, and what was acknowledged is there once the disk is good again.
func TestFailingDisk(t *testing.T) {
	places := 160
	if testing.Short() {
		places = 30
	}
	for _, once := range []bool{false, true} {
		failed := 0
		for place := range places {
			if ok := t.Run(fmt.Sprintf("once=%t/%d", once, place), func(t *testing.T) {
				if failAt(t, int64(place), once) {
					failed++
				}
			}); !ok {
				return
			}
		}
		if failed < places/2 {
			t.Errorf("once=%t: the engine failed at %d of %d places; want at least half", once, failed, places)
		}
	}
}

func failAt(t *testing.T, place int64, once bool) bool {
	d := newFaultyDisk(syscall.EIO)
	d.once = once
	o := disk()
	o.fs = d
	e := open(t, o)
	d.left.Store(place)
	rng := rand.New(rand.NewPCG(uint64(place), 2))
	want := map[string]int64{}
	for step := range 60 {
		key := fmt.Sprintf("k%d", rng.IntN(8))
		if n, err := e.Counter(key).Increment(t.Context(), 1); err == nil {
			want[key]++
		} else if !errors.Is(err, ErrFailed) || n != 0 {
			t.Fatalf("step %d: Increment = %d, %v; want %v", step, n, err, ErrFailed)
		}
		switch step % 5 {
		case 1:
			if err := e.Flush(); err != nil && !errors.Is(err, ErrFailed) {
				t.Fatalf("step %d: Flush = %v; want %v", step, err, ErrFailed)
			}
		case 3:
			rotate(t, e)
		}
	}
	checkCounters(t, e, want)
	had := e.Failed() != nil
	d.left.Store(1 << 60)
	_ = e.Close() // what went wrong was said before
	for _, percent := range []int{0, 100} {
		again := o
		again.fs = d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
		again.segments = o.segments.(*enginetest.Segments).Clone()
		checkCounters(t, open(t, again), want)
	}
	return had
}

// rotate has Pebble begin a new log and write a table, and now and then a manifest.
func rotate(t *testing.T, e *Engine) {
	if e.Failed() != nil {
		return // its commits would wait for a flush that cannot be
	}
	if _, err := e.db.AsyncFlush(); err != nil {
		t.Fatalf("AsyncFlush = %v", err)
	}
}

func checkCounters(t *testing.T, e *Engine, want map[string]int64) {
	t.Helper()
	for key, n := range want {
		if got, err := e.Counter(key).Get(t.Context()); got != n || err != nil {
			t.Fatalf("Get(%q) = %d, %v; want %d", key, got, err, n)
		}
	}
}

// TestFullDatabaseDisk meets a full disk that the reserve did not foresee: writes are refused, and go on when there is room.
func TestFullDatabaseDisk(t *testing.T) {
	d := newFaultyDisk(syscall.ENOSPC)
	d.only = "store/db/table.sst" // nothing that Pebble itself does
	o := disk()
	o.fs = d
	e := open(t, o)
	increment(t, e, "k", 1)
	d.left.Store(0)
	if _, err := (store.Fence{FS: d, Host: e.storeOptions().Host}).Create(d.only, vfs.WriteCategoryUnspecified); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Create on a full disk = %v; want %v", err, syscall.ENOSPC)
	}
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Increment on a full disk = %v; want %v", err, ErrNoSpace)
	}
	checkCounters(t, e, map[string]int64{"k": 1})
	d.left.Store(1 << 60)
	e.checkSpace()
	increment(t, e, "k", 1)
	if err := e.Failed(); err != nil {
		t.Errorf("Failed = %v after a full disk; want nothing", err)
	}
}

// TestDiskFilledByOthers, all at once and below any reserve: what is acknowledged but not flushed waits in the journal, and
// writes go on when there is room, without a restart.
func TestDiskFilledByOthers(t *testing.T) {
	d := newFaultyDisk(syscall.ENOSPC)
	var free atomic.Int64
	free.Store(maxInt)
	asked := make(chan struct{}, 1)
	o := disk()
	o.Reserve, o.fs = 1<<20, d
	o.free = func() (int64, error) {
		n := free.Load()
		if n == 0 {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
		return n, nil
	}
	e := open(t, o)
	increment(t, e, "k", 1)
	if err := e.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	free.Store(0)
	d.left.Store(0)
	increment(t, e, "k", 1)
	e.running.done.Add(1)
	go e.flusher()
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Fatal("the flusher did not ask for room before it flushed")
	}
	e.checkSpace()
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Increment on a full disk = %v; want %v", err, ErrNoSpace)
	}
	checkCounters(t, e, map[string]int64{"k": 2})
	if err := e.Backup("copy"); !errors.Is(err, ErrNoSpace) || e.Failed() != nil {
		t.Errorf("Backup on a full disk = %v, and the engine has failed with %v; want %v", err, e.Failed(), ErrNoSpace)
	}
	d.left.Store(1 << 60)
	free.Store(maxInt)
	e.checkSpace()
	increment(t, e, "k", 1)
	if err := e.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	checkCounters(t, open(t, o), map[string]int64{"k": 3})
}

// TestFencedCommit: a commit whose log fails is no success, though Pebble is told nothing of it.
func TestFencedCommit(t *testing.T) {
	d := newFaultyDisk(syscall.EIO)
	o := disk()
	o.fs = d
	e := open(t, o)
	increment(t, e, "k", 1)
	d.left.Store(0)
	if err := e.Flush(); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Flush on a failing disk = %v; want %v, %v", err, ErrFailed, syscall.EIO)
	}
	d.left.Store(1 << 60)
	before := d.mem.String()
	if err := e.db.Set([]byte("x"), nil, pebble.Sync); err != nil {
		t.Errorf("Set = %v", err)
	}
	if after := d.mem.String(); after != before {
		t.Errorf("a write after the failure changed the disk:\n%s\nwas\n%s", after, before)
	}
	if err := e.Flush(); !errors.Is(err, ErrFailed) {
		t.Errorf("Flush after a failure = %v; want %v", err, ErrFailed)
	}
}

func increment(t *testing.T, e *Engine, key string, n int64) {
	t.Helper()
	if _, err := e.Counter(key).Increment(t.Context(), n); err != nil {
		t.Fatalf("Increment(%q, %d) = %v", key, n, err)
	}
}
