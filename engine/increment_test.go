package engine

import (
	"errors"
	"math"
	"strings"
	"testing"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

const (
	maxInt = math.MaxInt64
	minInt = math.MinInt64
)

// TestOverflow: each line is one counter; an increment that is refused changes nothing.
func TestOverflow(t *testing.T) {
	for _, c := range []struct {
		name    string
		natural bool
		foreign []int64 // added by other replicas, each its own
		steps   []int64
		errs    []error // nil where there are fewer
		want    int64
	}{
		{name: "exactly to the top", steps: []int64{maxInt - 1, 1}, want: maxInt},
		{name: "beyond the top", steps: []int64{maxInt, 1}, errs: []error{nil, ErrOverflow}, want: maxInt},
		{name: "exactly to the bottom", steps: []int64{-maxInt, -1}, want: minInt},
		{name: "beyond the bottom", steps: []int64{minInt, -1}, errs: []error{nil, ErrOverflow}, want: minInt},
		{name: "from end to end", steps: []int64{minInt, maxInt, maxInt}, want: maxInt - 1},
		{name: "natural to the top", natural: true, steps: []int64{maxInt, 0, 1}, errs: []error{nil, nil, ErrOverflow}, want: maxInt},
		{name: "natural down", natural: true, steps: []int64{5, -1, 1}, errs: []error{nil, ErrNegative}, want: 6},
		{name: "natural down at first", natural: true, steps: []int64{-1}, errs: []error{ErrNegative}},
		{name: "pairs", steps: []int64{maxInt, -maxInt, maxInt, -maxInt, maxInt, -maxInt, 3}, want: 3},
		{name: "wide reads clamp", foreign: []int64{maxInt, maxInt}, want: maxInt},
		{name: "further out", foreign: []int64{maxInt, 10}, steps: []int64{1}, errs: []error{ErrOverflow}, want: maxInt},
		{name: "back, still wide", foreign: []int64{maxInt, 10}, steps: []int64{-4, -4}, want: maxInt},
		{name: "back inside", foreign: []int64{maxInt, 10}, steps: []int64{-12, -1}, want: maxInt - 3},
		{name: "back inside and out", foreign: []int64{maxInt, 10}, steps: []int64{-11, 2}, errs: []error{nil, ErrOverflow}, want: maxInt - 1},
		{name: "wide below", foreign: []int64{minInt, -10}, steps: []int64{-1, 5, 6}, errs: []error{ErrOverflow}, want: minInt + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := disk()
			o.UpdatePeriod = AlwaysFresh
			o.Natural = func([]byte) bool { return c.natural }
			e := open(t, o)
			for i, n := range c.foreign {
				newPeer(tlv.ReplicaID(i+1)).add(t, e, "k", n)
			}
			for i, n := range c.steps {
				want := error(nil)
				if i < len(c.errs) {
					want = c.errs[i]
				}
				if _, err := e.Counter("k").Increment(t.Context(), n); !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Fatalf("Increment(%d) = %v; want %v", n, err, want)
				}
			}
			checkCounters(t, e, map[string]int64{"k": c.want})
			checkCounters(t, open(t, crashed(e, o)), map[string]int64{"k": c.want})
		})
	}
}

// TestPairsOfOneClient: what one client adds and takes away on two replicas may push a contribution past int64, but no value.
func TestPairsOfOneClient(t *testing.T) {
	o := disk()
	o.UpdatePeriod = AlwaysFresh
	e := open(t, o)
	p := newPeer(3)
	for range 3 {
		increment(t, e, "k", maxInt)
		p.add(t, e, "k", -maxInt)
	}
	if p.totals["k"].IsInt64() {
		t.Errorf("the contribution is %v; it was to leave int64", p.totals["k"])
	}
	checkCounters(t, e, map[string]int64{"k": 0})
	checkCounters(t, open(t, crashed(e, o)), map[string]int64{"k": 0})
}

