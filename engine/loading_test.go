package engine

import (
	"context"
	"errors"
	"testing"
)

// TestOpenGivesUp: a start that is broken off leaves the store as it was, and the next one tells how far it is.
func TestOpenGivesUp(t *testing.T) {
	o := disk()
	e := open(t, o)
	const n = 100
	for range n {
		if _, err := e.Counter("k").Increment(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
	}
	left := crashed(e, o)
	ctx, cancel := context.WithCancel(context.Background())
	left.Logger, left.manual = quiet, true
	left.Progress = func(done, total int64) {
		if done < 0 || done >= total {
			t.Errorf("Progress(%d, %d); want less than all to be done", done, total)
		}
		if done > total/2 {
			cancel()
		}
	}
	if e, err := OpenContext(ctx, "store", left); !errors.Is(err, context.Canceled) {
		t.Fatalf("OpenContext = %v, %v; want %v", e, err, context.Canceled)
	}
	left.Progress = nil
	if got, err := open(t, left).Counter("k").Get(context.Background()); got != n || err != nil {
		t.Errorf("Get = %d, %v; want %d", got, err, n)
	}
}
