package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestWatch: what breaks the watch of "k" and what does not. Each case begins with what before did, and with the watch.
func TestWatch(t *testing.T) {
	incr := func(key string, n ...int64) func(*watchWorld) {
		return func(w *watchWorld) {
			for _, n := range n {
				increment(w.t, w.e, key, n)
			}
		}
	}
	del := func(w *watchWorld) {
		w.do(func(p *Pipeline) error { _, err := p.Del([][]byte{[]byte("k")}); return err })
	}
	flushAll := func(w *watchWorld) { w.do((*Pipeline).FlushAll) }
	expireIn := func(ms int64) func(*watchWorld) {
		return func(w *watchWorld) {
			w.do(func(p *Pipeline) error { _, err := p.ExpireAt([]byte("k"), w.clock.ms+ms, 0); return err })
		}
	}
	wait := func(ms int64) func(*watchWorld) { return func(w *watchWorld) { w.clock.ms += ms } }
	sweep := func(w *watchWorld) { must(w.t, nil, errors.Join(w.e.Flush(), w.e.Sweep())) }
	evict := func(w *watchWorld) { must(w.t, nil, w.e.Flush()); dropCache(w.e) }
	get := func(w *watchWorld) { _, _, err := w.p.Get([]byte("k")); must(w.t, nil, err) }
	foreign := func(key string) func(*watchWorld) { return func(w *watchWorld) { w.peer.add(w.t, w.e, key, 5) } }
	fields := func(w *watchWorld) {
		w.do(func(p *Pipeline) error {
			_, err := p.SetFields([]byte("k"), fieldNames("f", "g"), []Value{IntValue(1), IntValue(2)}, Overwrite)
			return err
		})
	}
	type steps = []func(*watchWorld)
	for _, c := range []struct {
		name          string
		before, after steps
		want          bool
	}{
		{"nothing", steps{incr("k", 1)}, nil, false},
		{"a read", steps{incr("k", 1)}, steps{get}, false},
		{"another key", steps{incr("k", 1)}, steps{incr("j", 1)}, false},
		{"a flush and an eviction", steps{incr("k", 1)}, steps{evict, get}, false},
		{"there and back", steps{incr("k", 1)}, steps{incr("k", 1, -1)}, true},
		{"there and back, on the short way", steps{incr("k", 1, 1)}, steps{incr("k", 1, -1)}, true},
		{"nothing added", steps{incr("k", 1)}, steps{incr("k", 0)}, true},
		{"the same value set", steps{incr("k", 1)}, steps{func(w *watchWorld) { put(w.t, w.e, "k", "1") }}, true},
		{"a cold key", steps{incr("k", 1), evict}, steps{incr("k", 1)}, true},
		{"evicted and changed", steps{incr("k", 1)}, steps{evict, incr("k", 1), evict}, true},
		{"created", nil, steps{incr("k", 1)}, true},
		{"created and gone", nil, steps{incr("k", 1), del}, true},
		{"deleted", steps{incr("k", 1)}, steps{del}, true},
		{"deleted though it is not there", nil, steps{del}, false},
		{"leftovers deleted", steps{incr("k", 1), foreign("k"), del}, steps{del}, false},
		{"an expiry set", steps{incr("k", 1)}, steps{expireIn(100)}, true},
		{"not yet expired", steps{incr("k", 1), expireIn(100)}, steps{wait(99)}, false},
		{"expired", steps{incr("k", 1), expireIn(100)}, steps{wait(100)}, true},
		{"expired and swept", steps{incr("k", 1), expireIn(100)}, steps{wait(100), sweep}, true},
		{"expired before", steps{incr("k", 1), expireIn(100), wait(100)}, steps{wait(100), get}, false},
		{"expired before, then swept", steps{incr("k", 1), expireIn(100), wait(100)}, steps{sweep}, false},
		{"expired before, then created", steps{incr("k", 1), expireIn(100), wait(100)}, steps{incr("k", 1)}, true},
		{"a hash, expired and swept", steps{fields, expireIn(100)}, steps{wait(100), sweep}, true},
		{"a hash, expired before, then swept", steps{fields, expireIn(100), wait(100)}, steps{sweep}, false},
		{"a hash, flushed and expired before, then swept", steps{fields, evict, expireIn(100), wait(100)}, steps{sweep}, false},
		{"a hash, expired before, then deleted", steps{fields, expireIn(100), wait(100)}, steps{del}, false},
		{"a hash, expired before, then created", steps{fields, expireIn(100), wait(100)}, steps{incr("k", 1)}, true},
		{"foreign", steps{incr("k", 1)}, steps{foreign("k")}, true},
		{"foreign, cold", steps{incr("k", 1)}, steps{evict, foreign("k")}, true},
		{"foreign, of another key", steps{incr("k", 1)}, steps{foreign("j")}, false},
		{"foreign, before", steps{incr("k", 1), foreign("k")}, steps{get}, false},
		{"foreign and created", nil, steps{foreign("k")}, true},
		{"all flushed", steps{incr("k", 1)}, steps{flushAll}, true},
		{"all flushed, cold", steps{incr("k", 1)}, steps{evict, flushAll}, true},
		{"all flushed with a peer", steps{incr("k", 1), foreign("j")}, steps{evict, flushAll}, true},
		{"all flushed, absent", nil, steps{flushAll}, false},
		{"all flushed, expired before", steps{incr("k", 1), expireIn(100), wait(100)}, steps{flushAll}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatchWorld(t)
			for _, step := range c.before {
				step(w)
			}
			must(t, nil, w.p.Watch([][]byte{[]byte("unrelated"), []byte("k"), []byte("k")}))
			mustCommit(t, w.p)
			for _, step := range c.after {
				step(w)
				mustCommit(t, w.p)
			}
			w.check(c.want)
		})
	}
}

