package engine

import (
	"errors"
	"math"
	"testing"

	"atomiccounter/tlv"
)

// foreignAdd is a first batch of another replica that adds 10 to each of the keys.
func foreignAdd(stamp tlv.Stamp, keys ...string) *tlv.Batch {
	b := &tlv.Batch{Replica: 7, Stamp: stamp}
	for _, key := range keys {
		b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte("\x00" + key), State: tlv.State{Contributions: []tlv.Contribution{
			{Replica: 7, Birth: stamp, Rev: stamp, Last: stamp, Total: tlv.FromInt64(10)}}}})
	}
	return b
}

func TestApplyRefuses(t *testing.T) {
	e := open(t, Options{})
	now := tlv.Stamp(e.Now()) << tlv.StampShift
	for _, test := range []struct {
		name  string
		batch *tlv.Batch
		want  error
	}{
		{"a clock far ahead", foreignAdd(now+(maxAhead+60_000)<<tlv.StampShift, "k"), ErrClock},
		{"the end of time", foreignAdd(math.MaxUint64, "k"), ErrClock},
		{"a repeated key", foreignAdd(now, "k", "k"), tlv.ErrMalformed},
	} {
		if err := e.Apply(test.batch); !errors.Is(err, test.want) {
			t.Errorf("%s: Apply = %v; want %v", test.name, err, test.want)
		}
	}
	if n := e.Stats().Keys[0]; n != 0 {
		t.Errorf("after refused batches DBSIZE = %d; want 0", n)
	}
	if got := e.clock.next(e.Now()); got.Millis() > e.Now()+1000 {
		t.Errorf("a refused batch moved the clock to %d; it is %d", got.Millis(), e.Now())
	}
}

// TestStaleKeysAreListedOnce: a key that is asked for with a period of 0 is taken in at each, and goes stale again.
func TestStaleKeysAreListedOnce(t *testing.T) {
	e := open(t, Options{UpdatePeriod: 1e9 * 3600})
	p := e.NewPipeline()
	p.update = 0
	stamp := tlv.Stamp(e.Now()) << tlv.StampShift
	prev := tlv.Stamp(0)
	for range 100 {
		b := foreignAdd(stamp, "k")
		b.Prev, prev = prev, stamp
		stamp++
		if err := e.Apply(b); err != nil {
			t.Fatalf("Apply = %v", err)
		}
		if v, _, err := p.Get([]byte("k")); v != 10 || err != nil {
			t.Fatalf("Get = %d, %v; want 10", v, err)
		}
		if _, err := p.Commit(); err != nil {
			t.Fatalf("Commit = %v", err)
		}
	}
	if n := len(e.staleKeys); n > 1 {
		t.Errorf("one key is listed %d times; want at most once", n)
	}
}