// TestNaturalPattern: a pattern decides for keys that are created, not for those that exist.
func TestNaturalPattern(t *testing.T) {
	e := open(t, Options{Natural: func(key []byte) bool { return strings.HasPrefix(string(key), "views:") }})
	p := e.NewPipeline()
	for _, c := range []struct {
		key  string
		kind tlv.Kind
		want error
	}{{"views:1", tlv.Natural, ErrKindFixed}, {"likes:1", tlv.ZCounter, nil}} {
		if _, err := p.Incr([]byte(c.key), 1); err != nil {
			t.Fatalf("Incr(%q) = %v", c.key, err)
		}
		info, ok, err := p.Inspect([]byte(c.key))
		if info.Kind != c.kind || !ok || err != nil {
			t.Errorf("Inspect(%q) = %v, %v, %v; want kind %v", c.key, info.Kind, ok, err, c.kind)
		}
		if created, err := p.New([]byte(c.key), tlv.ZCounter); created || !errors.Is(err, c.want) {
			t.Errorf("New(%q, ZCounter) = %v, %v; want %v", c.key, created, err, c.want)
		}
	}
	if _, err := p.Set([]byte("views:2"), -1, SetOptions{}); !errors.Is(err, ErrNegative) {
		t.Errorf("Set of a Natural to -1 = %v; want %v", err, ErrNegative)
	}
	mustCommit(t, p)
}

func mustCommit(t *testing.T, p *Pipeline) {
	t.Helper()
	if _, err := p.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
}

// clock is a wall clock that tests move.
type clock struct{ ms int64 }

func (c *clock) now() int64 { return c.ms }

// TestSet runs each SET against a key that is missing, has a value, or has a value and an expiry.
func TestSet(t *testing.T) {
	const later = 2_000_000
	for _, c := range []struct {
		name   string
		o      SetOptions
		exists bool
		ttl    int64
		done   bool
		value  Value
		at     int64
	}{
		{"plain", SetOptions{}, true, later, true, IntValue(9), 0},
		{"NX, missing", SetOptions{NX: true}, false, 0, true, IntValue(9), 0},
		{"NX, there", SetOptions{NX: true}, true, later, false, IntValue(5), later},
		{"XX, missing", SetOptions{XX: true}, false, 0, false, Value{}, 0},
		{"XX, there", SetOptions{XX: true}, true, 0, true, IntValue(9), 0},
		{"KEEPTTL", SetOptions{KeepTTL: true}, true, later, true, IntValue(9), later},
		{"KEEPTTL, none", SetOptions{KeepTTL: true}, true, 0, true, IntValue(9), 0},
		{"EXAT", SetOptions{ExpireAt: later + 1}, true, later, true, IntValue(9), later + 1},
		{"EXAT, past", SetOptions{ExpireAt: 1}, true, later, true, Value{}, 0},
		{"GET NX, there", SetOptions{Get: true, NX: true}, true, 0, false, IntValue(5), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clk := &clock{1_000_000}
			o := disk()
			o.Now = clk.now
			e := open(t, o)
			p := e.NewPipeline()
			before := Value{}
			if c.exists {
				before = IntValue(5)
				if _, err := p.Set([]byte("k"), 5, SetOptions{ExpireAt: c.ttl}); err != nil {
					t.Fatalf("Set = %v", err)
				}
			}
			r, err := p.Set([]byte("k"), 9, c.o)
			if r.Done != c.done || err != nil || c.o.Get && r.Old != before {
				t.Errorf("Set = %+v, %v; want done %t, old %v", r, err, c.done, before)
			}
			mustCommit(t, p)
			checkKey(t, e, c.value, c.at)
			checkKey(t, open(t, crashed(e, o)), c.value, c.at)
		})
	}
}

func checkKey(t *testing.T, e *Engine, want Value, at int64) {
	t.Helper()
	p := e.NewPipeline()
	v, ok, err := p.Get([]byte("k"))
	got, _, err2 := p.ExpireTime([]byte("k"))
	if err = errors.Join(err, err2); (Value{Int: v, OK: ok}) != want && ok == want.OK || ok != want.OK || err != nil || got != at {
		t.Errorf("Get = %d, %t, expires at %d, %v; want %v, %d", v, ok, got, err, want, at)
	}
	mustCommit(t, p)
}

