package engine

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
)

// quiet is a logger for tests whose failures speak for themselves.
var quiet = slog.New(slog.DiscardHandler)

// open opens a store in memory that flushes, syncs and sweeps only when it is told to.
func open(t testing.TB, o Options) *Engine {
	t.Helper()
	o.Logger, o.manual = quiet, true
	if o.fs == nil {
		o.InMemory = true
	}
	e, err := Open("store", o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Close = %v", err)
		}
	})
	return e
}

// disk is a store's directory in memory, which outlives the engine.
func disk() Options {
	return Options{fs: vfs.NewCrashableMem(), segments: enginetest.NewSegments(), segment: 1 << 16,
		free: func() (int64, error) { return math.MaxInt64, nil }}
}

// sizeOf is the number of keys of a pipeline's database.
func sizeOf(t testing.TB, p *Pipeline) int64 {
	t.Helper()
	n, err := p.Size()
	if err != nil {
		t.Errorf("Size = %v", err)
	}
	return n
}

func TestReopen(t *testing.T) {
	o := disk()
	ctx := context.Background()
	for round := range int64(3) {
		e := open(t, o)
		if got, err := e.Counter("k").Get(ctx); got != 7*round || err != nil {
			t.Fatalf("round %d: Get = %d, %v; want %d", round, got, err, 7*round)
		}
		for _, n := range []int64{5, -1, 3} {
			if _, err := e.Counter("k").Increment(ctx, n); err != nil {
				t.Fatalf("Increment(%d) = %v", n, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatalf("Close = %v", err)
		}
		if _, err := e.Counter("k").Increment(ctx, 1); !errors.Is(err, ErrClosed) {
			t.Errorf("Increment on a closed engine = %v; want %v", err, ErrClosed)
		}
	}
	e := open(t, o)
	if n := e.Stats().Replayed; n != 0 {
		t.Errorf("after a clean close %d records were replayed; want 0", n)
	}
}

func TestRestAfterFlush(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		keys       int
		took       time.Duration
		alone, fed time.Duration // without peers, and with
	}{
		{flushSmall, 20 * ms, 0, 60 * ms},
		{flushSmall + 1, 20 * ms, 180 * ms, 180 * ms},
		{100_000, 200 * ms, 1800 * ms, flushAwaited},
		{100_000, time.Minute, flushLate, flushAwaited},
		{1, time.Minute, 0, flushAwaited},
	} {
		var w committer
		alone := w.restAfter(c.keys, c.took)
		w.flags = metaLogging
		if fed := w.restAfter(c.keys, c.took); alone != c.alone || fed != c.fed {
			t.Errorf("after %d keys in %v: rests %v, with peers %v; want %v, %v", c.keys, c.took, alone, fed, c.alone, c.fed)
		}
	}
}
