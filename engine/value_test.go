package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"atomiccounter/tlv"
)

func TestValue(t *testing.T) {
	for _, c := range []struct {
		s string
		v Value
	}{
		{"", Value{IsText: true, OK: true}},
		{"0", IntValue(0)},
		{"-12", IntValue(-12)},
		{"-0", Value{Text: "-0", IsText: true, OK: true}},
		{"012", Value{Text: "012", IsText: true, OK: true}},
		{"9223372036854775808", Value{Text: "9223372036854775808", IsText: true, OK: true}},
		{"-9223372036854775808", IntValue(-1 << 63)},
	} {
		v := ParseValue([]byte(c.s))
		if v != c.v || string(v.Append(nil)) != c.s || v.Len() != len(c.s) {
			t.Errorf("ParseValue(%q) = %+v, again %q of %d bytes; want %+v", c.s, v, v.Append(nil), v.Len(), c.v)
		}
	}
	if v := (Value{}); v.Len() != 0 || len(v.Append(nil)) != 0 {
		t.Errorf("no value is %q, %d bytes", v.Append(nil), v.Len())
	}
}

// put sets a value and commits.
func put(t *testing.T, e *Engine, key, s string) {
	t.Helper()
	p := e.NewPipeline()
	if r, err := p.Put([]byte(key), ParseValue([]byte(s)), SetOptions{}); err != nil || !r.Done {
		t.Errorf("Put(%q) = %+v, %v", key, r, err)
	}
	mustCommit(t, p)
}

// look checks what keys show: key, value, key, value; "(none)" for none.
func look(t *testing.T, e *Engine, pairs ...string) {
	t.Helper()
	p := e.NewPipeline()
	for i := 0; i < len(pairs); i += 2 {
		v, err := p.Value([]byte(pairs[i]))
		got := string(v.Append(nil))
		if !v.OK {
			got = "(none)"
		}
		if got != pairs[i+1] || err != nil {
			t.Errorf("Value(%q) = %.60q, %v; want %.60q", pairs[i], got, err, pairs[i+1])
		}
	}
	mustCommit(t, p)
}

// dropCache evicts what is clean.
func dropCache(e *Engine) {
	limit := e.CacheSize()
	e.SetCacheSize(0)
	evictAll(e)
	e.SetCacheSize(limit)
}

// TestTextSurvives: a crash, a flush, an eviction and a reopening.
func TestTextSurvives(t *testing.T) {
	o := disk()
	e := open(t, o)
	long := strings.Repeat("\x00long\xff", MaxText/6)
	put(t, e, "t", "hello")
	put(t, e, "long", long)
	put(t, e, "empty", "")
	put(t, e, "n", "7")
	p := e.NewPipeline()
	for _, s := range []string{"1", "x"} {
		if err := p.Edit([]byte("n"), func(old Value) (Value, bool, error) {
			return ParseValue(append(old.Append(nil), s...)), true, nil
		}); err != nil {
			t.Errorf("Edit = %v", err)
		}
	}
	mustCommit(t, p)
	want := []string{"t", "hello", "long", long, "empty", "", "n", "71x", "none", "(none)"}
	look(t, e, want...)
	e = open(t, crashed(e, o))
	look(t, e, want...)
	dropCache(e)
	look(t, e, want...)
	put(t, e, "long", "5")
	put(t, e, "t", "other")
	if err := e.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	dropCache(e)
	if n, err := e.Counter("long").Increment(t.Context(), 2); n != 7 || err != nil {
		t.Errorf("Increment of what was a text = %d, %v; want 7", n, err)
	}
	look(t, e, "long", "7", "t", "other")
}