func TestIncrEx(t *testing.T) {
	none := IncrExOptions{Lower: NoLower, Upper: NoUpper}
	for _, c := range []struct {
		name           string
		start          int64
		by, low, up    int64
		saturate       bool
		value, applied int64
	}{
		{"inside", 5, 3, 0, 10, false, 8, 3},
		{"to the bound", 5, 5, 0, 10, false, 10, 5},
		{"beyond", 5, 6, 0, 10, false, 5, 0},
		{"beyond, saturate", 5, 6, 0, 10, true, 10, 5},
		{"below", 5, -6, 0, 10, false, 5, 0},
		{"below, saturate", 5, -6, 0, 10, true, 0, -5},
		{"at the bound", 10, 1, 0, 10, true, 10, 0},
		{"overflow", maxInt, 1, none.Lower, none.Upper, false, maxInt, 0},
		{"overflow, saturate", maxInt - 1, 5, none.Lower, none.Upper, true, maxInt, 1},
		{"underflow, saturate", minInt + 1, -5, none.Lower, none.Upper, true, minInt, -1},
		{"overflow, saturate to a bound", 5, maxInt, none.Lower, 10, true, 10, 5},
		{"was beyond", 50, 1, 0, 10, false, 50, 0},
		{"was beyond, saturate", 50, 1, 0, 10, true, 10, -40},
		{"was below, saturate", -50, -1, 0, 10, true, 0, 50},
		{"was beyond, saturate, the other way", 50, -1, 0, 10, true, 10, -40},
	} {
		e := open(t, Options{})
		p := e.NewPipeline()
		if _, err := p.Set([]byte("k"), c.start, SetOptions{}); err != nil {
			t.Fatalf("Set = %v", err)
		}
		r, err := p.IncrEx([]byte("k"), IncrExOptions{By: c.by, Lower: c.low, Upper: c.up, Saturate: c.saturate})
		if r.Value != c.value || r.Applied != c.applied || err != nil {
			t.Errorf("%s: IncrEx = %d, %d, %v; want %d, %d", c.name, r.Value, r.Applied, err, c.value, c.applied)
		}
		mustCommit(t, p)
	}
}

// TestIncrExTooFar: int64 does not hold how far the bound is away.
func TestIncrExTooFar(t *testing.T) {
	e := open(t, Options{})
	p := e.NewPipeline()
	defer mustCommit(t, p)
	if _, err := p.Set([]byte("k"), maxInt, SetOptions{}); err != nil {
		t.Fatalf("Set = %v", err)
	}
	o := IncrExOptions{By: 1, Lower: NoLower, Upper: minInt, Saturate: true}
	if _, err := p.IncrEx([]byte("k"), o); !errors.Is(err, ErrAppliedOverflow) {
		t.Errorf("IncrEx = %v; want %v", err, ErrAppliedOverflow)
	}
	if v, ok, err := p.Get([]byte("k")); v != maxInt || !ok || err != nil {
		t.Errorf("Get = %d, %t, %v; want %d", v, ok, err, maxInt)
	}
}

