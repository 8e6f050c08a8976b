package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/journal"
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
	upper := append([]byte(nil), prefix...)
	upper[len(upper)-1]++
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
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
	if _, err := p.SetFields([]byte("hash"), [][]byte{[]byte("f")}, []Value{IntValue(1)}, false); err != nil {
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
	if n := rows(t, e, statePrefix, tlv.TokenByte(0)); n != tokens {
		t.Errorf("the database has %d tokens; want %d", n, tokens)
	}
	now += 1000
	wantOnce(t, e, "k", "0", 1, tokens+1)
	wantOnce(t, e, "k", "1", 1, 2)
	now += tokens
	must(t, nil, errors.Join(e.Sweep(), e.Flush(), e.Sweep(), e.Flush()))
	if n := rows(t, e, statePrefix, tlv.TokenByte(0)); n != 1 {
		t.Errorf("the database has %d tokens after a sweep; want the one that was used anew", n)
	}
	now += TokenLife
	must(t, nil, errors.Join(e.Sweep(), e.Flush(), e.Sweep(), e.Flush()))
	if n, x := rows(t, e, statePrefix, tlv.TokenByte(0)), rows(t, e, indexPrefix); n+x != 0 {
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

// TestTokensInCrowd: each token of many counts once, whoever comes first, over flushes, evictions and sections.
func TestTokensInCrowd(t *testing.T) {
	const workers, tokens, keys = 8, 400, 100
	o := disk()
	o.segment = 1 << 20
	e := open(t, o)
	var replies [workers][tokens]int64
	var done atomic.Bool
	var work, beside sync.WaitGroup
	beside.Add(1)
	go func() {
		defer beside.Done()
		for !done.Load() {
			if err := e.Flush(); err != nil {
				t.Error(err)
			}
			dropCache(e)
		}
	}()
	for w := range workers {
		work.Add(1)
		go func() {
			defer work.Done()
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			p := e.NewPipeline()
			for i := range tokens { // all of them the same at about the same time
				alone := rng.IntN(10) == 0
				if alone {
					if err := p.Begin(false); err != nil {
						t.Error(err)
					}
				}
				v, _, err := p.IncrOnce(fmt.Appendf(nil, "k%d", i/4), fmt.Append(nil, i), int64(i), TokenLife)
				if alone {
					p.End()
				}
				if replies[w][i] = v; err != nil {
					t.Errorf("IncrOnce = %v", err)
				}
				if rng.IntN(3) == 0 {
					if _, err := p.Commit(); err != nil {
						t.Error(err)
					}
				}
			}
			if _, err := p.Commit(); err != nil {
				t.Error(err)
			}
		}()
	}
	work.Wait()
	done.Store(true)
	beside.Wait()
	var want [keys]int64
	for i := range tokens {
		want[i/4] += int64(i)
		for w := range workers {
			if replies[w][i] != replies[0][i] {
				t.Errorf("token %d: worker %d got %d, worker 0 %d", i, w, replies[w][i], replies[0][i])
			}
		}
	}
	for k, n := range want {
		look(t, e, fmt.Sprintf("k%d", k), fmt.Sprint(n))
	}
}

// TestTokenWhileTheKeyIsHeld: two come with one token and find it unknown, and both wait for the counter.
func TestTokenWhileTheKeyIsHeld(t *testing.T) {
	e := open(t, Options{})
	increment(t, e, "k", 1)
	holder := e.NewPipeline()
	must(t, nil, holder.Watch([][]byte{[]byte("k")}))
	var replies [2]int64
	var work sync.WaitGroup
	for i := range replies {
		work.Add(1)
		go func() {
			defer work.Done()
			p := e.NewPipeline()
			var err, err2 error
			replies[i], _, err = p.IncrOnce([]byte("k"), []byte("t"), 5, TokenLife)
			_, err2 = p.Commit()
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
			}
		}()
	}
	name := tlv.AppendFieldName(nil, []byte("k"), []byte("t"))
	for {
		token := e.table.find(e.name(tlv.TokenByte(0), name))
		if token != nil && token.pins.Load() == 2 {
			break
		}
		runtime.Gosched()
	}
	holder.Unwatch()
	mustCommit(t, holder)
	work.Wait()
	if replies != [2]int64{6, 6} {
		t.Errorf("replies %d; want 6 for both", replies)
	}
}

// TestTokenIsOneFrame: the journal has the increment and its token in one frame, also where the pipeline had to let go of one of
// them.
func TestTokenIsOneFrame(t *testing.T) {
	o := disk()
	o.segment = 1 << 22
	e := open(t, o)
	var work sync.WaitGroup
	for w := range 4 {
		work.Add(1)
		go func() {
			defer work.Done()
			p := e.NewPipeline()
			for i := range 400 {
				_, _, err := p.IncrOnce(fmt.Appendf(nil, "k%d", i/2%3), fmt.Append(nil, w, i/2), 1, TokenLife)
				if i%3 == 0 {
					_, err2 := p.Commit()
					err = errors.Join(err, err2)
				}
				if err != nil {
					t.Error(err)
				}
			}
			if _, err := p.Commit(); err != nil {
				t.Error(err)
			}
		}()
	}
	work.Wait()
	prepared(e)
	records := map[byte]int{}
	_, err := journal.Replay(e.segments, e.committer.only.mark, func(body []byte) error {
		for len(body) > 0 {
			r, rest, err := parseRecord(body)
			if err != nil {
				return err
			}
			records[r.typ]++
			body = rest
		}
		if records['A'] != records['T'] || records['A'] != records['E'] {
			t.Errorf("after a frame there are %d increments, %d tokens, %d expiries", records['A'], records['T'], records['E'])
		}
		return nil
	})
	if must(t, nil, err); records['A'] != 4*200 {
		t.Errorf("%d increments in the journal; want %d", records['A'], 4*200)
	}
}

// TestTokensLosePower: the increment and its token are there after a loss of power, or neither is. So whoever sends all again
// has counted each once.
func TestTokensLosePower(t *testing.T) {
	worlds := 40
	if testing.Short() {
		worlds = 10
	}
	for seed := range uint64(worlds) {
		w := newPowerWorld(t, seed)
		w.open()
		sent := map[string]bool{}
		for range 4 {
			for range w.rng.IntN(40) {
				token := fmt.Sprint(w.rng.IntN(100))
				sent[token] = true
				once(t, w.e, "k", token, 1)
				switch w.rng.IntN(12) {
				case 0:
					w.sync()
				case 1:
					must(t, nil, w.e.Flush())
				}
			}
			snap := w.snapshot(w.rng.IntN(101))
			must(t, nil, w.e.Close())
			w.o.fs, w.o.segments = snap.fs, snap.segments
			w.open()
			for token := range sent {
				once(t, w.e, "k", token, 1)
			}
			look(t, w.e, "k", fmt.Sprint(len(sent)))
			if t.Failed() {
				t.Fatalf("world %d", seed)
			}
		}
	}
}

// tokenWorld is one replica and what its counters and tokens must show.
type tokenWorld struct {
	t   *testing.T
	rng *rand.Rand
	o   Options
	now int64
	e   *Engine
	p   *Pipeline

	values  map[string]int64
	tokens  map[string][3]int64 // by key and token: what was added, the reply, when it ends
	section bool
}

func (w *tokenWorld) open() {
	w.e = open(w.t, w.o)
	p := w.e.NewPipeline()
	w.p = p
	w.t.Cleanup(func() { // after a failure: Close waits for it
		if w.section && w.p == p {
			p.End()
		}
		_, _ = p.Commit()
	})
}

func (w *tokenWorld) commit() {
	if w.section {
		w.section = false
		w.p.End()
	}
	mustCommit(w.t, w.p)
}

func (w *tokenWorld) step() {
	key := string("ab"[w.rng.IntN(2)])
	var err error
	switch op := w.rng.IntN(30); op {
	case 0:
		w.commit()
		err = w.e.Flush()
	case 1:
		w.commit()
		must(w.t, nil, w.e.Flush())
		dropCache(w.e)
	case 2:
		w.commit()
		err = w.e.Sweep()
	case 3:
		w.commit()
		old := w.e
		prepared(old)
		w.o.fs = w.o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: w.rng})
		w.o.segments = w.o.segments.(*enginetest.Segments).Clone()
		must(w.t, nil, old.Close())
		w.open()
	case 4:
		if w.rng.IntN(3) == 0 {
			err = w.p.FlushDB()
			clear(w.values)
			clear(w.tokens)
		}
	case 5:
		_, err = w.p.Del([][]byte{[]byte(key)})
		delete(w.values, key)
	case 6:
		_, err = w.p.Incr([]byte(key), 1)
		w.values[key]++
	case 7:
		w.commit()
		w.now += w.rng.Int64N(30)
	case 8:
		w.commit()
	case 9:
		if !w.section {
			w.section = true
			err = w.p.Begin(w.rng.IntN(2) == 0)
		}
	default:
		w.once(key, string("xyz"[w.rng.IntN(3)]), w.rng.Int64N(2)+1, w.rng.Int64N(40)+1)
	}
	must(w.t, nil, err)
}