// TestTextRefusesIncrements, in every way in which there can be one.
func TestTextRefusesIncrements(t *testing.T) {
	e := open(t, Options{})
	put(t, e, "k", "hello")
	p, k := e.NewPipeline(), []byte("k")
	if _, err := p.Incr(k, 1); !errors.Is(err, ErrNotInteger) {
		t.Errorf("Incr = %v; want %v", err, ErrNotInteger)
	}
	if _, err := p.IncrEx(k, IncrExOptions{By: 1, Lower: NoLower, Upper: NoUpper}); !errors.Is(err, ErrNotInteger) {
		t.Errorf("IncrEx = %v; want %v", err, ErrNotInteger)
	}
	if _, _, err := p.Get(k); !errors.Is(err, ErrNotInteger) {
		t.Errorf("Get = %v; want %v", err, ErrNotInteger)
	}
	mustCommit(t, p)
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNotInteger) {
		t.Errorf("Increment = %v; want %v", err, ErrNotInteger)
	}
	look(t, e, "k", "hello")
	if v, err := p.GetDel(k); err != nil || v.Text != "hello" {
		t.Errorf("GetDel = %+v, %v; want hello", v, err)
	}
	if n, err := p.Incr(k, 1); n != 1 || err != nil {
		t.Errorf("Incr after GetDel = %d, %v; want 1", n, err)
	}
	mustCommit(t, p)
}

// TestTextAgainstIncrements: two replicas, of which one sets a text and the other adds.
func TestTextAgainstIncrements(t *testing.T) {
	now := &clock{1000}
	a, b := newMember(t, 1, Options{Now: now.now}), newMember(t, 2, Options{Now: now.now, UpdatePeriod: time.Hour})
	both := func(want string) {
		t.Helper()
		for range 2 {
			a.pull(b)
			b.pull(a)
		}
		b.Refresh()
		look(t, a.Engine, "k", want)
		look(t, b.Engine, "k", want)
	}
	a.add("k", 5)
	both("5")
	put(t, a.Engine, "k", "text")
	b.add("k", 30) // on the 5, which a has cancelled
	both("text")
	if _, err := b.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNotInteger) {
		t.Errorf("Increment where the text is known = %v; want %v", err, ErrNotInteger)
	}
	look(t, a.Engine, "k", "text")
	put(t, b.Engine, "k", "100") // cancels the text, and the 30
	both("100")
	put(t, a.Engine, "k", "a")
	now.ms++
	put(t, b.Engine, "k", "b")
	both("b")
	b.add("j", 1)
	b.pull(a)
	a.pull(b)
	b.add("j", 2) // not seen by a
	put(t, a.Engine, "j", "text")
	b.pull(a) // b has seen the text now
	look(t, b.Engine, "j", "text")
	a.del("j") // takes the text away, and the 1, and not the 2
	for range 2 {
		a.pull(b)
		b.pull(a)
	}
	look(t, a.Engine, "j", "2")
	look(t, b.Engine, "j", "2")
}

// TestForeignTextShowsAtOnce: whether a key can be added to does not wait for the update period.
func TestForeignTextShowsAtOnce(t *testing.T) {
	e := open(t, Options{UpdatePeriod: time.Hour})
	if _, err := e.Counter("k").Increment(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	c := tlv.Contribution{Replica: 7, Birth: 1 << 30, Rev: 1 << 30, Last: 1 << 30, HasValue: true, IsText: true, Text: "x"}
	b := &tlv.Batch{Replica: 7, Stamp: 1 << 30, Deltas: []tlv.Delta{{Key: []byte("\x00k"), State: tlv.State{Contributions: []tlv.Contribution{c}}}}}
	if err := e.Apply(b); err != nil {
		t.Fatalf("Apply = %v", err)
	}
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNotInteger) {
		t.Errorf("Increment = %v; want %v", err, ErrNotInteger)
	}
	look(t, e, "k", "x")
}

// TestTextsCountIntoTheCache: what texts take is what the cache says it takes, and it evicts for them.
func TestTextsCountIntoTheCache(t *testing.T) {
	e := open(t, Options{CacheSize: 64 << 20})
	base := func() int64 { return e.Stats().CacheBytes - e.Stats().CacheEntries*entrySize }
	kib := strings.Repeat("x", 1<<10)
	for i := range 100 {
		put(t, e, fmt.Sprint(i), kib)
	}
	if got, want := base(), 100*(1<<10+openSize); got != want {
		t.Errorf("100 texts of 1 KiB count %d bytes; want %d", got, want)
	}
	if err := e.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	for i := range 50 {
		put(t, e, fmt.Sprint(i), "5")
	}
	if err := e.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	if got, want := base(), 50*(1<<10+openSize); got != want {
		t.Errorf("50 texts of 1 KiB count %d bytes; want %d", got, want)
	}
	dropCache(e)
	if got := e.Stats().CacheBytes; got != 0 {
		t.Errorf("%d bytes are counted in an empty cache", got)
	}
	e.SetCacheSize(1 << 20)
	for i := range 300 {
		put(t, e, fmt.Sprint(i), strings.Repeat("y", 64<<10))
		if i%10 == 9 {
			if err := e.Flush(); err != nil {
				t.Fatalf("Flush = %v", err)
			}
		}
	}
	for i := range 300 { // evicts as it loads
		look(t, e, fmt.Sprint(i), strings.Repeat("y", 64<<10))
	}
	if got := e.Stats().CacheBytes; got > 18<<20 { // one text of 64 KiB in each of 256 shards at most, and a little
		t.Errorf("a cache of 1 MiB holds %d bytes", got)
	}
}