// TestRefusalsDepend on the writes that they have seen, as other replies do.
func TestRefusalsDepend(t *testing.T) {
	k := []byte("k")
	for name, refuse := range map[string]func(p *Pipeline) error{
		"INCREX out of bounds": func(p *Pipeline) error {
			_, err := p.IncrEx(k, IncrExOptions{By: 1, Lower: NoLower, Upper: 1})
			return err
		},
		"MSETNX of what exists": func(p *Pipeline) error {
			_, err := p.MSet([][]byte{k}, []Value{IntValue(7)}, Refuse)
			return err
		},
		"CINFO of what is gone": func(p *Pipeline) error {
			_, _, err := p.Inspect([]byte("gone"))
			return err
		},
	} {
		e := open(t, Options{})
		writer, p := e.NewPipeline(), e.NewPipeline()
		for _, do := range []func() error{
			func() error { _, err := writer.Incr([]byte("gone"), 1); return err },
			func() error { _, err := writer.Incr(k, 1); return err },
			func() error { _, err := writer.Del([][]byte{[]byte("gone")}); return err },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		wrote, err := writer.Commit()
		if err != nil {
			t.Fatalf("Commit = %v", err)
		}
		if err := refuse(p); err != nil {
			t.Errorf("%s = %v", name, err)
		}
		if pos, err := p.Commit(); pos < wrote || err != nil {
			t.Errorf("%s depends on position %d, %v; want at least %d", name, pos, err, wrote)
		}
	}
}

func TestExpireConditions(t *testing.T) {
	for _, c := range []struct {
		cond    ExpireCond
		cur, at int64
		want    bool
	}{
		{0, 0, 5, true}, {0, 9, 5, true}, {ExpireNX, 0, 5, true}, {ExpireNX, 9, 5, false}, {ExpireXX, 0, 5, false},
		{ExpireXX, 9, 5, true}, {ExpireGT, 0, 5, false}, {ExpireGT, 4, 5, true}, {ExpireGT, 5, 5, false},
		{ExpireLT, 0, 5, true}, {ExpireLT, 5, 5, false}, {ExpireLT, 6, 5, true}, {ExpireXX | ExpireLT, 0, 5, false},
	} {
		if got := c.cond.holds(c.cur, c.at); got != c.want {
			t.Errorf("condition %b of %d against %d = %t; want %t", c.cond, c.at, c.cur, got, c.want)
		}
	}
}

// TestExpiryGoesAlong: DEL takes the TTL along, a new key inherits none, a past time is a DEL, GETDEL and GETEX say what
// they took.
func TestExpiryGoesAlong(t *testing.T) {
	clk := &clock{1_000_000}
	o := disk()
	o.Now = clk.now
	e := open(t, o)
	p, k := e.NewPipeline(), []byte("k")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.Set(k, 5, SetOptions{ExpireAt: 1_000_100}))
	must(p.Del([][]byte{k}))
	must(p.Incr(k, 1))
	mustCommit(t, p)
	checkKey(t, e, IntValue(1), 0)
	if v, err := p.GetEx(k, ExpireOptions{At: 1_000_100}); v != (IntValue(1)) || err != nil {
		t.Errorf("GetEx = %v, %v; want 1", v, err)
	}
	clk.ms += 100
	mustCommit(t, p)
	checkKey(t, e, Value{}, 0)
	must(p.Incr(k, 2)) // a write cancels what has expired
	mustCommit(t, p)
	checkKey(t, e, IntValue(2), 0)
	if ok, err := p.ExpireAt(k, clk.ms, 0); !ok || err != nil {
		t.Errorf("ExpireAt now = %v, %v; want true", ok, err)
	}
	mustCommit(t, p)
	checkKey(t, e, Value{}, 0)
	must(p.Set(k, 7, SetOptions{}))
	if v, err := p.GetDel(k); v != (IntValue(7)) || err != nil {
		t.Errorf("GetDel = %v, %v; want 7", v, err)
	}
	mustCommit(t, p)
	checkKey(t, open(t, crashed(e, o)), Value{}, 0)
}

