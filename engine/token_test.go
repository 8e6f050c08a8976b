package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// once is IncrOnce with a commit.
func once(t *testing.T, e *Engine, key, token string, n int64) int64 {
	t.Helper()
	p := e.NewPipeline()
	v, _, err := p.IncrOnce([]byte(key), []byte(token), n, TokenLife)
	if err != nil {
		t.Fatalf("IncrOnce(%q, %q, %d) = %v", key, token, n, err)
	}
	mustCommit(t, p)
	return v
}

func wantOnce(t *testing.T, e *Engine, key, token string, n, want int64) {
	t.Helper()
	if v := once(t, e, key, token, n); v != want {
		t.Errorf("IncrOnce(%q, %q, %d) = %d; want %d", key, token, n, v, want)
	}
}

// rows is how many records of the database begin with a prefix.
func rows(t *testing.T, e *Engine, prefix ...byte) (n int) {
	t.Helper()
	var err error
	for range store.Scan(e.db, prefix, store.After(prefix), &err) {
		n++
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIncrOnce(t *testing.T) {
	e := open(t, Options{})
	wantOnce(t, e, "k", "t", 5, 5)
	increment(t, e, "k", 1)
	wantOnce(t, e, "k", "t", 5, 5)
	wantOnce(t, e, "k", "\x00 other\r\n", 5, 11)
	wantOnce(t, e, "j", "t", 7, 7)
	wantOnce(t, e, "k", strings.Repeat("t", MaxToken), -1, 10)
	wantOnce(t, e, "k", "none", 0, 10)
	look(t, e, "k", "10", "j", "7")

	p := e.NewPipeline()
	p.DB = 1
	if v, _, err := p.IncrOnce([]byte("k"), []byte("t"), 5, 1); v != 5 || err != nil {
		t.Errorf("in another database IncrOnce = %d, %v; want 5", v, err)
	}
	mustCommit(t, p)

	if _, err := p.Del([][]byte{[]byte("k")}); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, p)
	p.DB = 0
	if _, err := p.Del([][]byte{[]byte("k")}); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, p)
	wantOnce(t, e, "k", "t", 5, 5) // counted before the DEL
	look(t, e, "k", "(none)")
}

// TestIncrOnceRefused: what fails leaves the counter as it is, and the next with the token runs again.
func TestIncrOnceRefused(t *testing.T) {
	e := open(t, Options{Natural: func(key []byte) bool { return key[0] == 'n' }})
	put(t, e, "text", "words")
	put(t, e, "top", fmt.Sprint(math.MaxInt64))
	put(t, e, "n", "3")
	once(t, e, "used", "t", 5)
	p := e.NewPipeline()
	if _, err := p.SetFields([]byte("hash"), [][]byte{[]byte("f")}, []Value{IntValue(1)}, Overwrite); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, p)
	long := strings.Repeat("k", MaxKey-3)
	for _, c := range []struct {
		key, token string
		n, life    int64
		want       error
	}{
		{"text", "t", 1, 1, ErrNotInteger},
		{"hash", "t", 1, 1, ErrWrongType},
		{"top", "t", 1, 1, ErrOverflow},
		{"n", "t", -1, 1, ErrNegative},
		{"used", "t", 4, 1, ErrTokenUsed},
		{"k", "", 1, 1, ErrTokenSize},
		{"k", strings.Repeat("t", MaxToken+1), 1, 1, ErrTokenSize},
		{"k", "t", 1, 0, ErrTokenLife},
		{"k", "t", 1, -1, ErrTokenLife},
		{"k", "t", 1, MaxTokenLife + 1, ErrTokenLife},
		{long, "t", 1, 1, ErrKeyTooLong},
	} {
		if _, _, err := p.IncrOnce([]byte(c.key), []byte(c.token), c.n, c.life); !errors.Is(err, c.want) {
			t.Errorf("IncrOnce(%.20q, %.20q, %d, %d) = %v; want %v", c.key, c.token, c.n, c.life, err, c.want)
		}
		mustCommit(t, p)
	}
	look(t, e, "text", "words", "top", fmt.Sprint(math.MaxInt64), "n", "3", "used", "5", "k", "(none)")
	put(t, e, "text", "1")
	wantOnce(t, e, "text", "t", 1, 2)
	wantOnce(t, e, "used", "t", 5, 5)
	wantOnce(t, e, "k", "t", math.MinInt64, math.MinInt64)
}