func (w *tokenWorld) once(key, token string, n, life int64) {
	v, counted, err := w.p.IncrOnce([]byte(key), []byte(token), n, life)
	was, ok := w.tokens[key+token]
	remembered := ok && was[2] > w.now
	switch {
	case remembered && was[0] != n:
		if !errors.Is(err, ErrTokenUsed) {
			w.t.Fatalf("IncrOnce(%q, %q, %d) = %d, %v; want %v", key, token, n, v, err, ErrTokenUsed)
		}
		return
	case !remembered:
		w.values[key] += n
		was = [3]int64{n, w.values[key], w.now + life}
		w.tokens[key+token] = was
	}
	if v != was[1] || counted != !remembered || err != nil {
		w.t.Fatalf("IncrOnce(%q, %q, %d) = %d, %t, %v; want %d, %t", key, token, n, v, counted, err, was[1], !remembered)
	}
}

// TestTokenModel runs random increments with tokens against maps, over flushes, evictions, sections, FLUSHDB and crashes, with
// peers and without.
func TestTokenModel(t *testing.T) {
	worlds := 300
	if testing.Short() {
		worlds = 50
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &tokenWorld{t: t, rng: rand.New(rand.NewPCG(seed, 5)), o: disk(), now: 1_000_000,
				values: map[string]int64{}, tokens: map[string][3]int64{}}
			w.o.Now = func() int64 { return w.now }
			w.open()
			if seed%2 == 0 {
				must(t, nil, w.e.KeepLog())
			}
			for range 120 {
				w.step()
			}
			w.commit()
			for _, key := range []string{"a", "b"} {
				want := "(none)"
				if v, ok := w.values[key]; ok {
					want = fmt.Sprint(v)
				}
				look(t, w.e, key, want)
			}
			if err := checkStore(t, w.e, w.o); err != nil {
				t.Fatal(err)
			}
			w.open()
			w.finish()
		})
	}
}