// TestSweep: keys with a TTL go from the count, the index and the database without being touched, however many at once.
func TestSweep(t *testing.T) {
	clk := &clock{1_000_000}
	o := disk()
	o.Now = clk.now
	e := open(t, o)
	p := e.NewPipeline()
	const n = 3 * sweepPage / 2
	for i := range n {
		key := []byte{'k', byte(i >> 8), byte(i)}
		if _, err := p.Set(key, 1, SetOptions{ExpireAt: clk.ms + 100 + int64(i%7)}); err != nil {
			t.Fatalf("Set = %v", err)
		}
	}
	mustCommit(t, p)
	increment(t, e, "stays", 1)
	for _, err := range []error{e.Flush(), e.Sweep()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Stats().Keys[0]; got != n+1 {
		t.Fatalf("%d keys before their time; want %d", got, n+1)
	}
	clk.ms += 200
	evictAll(e)
	for _, err := range []error{e.Sweep(), e.Flush()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := e.Stats()
	if s.Keys[0] != 1 || s.Expires[0] != 0 || s.Expired != n {
		t.Errorf("%d keys, %d with an expiry, %d expired; want 1, 0, %d", s.Keys[0], s.Expires[0], s.Expired, n)
	}
	if page, err := e.duePage([]byte{store.IndexPrefix}, maxInt-1); len(page) > 0 || err != nil {
		t.Errorf("the index has %d records, %v; want none", len(page), err)
	}
	if left, err := e.readState(e.self.place([]byte("\x00k\x00\x00")), "\x00k\x00\x00"); !left.Empty() || err != nil {
		t.Errorf("the database has %+v, %v; want nothing", left, err)
	}
}

// TestClockBackwards: stamps rise over restarts, whatever the wall clock does.
func TestClockBackwards(t *testing.T) {
	clk := &clock{5_000_000}
	o := disk()
	o.Now = clk.now
	e := open(t, o)
	last := tlv.Stamp(0)
	for range 5 {
		p := e.NewPipeline()
		if _, err := p.Set([]byte("k"), 1, SetOptions{}); err != nil {
			t.Fatalf("Set = %v", err)
		}
		mustCommit(t, p)
		if s := tlv.Stamp(e.clock.last.Load()); s <= last {
			t.Errorf("stamp %d after %d; want a later one", s, last)
		}
		last = tlv.Stamp(e.clock.last.Load())
		clk.ms -= 1_000_000
		o = crashed(e, o)
		e = open(t, o)
	}
}

// TestSpaceReserve: below the reserve writes are refused, reads go on, and writes too when there is room again.
func TestSpaceReserve(t *testing.T) {
	free := int64(maxInt)
	o := disk()
	o.Reserve, o.free = 1000, func() (int64, error) { return free, nil }
	e := open(t, o)
	increment(t, e, "k", 1)
	for _, c := range []struct {
		free int64
		want error
	}{{999, ErrNoSpace}, {1000, ErrNoSpace}, {1125, nil}, {1000, nil}, {0, ErrNoSpace}} {
		free = c.free
		e.checkSpace()
		_, err := e.Counter("k").Increment(t.Context(), 0)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("with %d bytes free Increment = %v; want %v", c.free, err, c.want)
		}
		checkCounters(t, e, map[string]int64{"k": 1})
	}
	if err := e.Flush(); err != nil {
		t.Errorf("Flush with a full disk = %v; what was acknowledged must go on", err)
	}
}

// TestBeyondInt64: of a sum that no reply can tell whole nothing is taken away, and bounds are those of the sum itself.
func TestBeyondInt64(t *testing.T) {
	e := open(t, Options{UpdatePeriod: AlwaysFresh})
	increment(t, e, "k", maxInt)
	newPeer(9).add(t, e, "k", maxInt)
	p, key := e.NewPipeline(), []byte("k")
	if _, err := p.GetDel(key); !errors.Is(err, ErrHarvest) {
		t.Errorf("GetDel = %v; want %v", err, ErrHarvest)
	}
	if _, err := p.Set(key, 1, SetOptions{Get: true}); !errors.Is(err, ErrHarvest) {
		t.Errorf("Set with Get = %v; want %v", err, ErrHarvest)
	}
	if r, err := p.Set(key, 1, SetOptions{Get: true, NX: true}); r.Done || r.Old.Int != maxInt || err != nil {
		t.Errorf("Set with Get and NX = %+v, %v; want nothing done", r, err)
	}
	if _, err := p.IncrEx(key, IncrExOptions{By: 1, Lower: NoLower, Upper: 100, Saturate: true}); !errors.Is(err, ErrAppliedOverflow) {
		t.Errorf("IncrEx = %v; want %v", err, ErrAppliedOverflow)
	}
	if r, err := p.IncrEx(key, IncrExOptions{By: -maxInt, Lower: NoLower, Upper: NoUpper}); r.Value != maxInt || !r.Done || err != nil {
		t.Errorf("IncrEx = %+v, %v; want %d", r, err, int64(maxInt))
	}
	if v, err := p.GetDel(key); v.Int != maxInt || err != nil {
		t.Errorf("GetDel = %d, %v; want %d", v.Int, err, int64(maxInt))
	}
	if v, ok, err := p.Get(key); ok || err != nil {
		t.Errorf("Get = %d, %t, %v; want none", v, ok, err)
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
}