// TestIncrementOnce: a repeated call counts once, also by another handle, after the store was closed and after it has crashed.
func TestIncrementOnce(t *testing.T) {
	clk := &clock{1_000_000}
	o := disk()
	o.Now = clk.now
	e := open(t, o)
	ctx := t.Context()
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"at first", func() {}},
		{"again", func() {}},
		{"after a start", func() { must(t, nil, e.Close()); e = open(t, o) }},
		{"after a crash", func() { increment(t, e, "k", 1); o = crashed(e, o); e = open(t, o) }},
	} {
		step.do()
		c := e.Counter("k")
		for _, want := range []struct {
			token string
			v     int64
		}{{"t", 5}, {"u", 10}, {"t", 5}} {
			if v, err := c.IncrementOnce(ctx, 5, want.token, time.Hour); v != want.v || err != nil {
				t.Errorf("%s: IncrementOnce(5, %q) = %d, %v; want %d", step.name, want.token, v, err, want.v)
			}
		}
	}
	if v, err := e.Counter("k").Increment(ctx, 1); v != 12 || err != nil {
		t.Errorf("Increment = %d, %v; want 12", v, err)
	}
	clk.ms += time.Hour.Milliseconds()
	if v, err := e.Counter("k").IncrementOnce(ctx, 5, "t", time.Hour); v != 17 || err != nil {
		t.Errorf("IncrementOnce after the token's life = %d, %v; want 17", v, err)
	}
}

// TestIncrementOnceRefused: lives that are none, and a context that is over; nothing is counted.
func TestIncrementOnceRefused(t *testing.T) {
	clk := &clock{1_000_000}
	e := open(t, Options{Now: clk.now})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c := e.Counter("k")
	for _, refused := range []struct {
		ctx   context.Context
		token string
		life  time.Duration
		want  error
	}{
		{over, "t", 0, context.Canceled},
		{t.Context(), "", 0, ErrTokenSize},
		{t.Context(), "t", -1, ErrTokenLife},
		{t.Context(), "t", 24*time.Hour + 1, ErrTokenLife},
		{t.Context(), "t", math.MaxInt64, ErrTokenLife},
	} {
		if v, err := c.IncrementOnce(refused.ctx, 1, refused.token, refused.life); v != 0 || !errors.Is(err, refused.want) {
			t.Errorf("IncrementOnce(1, %q, %v) = %d, %v; want %v", refused.token, refused.life, v, err, refused.want)
		}
	}
	for _, life := range []struct {
		token string
		given time.Duration
		ms    int64
	}{{"short", 1, 1}, {"usual", 0, TokenLife}, {"long", 24 * time.Hour, MaxTokenLife}} {
		before, err := c.IncrementOnce(t.Context(), 1, life.token, life.given)
		must(t, nil, err)
		clk.ms += life.ms - 1
		if v, err := c.IncrementOnce(t.Context(), 1, life.token, life.given); v != before || err != nil {
			t.Errorf("%s: before its end IncrementOnce = %d, %v; want %d", life.token, v, err, before)
		}
		clk.ms++
		if v, err := c.IncrementOnce(t.Context(), 1, life.token, life.given); v != before+1 || err != nil {
			t.Errorf("%s: after its end IncrementOnce = %d, %v; want %d", life.token, v, err, before+1)
		}
	}
}

// TestTokensAreNotSeen: nobody lists, counts, draws or is told of one.
func TestTokensAreNotSeen(t *testing.T) {
	now := int64(1_000_000)
	e := open(t, Options{Now: func() int64 { return now }})
	var told []string
	e.Observe(func(_ uint8, key string, c Change) { told = append(told, fmt.Sprint(key, c)) })
	for i := range 20 {
		once(t, e, "k", fmt.Sprint(i), 1)
		if i%7 == 0 {
			must(t, nil, e.Flush())
			dropCache(e)
		}
	}
	p := e.NewPipeline()
	if got := keysOf(t, p); fmt.Sprint(got) != "[k]" {
		t.Errorf("Keys = %q; want k alone", got)
	}
	if key, ok, err := p.RandomKey(); string(key) != "k" || !ok || err != nil {
		t.Errorf("RandomKey = %q, %t, %v", key, ok, err)
	}
	mustCommit(t, p)
	if s := e.Stats(); s.Keys[0] != 1 || s.Expires[0] != 0 {
		t.Errorf("%d keys, %d with an expiry; want 1 and 0", s.Keys[0], s.Expires[0])
	}
	now += TokenLife
	must(t, nil, errors.Join(e.Flush(), e.Sweep()))
	if s := e.Stats(); s.Keys[0] != 1 || s.Expires[0] != 0 || s.Expired != 0 {
		t.Errorf("%d keys, %d with an expiry, %d expired; want 1, 0, 0", s.Keys[0], s.Expires[0], s.Expired)
	}
	if want := fmt.Sprint([]string{fmt.Sprint("k", Created)}); fmt.Sprint(told) != want {
		t.Errorf("told of %q; want %s", told, want)
	}
	checkSize(t, e)
}

