package tests

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// onceKeys is few, so that workers meet on them.
const onceKeys = 3

// onceWorker sends increments with tokens, each again and again until it is answered, whatever the server's fate. Each token is of
// one increment.
type onceWorker struct {
	*rand.Rand
	id      int
	next    int
	waiting []string         // tokens that have no answer yet
	replies map[string]int64 // of those that have
}

func (w *onceWorker) args(token string) []string {
	n, key := onceOf(token)
	return []string{"CINCRBY", key, strconv.FormatInt(n, 10), "TOKEN", token}
}

// onceOf is what is counted under a token.
func onceOf(token string) (n int64, key string) {
	for _, b := range []byte(token) {
		n = n*7 + int64(b)
	}
	return n%100 + 1, fmt.Sprintf("once:%d", n%onceKeys)
}

// burst gives the tokens of the next pipeline: what waits, some new ones while there may be any, and some that are answered.
func (w *onceWorker) burst(fresh bool) []string {
	if fresh {
		for range 1 + w.IntN(8) {
			w.next++
			w.waiting = append(w.waiting, fmt.Sprintf("%d/%d", w.id, w.next))
		}
	}
	list := slices.Clone(w.waiting)
	if len(w.replies) > 0 {
		n := w.IntN(w.next) + 1
		if token := fmt.Sprintf("%d/%d", w.id, n); !slices.Contains(list, token) {
			list = append(list, token)
		}
	}
	return list
}

// run sends pipelines until the connection breaks, or one without new tokens. The error is a wrong reply.
func (w *onceWorker) run(addr string, answered *atomic.Int64, fresh bool) error {
	c, err := dial(addr)
	if err != nil {
		return nil // the server is gone already
	}
	defer c.Close()
	for {
		tokens := w.burst(fresh)
		var b []byte
		for _, token := range tokens {
			b = appendCommand(b, w.args(token)...)
		}
		if c.send(b) != nil {
			return nil
		}
		for _, token := range tokens {
			r, err := c.read()
			if err != nil {
				return nil
			}
			if err := w.answer(token, r); err != nil {
				return err
			}
			answered.Add(1)
		}
		if !fresh {
			return nil
		}
	}
}

func (w *onceWorker) answer(token string, r reply) error {
	v, err := r.int()
	if err != nil {
		return fmt.Errorf("token %s: %v", token, r)
	}
	if was, ok := w.replies[token]; ok && was != v {
		return fmt.Errorf("token %s was answered %d, and now %d", token, was, v)
	}
	w.replies[token] = v
	if i := slices.Index(w.waiting, token); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	return nil
}

// TestTokensOverCrashes kills the server again and again; who has no answer sends the same again. In the end each increment has
// counted exactly once.
func TestTokensOverCrashes(t *testing.T) {
	if *self {
		t.Skip("redis-server has no CINCRBY")
	}
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(*seed, 7))
	var workers []*onceWorker
	for i := range 6 {
		workers = append(workers, &onceWorker{Rand: rand.New(rand.NewPCG(*seed, uint64(i))), id: i, replies: map[string]int64{}})
	}
	runAll := func(addr string, fresh bool, meanwhile func(*atomic.Int64)) error {
		var answered atomic.Int64
		wrong := make([]error, len(workers))
		var running sync.WaitGroup
		for i, w := range workers {
			running.Go(func() { wrong[i] = w.run(addr, &answered, fresh) })
		}
		meanwhile(&answered)
		running.Wait()
		return errors.Join(wrong...)
	}
	for round := range max(*rounds/2, 1) {
		s := startIn(t, ours, dir, durability([]string{"always", "everysec", "no"}[round%3])...)
		err := runAll(s.Addr, true, func(answered *atomic.Int64) {
			deadline := time.Now().Add(patience)
			for answered.Load() < 100 && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Duration(rng.Int64N(int64(200 * time.Millisecond)))) // any moment is a good one for a crash
			if err := s.Kill(); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatalf("round %d, -seed %d: %v", round, *seed, err)
		}
	}
	s := startIn(t, ours, dir)
	if err := runAll(s.Addr, false, func(*atomic.Int64) {}); err != nil {
		t.Fatalf("-seed %d: %v", *seed, err)
	}
	c, sums, tokens := connect(t, s.Addr), map[string]int64{}, 0
	for _, w := range workers {
		if len(w.waiting) > 0 || len(w.replies) != w.next {
			t.Fatalf("worker %d: %d of %d tokens have no answer", w.id, len(w.waiting), w.next)
		}
		tokens += w.next
		for token := range maps.Keys(w.replies) {
			n, key := onceOf(token)
			sums[key] += n
		}
	}
	for key, want := range sums {
		if r, err := c.do("GET", key); err != nil || r.text != strconv.FormatInt(want, 10) {
			t.Errorf("-seed %d: %s = %v, %v after %d tokens; want %d", *seed, key, r, err, tokens, want)
		}
	}
}

// TestTokenOnAnotherReplica: once the first has arrived there, the same token counts no more, and has the same reply.
func TestTokenOnAnotherReplica(t *testing.T) {
	c := newCluster(t, 2, mesh, "--update-period", stale)
	c.ok(0, "INCRBY", "k", "10")
	c.expect(0, "15", "CINCRBY", "k", "5", "TOKEN", "t")
	c.expect(1, "1", "CWAIT", c.ok(0, "CTOKEN").text, "0")
	c.ok(1, "INCR", "k")
	c.expect(1, "15", "CINCRBY", "k", "5", "TOKEN", "t")
	c.sync()
	for i := range 2 {
		c.expect(i, "16", "GET", "k")
		c.expect(i, "1", "DBSIZE")
	}

	c.cut(0) // what one has not heard of counts there, too
	c.expect(0, "21", "CINCRBY", "k", "5", "TOKEN", "u")
	c.expect(1, "21", "CINCRBY", "k", "5", "TOKEN", "u")
	c.heal()
	c.sync()
	for i := range 2 {
		c.expect(i, "26", "GET", "k")
		c.expect(i, "21", "CINCRBY", "k", "5", "TOKEN", "u")
	}
	c.kill(1)
	c.start(1)
	c.expect(1, "15", "CINCRBY", "k", "5", "TOKEN", "t")
	c.expect(1, "26", "GET", "k")
}