// watchWorld is one engine with a pipeline that watches.
type watchWorld struct {
	t     *testing.T
	clock clock
	e     *Engine
	p     *Pipeline
	peer  *peer
}

func newWatchWorld(t *testing.T) *watchWorld {
	w := &watchWorld{t: t, clock: clock{1_000_000}, peer: newPeer(9)}
	w.e = open(t, Options{Now: w.clock.now})
	w.p = w.e.NewPipeline()
	return w
}

func (w *watchWorld) do(f func(*Pipeline) error) {
	w.t.Helper()
	p := w.e.NewPipeline()
	must(w.t, nil, f(p))
	mustCommit(w.t, p)
}

// check asks in a section; afterwards nothing is watched, and increments go the short way again.
func (w *watchWorld) check(want bool) {
	t, p := w.t, w.p
	t.Helper()
	begin(t, p, false)
	if got := p.Broken(); got != want {
		t.Errorf("Broken = %t; want %t", got, want)
	}
	p.Unwatch()
	end(t, p)
	if p.Broken() || p.Touched() {
		t.Errorf("Broken = %t, Touched = %t after Unwatch; want neither", p.Broken(), p.Touched())
	}
	if n := w.e.watches.keys.Load(); n != 0 || len(w.e.watches.of) != 0 {
		t.Errorf("%d keys are watched by nobody", n)
	}
	increment(t, w.e, "k", 1)
	increment(t, w.e, "k", 1)
	if e := w.e.table.find(w.e.name(0, []byte("k"))); !e.is(quick) || e.gen != w.e.cuts.gen.Load() {
		t.Error("increments of a key that nobody watches any more go the long way")
	}
}

// TestWatchersOfOneKey: a change breaks all of them, each once; one that ends its watch hears nothing.
func TestWatchersOfOneKey(t *testing.T) {
	e := open(t, Options{})
	var list []*Pipeline
	for range 3 {
		p := e.NewPipeline()
		must(t, nil, p.Watch([][]byte{[]byte("k")}))
		mustCommit(t, p)
		list = append(list, p)
	}
	list[1].Unwatch()
	increment(t, e, "k", 1)
	for i, want := range []bool{true, false, true} {
		if got := list[i].Touched(); got != want {
			t.Errorf("watcher %d: Touched = %t; want %t", i, got, want)
		}
	}
	list[0].Unwatch()
	must(t, nil, list[0].Watch([][]byte{[]byte("k")}))
	must(t, nil, list[2].Watch([][]byte{[]byte("j")})) // too late
	mustCommit(t, list[0])
	mustCommit(t, list[2])
	if list[0].Touched() || !list[2].Touched() || e.watches.has("\x00j") {
		t.Errorf("after a new watch: Touched = %t, %t; want false, true, and j is not watched", list[0].Touched(), list[2].Touched())
	}
}

// TestCompareAndSet adds under a watch on eight goroutines, by read and SET; others add without. Nothing is lost.
func TestCompareAndSet(t *testing.T) {
	e := open(t, Options{})
	var adders, others sync.WaitGroup
	var added atomic.Int64
	var done atomic.Bool
	for range 8 {
		adders.Go(func() {
			for range 50 {
				compareAndSet(t, e)
				added.Add(1)
			}
		})
	}
	others.Go(func() {
		for !done.Load() {
			increment(t, e, "k", 1)
			added.Add(1)
			if err := e.Flush(); err != nil {
				t.Errorf("Flush = %v", err)
			}
			evictAll(e)
		}
	})
	adders.Wait()
	done.Store(true)
	others.Wait()
	look(t, e, "k", fmt.Sprint(added.Load()))
}

func compareAndSet(t *testing.T, e *Engine) {
	p := e.NewPipeline()
	key := []byte("k")
	for {
		err := p.Watch([][]byte{key})
		v, _, err2 := p.Get(key)
		err = errors.Join(err, err2, p.finish())
		err = errors.Join(err, p.Begin(false))
		broken := p.Broken()
		p.Unwatch()
		if !broken {
			_, err2 = p.Set(key, v+1, SetOptions{})
		}
		p.End()
		if err = errors.Join(err, err2, p.finish()); err != nil {
			t.Errorf("compare and set = %v", err)
			return
		}
		if !broken {
			return
		}
	}
}

// TestBrokenIsToldWhenSynced: that a watched key has changed tells of the change.
func TestBrokenIsToldWhenSynced(t *testing.T) {
	e := open(t, Options{Sync: Always})
	watcher, other := e.NewPipeline(), e.NewPipeline()
	if err := errors.Join(watcher.Watch([][]byte{[]byte("k")}), watcher.finish()); err != nil {
		t.Fatalf("Watch = %v", err)
	}
	if _, err := other.Incr([]byte("k"), 1); err != nil {
		t.Fatalf("Incr = %v", err)
	}
	changed, err := other.Commit()
	if err != nil {
		t.Fatalf("Commit = %v", err)
	}
	if err := watcher.Begin(false); err != nil {
		t.Fatalf("Begin = %v", err)
	}
	broken := watcher.Broken()
	watcher.Unwatch()
	watcher.End()
	if pos, err := watcher.Commit(); !broken || pos < changed || err != nil {
		t.Errorf("Broken = %t, Commit = %d, %v; want true, and at least %d", broken, pos, err, changed)
	}
}