// TestTokensEnd: those whose life is over are absent at once, and gone from the disk with the next sweep.
func TestTokensEnd(t *testing.T) {
	now := int64(1_000_000)
	o := disk()
	o.Now = func() int64 { return now }
	e := open(t, o)
	const tokens = 3000
	p := e.NewPipeline()
	for i := range tokens {
		if _, _, err := p.IncrOnce([]byte("k"), fmt.Append(nil, i), 1, 1000+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	mustCommit(t, p)
	must(t, nil, e.Flush())
	if n := rows(t, e, store.StatePrefix, tlv.TokenByte(0)); n != tokens {
		t.Errorf("the database has %d tokens; want %d", n, tokens)
	}
	now += 1000
	wantOnce(t, e, "k", "0", 1, tokens+1)
	wantOnce(t, e, "k", "1", 1, 2)
	now += tokens
	must(t, nil, errors.Join(e.Sweep(), e.Flush(), e.Sweep(), e.Flush()))
	if n := rows(t, e, store.StatePrefix, tlv.TokenByte(0)); n != 1 {
		t.Errorf("the database has %d tokens after a sweep; want the one that was used anew", n)
	}
	now += TokenLife
	must(t, nil, errors.Join(e.Sweep(), e.Flush(), e.Sweep(), e.Flush()))
	if n, x := rows(t, e, store.StatePrefix, tlv.TokenByte(0)), rows(t, e, store.IndexPrefix); n+x != 0 {
		t.Errorf("the database has %d tokens and %d expiries in the end; want none", n, x)
	}
	if err := checkStore(t, e, o); err != nil {
		t.Fatal(err)
	}
}

// TestTokensLeaveTheCache: what is remembered is on the disk, however small the cache is.
func TestTokensLeaveTheCache(t *testing.T) {
	const limit, rounds, each = 1 << 19, 20, 1000
	e := open(t, Options{CacheSize: limit})
	for round := range rounds {
		p := e.NewPipeline()
		for i := range each {
			_, _, err := p.IncrOnce([]byte("k"), fmt.Append(nil, round*each+i), 1, TokenLife)
			must(t, nil, err)
		}
		mustCommit(t, p)
		must(t, nil, e.Flush())
	}
	if n, most := e.Stats().CacheBytes, int64(limit+each*2*entrySize); n > most {
		t.Errorf("%d bytes are cached; want at most %d", n, most)
	}
	for i := range rounds {
		wantOnce(t, e, "k", fmt.Sprint(i*each), 1, int64(i)*each+1)
	}
	look(t, e, "k", fmt.Sprint(rounds*each))
}

// TestTokenOnExpiredHash: the key is a hash whose time has come, with fields that are not cached.
func TestTokenOnExpiredHash(t *testing.T) {
	now := int64(1_000_000)
	e := open(t, Options{Now: func() int64 { return now }})
	p := e.NewPipeline()
	for i := range 100 {
		_, err := p.IncrField([]byte("h"), fmt.Append(nil, i), 1)
		must(t, nil, err)
	}
	_, err := p.ExpireAt([]byte("h"), now+10, 0)
	must(t, nil, err)
	mustCommit(t, p)
	must(t, nil, e.Flush())
	dropCache(e)
	now += 10
	wantOnce(t, e, "h", "t", 5, 5)
	wantOnce(t, e, "h", "t", 5, 5)
	look(t, e, "h", "5")
}

// TestFlushDBForgetsTokens: on this replica, and on another with the batch that empties it.
func TestFlushDBForgetsTokens(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	wantOnce(t, a.Engine, "k", "stored", 5, 5)
	b.pull(a)
	a.flush()
	dropCache(a.Engine)
	wantOnce(t, a.Engine, "k", "pending", 5, 10)
	flushDB(t, a.Engine)
	b.pull(a)
	for _, m := range []*member{a, b} {
		wantOnce(t, m.Engine, "k", "stored", 5, 5)
		wantOnce(t, m.Engine, "k", "pending", 5, 10)
	}
	for range 2 {
		a.pull(b)
		b.pull(a)
	}
	a.shows("k", 20)
}