// TestTextsAreFlushedInTime: batches stay of a size that peers take.
func TestTextsAreFlushedInTime(t *testing.T) {
	greatest := 0
	o := Options{publish: func(b []byte) { greatest = max(greatest, len(b)) }}
	e := open(t, o)
	p := e.NewPipeline()
	text := bytes.Repeat([]byte("x"), MaxText)
	for i := range 100 {
		if _, err := p.Put(fmt.Append(nil, i), ParseValue(text), SetOptions{}); err != nil {
			t.Fatalf("Put = %v", err)
		}
	}
	mustCommit(t, p)
	if err := e.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	if greatest < MaxText || greatest > maxTexts+2*MaxText {
		t.Errorf("the greatest batch has %d bytes; want at most %d of texts", greatest, maxTexts)
	}
}

// TestTextTooLong changes nothing.
func TestTextTooLong(t *testing.T) {
	e := open(t, Options{})
	put(t, e, "k", "short")
	p, k := e.NewPipeline(), []byte("k")
	long := Value{Text: strings.Repeat("x", MaxText+1), IsText: true, OK: true}
	if _, err := p.Put(k, long, SetOptions{}); !errors.Is(err, ErrTextTooLong) {
		t.Errorf("Put = %v; want %v", err, ErrTextTooLong)
	}
	if _, err := p.MSet([][]byte{[]byte("j"), k}, []Value{IntValue(1), long}, Overwrite); !errors.Is(err, ErrTextTooLong) {
		t.Errorf("MSet = %v; want %v", err, ErrTextTooLong)
	}
	if err := p.Edit(k, func(Value) (Value, bool, error) { return long, true, nil }); !errors.Is(err, ErrTextTooLong) {
		t.Errorf("Edit = %v; want %v", err, ErrTextTooLong)
	}
	mustCommit(t, p)
	look(t, e, "k", "short", "j", "(none)")
}

// TestIncrementAllocatesNothing, and neither does a read.
func TestIncrementAllocatesNothing(t *testing.T) {
	e := open(t, Options{})
	p, k := e.NewPipeline(), []byte("k")
	put(t, e, "text", "hello")
	put(t, e, "k", "1")
	for name, f := range map[string]func(){
		"Incr":            func() { _, _ = p.Incr(k, 1) },
		"Value":           func() { _, _ = p.Value(k) },
		"Value of a text": func() { _, _ = p.Value([]byte("text")) },
	} {
		f()
		if n := testing.AllocsPerRun(100, func() {
			f()
			_, _ = p.Commit()
		}); n != 0 {
			t.Errorf("%s: %v allocations; want none", name, n)
		}
	}
}

// TestWideSumAtTheEnds: the true sum is computed anew where the value is its clamp.
func TestWideSumAtTheEnds(t *testing.T) {
	e := open(t, Options{UpdatePeriod: AlwaysFresh})
	put(t, e, "k", "9223372036854775800")
	other := newPeer(9)
	other.add(t, e, "k", 100)
	p, k := e.NewPipeline(), []byte("k")
	if _, err := p.Incr(k, 1); !errors.Is(err, ErrOverflow) {
		t.Errorf("Incr = %v; want %v", err, ErrOverflow)
	}
	if n, err := p.Incr(k, -1); n != 1<<63-1 || err != nil {
		t.Errorf("Incr(-1) = %d, %v; want the limit", n, err)
	}
	if n, err := p.Incr(k, -100); n != 9223372036854775799 || err != nil {
		t.Errorf("Incr(-100) = %d, %v; want 9223372036854775799", n, err)
	}
	mustCommit(t, p)
}
