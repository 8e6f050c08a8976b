package engine

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"

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

func TestArrivalsAreInTheOrderOfTheStore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, make := range map[string]func() place{
		"keys":                     func() place { return place{first: 3, hash: r.Uint64()} },
		"keys of like hashes":      func() place { return place{first: 3, hash: r.Uint64N(50)} },
		"keys of some databases":   func() place { return place{first: byte(r.IntN(3)), hash: r.Uint64()} },
		"fields, and keys, of all": func() place { return place{first: byte(r.IntN(3)), group: r.Uint64N(3), hash: r.Uint64()} },
	} {
		for n := range 70 {
			var list []placed
			for i := range n {
				list = append(list, placed{make(), int32(i)})
			}
			want := slices.SortedStableFunc(slices.Values(list), func(a, b placed) int { return a.compare(b.place) })
			if got := sortPlaced(slices.Clone(list)); !slices.EqualFunc(got, want, func(a, b placed) bool { return a.place == b.place }) {
				t.Fatalf("%s: %d are sorted as %v; want %v", name, n, got, want)
			}
		}
	}
}

// TestLoadDuringAnArrival: a key comes into the cache, and is added to, after it was worked out what a batch makes of it.
func TestLoadDuringAnArrival(t *testing.T) {
	e := open(t, Options{UpdatePeriod: 1e9 * 3600})
	c := e.Counter("k")
	stamp := tlv.Stamp(e.Now()) << tlv.StampShift
	b := foreignAdd(stamp, "k")
	e.commitMu.Lock()
	err := e.land(b.Deltas, func(a *joining) { e.join(a, b) }, func(*pebble.Batch, []arrival) (func(), error) {
		v, err := c.Increment(t.Context(), 1)
		if v != 1 {
			t.Errorf("Increment before the commit = %d; want 1", v)
		}
		return func() { e.vector.Put(b.Entry()) }, err
	})
	e.commitMu.Unlock()
	if err != nil {
		t.Fatalf("land = %v", err)
	}
	for range 2 {
		if v, err := c.Get(t.Context()); v != 11 || err != nil {
			t.Errorf("Get = %d, %v; want 11", v, err)
		}
		if err := e.Flush(); err != nil {
			t.Fatalf("Flush = %v", err)
		}
	}
	if s, err := e.readState(e.place([]byte("\x00k")), "\x00k"); err != nil || s.View().Sum != tlv.FromInt64(11) {
		t.Errorf("stored = %+v, %v; want a sum of 11", s, err)
	}
}
