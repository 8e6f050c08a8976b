package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

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
	if n, x := rows(w.t, w.e, store.StatePrefix, tlv.TokenByte(0)), rows(w.t, w.e, store.IndexPrefix); n+x != 0 {
		w.t.Errorf("the database has %d tokens and %d expiries in the end; want none", n, x)
	}
	if err := checkStore(w.t, w.e, w.o); err != nil {
		w.t.Fatal(err)
	}
}