// finish: nothing is left of the tokens when their life is over.
func (w *tokenWorld) finish() {
	w.now += 100
	for range 3 {
		must(w.t, nil, errors.Join(w.e.Flush(), w.e.Sweep()))
	}
	must(w.t, nil, w.e.Flush())
	if n, x := rows(w.t, w.e, statePrefix, tlv.TokenByte(0)), rows(w.t, w.e, indexPrefix); n+x != 0 {
		w.t.Errorf("the database has %d tokens and %d expiries in the end; want none", n, x)
	}
	if err := checkStore(w.t, w.e, w.o); err != nil {
		w.t.Fatal(err)
	}
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

// TestTokenElsewhere: with the batch of the first its token arrives, cached there as absent or not; in a transfer of the state
// it comes before the counter.
func TestTokenElsewhere(t *testing.T) {
	for _, cached := range []bool{false, true} {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		b.Observe(func(_ uint8, key string, c Change) {
			if key != "k" {
				t.Errorf("told of %q", key)
			}
		})
		if cached { // the token is, as absent
			put(t, b.Engine, "k", "text")
			p := b.NewPipeline()
			if _, _, err := p.IncrOnce([]byte("k"), []byte("t"), 5, TokenLife); !errors.Is(err, ErrNotInteger) {
				t.Fatalf("IncrOnce = %v; want %v", err, ErrNotInteger)
			}
			mustCommit(t, p)
			b.del("k")
		}
		increment(t, a.Engine, "k", 2)
		wantOnce(t, a.Engine, "k", "t", 5, 7)
		b.pull(a)
		b.add("k", 1)
		wantOnce(t, b.Engine, "k", "t", 5, 7)
		a.pull(b)
		a.shows("k", 8)
		b.shows("k", 8)
		wantOnce(t, a.Engine, "k", "t", 5, 7)
	}
}

// TestTokenOnBothSides: what both count before they hear of each other counts twice; then one reply is remembered.
func TestTokenOnBothSides(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	increment(t, a.Engine, "k", 10)
	wantOnce(t, a.Engine, "k", "t", 5, 15)
	wantOnce(t, b.Engine, "k", "t", 5, 5)
	for range 2 {
		a.pull(b)
		b.pull(a)
	}
	a.shows("k", 20)
	b.shows("k", 20)
	va, vb := once(t, a.Engine, "k", "t", 5), once(t, b.Engine, "k", "t", 5)
	if va != vb || va != 15 && va != 5 {
		t.Errorf("a remembers %d, b %d; want the same, 15 or 5", va, vb)
	}
}

// TestTokenTransferred stops a state transfer after each number of pages: who has the counter has its token.
func TestTokenTransferred(t *testing.T) {
	for steps := 1; steps < 8; steps++ {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		for i := range 3 {
			wantOnce(t, a.Engine, "k", fmt.Sprint(i), 1, int64(i)+1)
		}
		increment(t, a.Engine, "other", 1)
		a.flush()
		s, err := a.Snapshot()
		must(t, nil, err)
		b.fetch(s, a.ReplicaID(), steps)
		must(t, nil, s.Close())
		if v, err := b.Counter("k").Get(t.Context()); err != nil || v == 0 {
			continue
		}
		wantOnce(t, b.Engine, "k", "2", 1, 3)
		b.shows("k", 3)
	}
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
