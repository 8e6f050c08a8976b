package tests

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	harvestKeys   = 9
	harvestBursts = 1500 // of increments, on each of three servers; a fifth with -short
	burstLength   = 20
)

// harvest is counters that are incremented everywhere, and emptied with GETDEL.
type harvest struct {
	mu           sync.Mutex
	acknowledged map[string]int64 // increments
	taken        map[string]int64 // returned by GETDEL
	full         atomic.Int64     // GETDELs that returned something
}

func harvestKey(i int) string { return fmt.Sprintf("harvest:%d", i) }

// TestHarvest: while all replicas increment, one replica harvests each key. What it got and what is left is what was
// acknowledged, exactly.
func TestHarvest(t *testing.T) {
	h := runHarvest(t, func(server, key int) bool { return key%3 == server })
	for key, n := range h.acknowledged {
		if h.taken[key] != n {
			t.Errorf("%s: harvested %d; want %d, as was acknowledged", key, h.taken[key], n)
		}
	}
}

// TestHarvestTwice: two replicas harvest the same keys. Both may get what both had observed, so that some is returned
// twice; but nothing is lost.
func TestHarvestTwice(t *testing.T) {
	h := runHarvest(t, func(server, key int) bool { return server < 2 })
	for key, n := range h.acknowledged {
		if h.taken[key] < n {
			t.Errorf("%s: harvested %d; want at least %d, as was acknowledged", key, h.taken[key], n)
		}
	}
}

// runHarvest increments on three servers with links that fail now and then, with a harvester on each server, which takes
// the keys that are its. At the end server 0 harvests what is left, and nothing must be left anywhere.
func runHarvest(t *testing.T, takes func(server, key int) bool) *harvest {
	t.Helper()
	t.Logf("-seed %d", *seed)
	w := &weather{cluster: newCluster(t, 3, mesh), Rand: rand.New(rand.NewPCG(*seed, 3<<32)), counts: make(map[string]int)}
	h := &harvest{acknowledged: make(map[string]int64), taken: make(map[string]int64)}
	var (
		growing, harvesting sync.WaitGroup
		grown               = make(chan struct{})
		wrong               = make(chan error, 2*len(w.members))
	)
	for i, m := range w.members {
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		var keys []int
		for k := range harvestKeys {
			if takes(i, k) {
				keys = append(keys, k)
			}
		}
		growing.Go(func() { wrong <- h.grow(m.Addr, r) })
		harvesting.Go(func() { wrong <- h.reap(m.Addr, keys, grown) })
	}
	go func() { // ends with the increments
		growing.Wait()
		close(grown)
	}()
	w.spoil(grown)
	harvesting.Wait()
	w.heal()
	var err error
	for range 2 * len(w.members) {
		err = errors.Join(err, <-wrong)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.takeRest(h)
	t.Logf("%d harvests; %v", h.full.Load(), w.counts)
	return h
}

// spoil lets links fail until done.
func (w *weather) spoil(done <-chan struct{}) {
	for {
		if w.IntN(2) == 0 {
			w.harm(w.anyLink())
		} else {
			w.heal()
		}
		select {
		case <-done:
			return
		case <-time.After(time.Duration(w.Int64N(int64(200 * time.Millisecond)))):
		}
	}
}

// takeRest harvests what is left on server 0, when all have all.
func (w *weather) takeRest(h *harvest) {
	w.t.Helper()
	for key, n := range w.checkEqual() {
		w.expect(0, strconv.FormatInt(n, 10), "GETDEL", key)
		h.taken[key] += n
	}
	if left := w.checkEqual(); len(left) > 0 {
		w.t.Errorf("%v is left after all was harvested", left)
	}
}

// grow sends bursts of increments, all of which must be acknowledged.
func (h *harvest) grow(addr string, r *rand.Rand) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	bursts := harvestBursts
	if testing.Short() {
		bursts /= 5
	}
	for range bursts {
		var b []byte
		added := make(map[string]int64)
		for range burstLength {
			key, n := harvestKey(r.IntN(harvestKeys)), 1+r.Int64N(9)
			b = appendCommand(b, "INCRBY", key, strconv.FormatInt(n, 10))
			added[key] += n
		}
		if err := c.send(b); err != nil {
			return err
		}
		for range burstLength {
			if r, err := c.read(); err != nil || r.mark != ':' {
				return fmt.Errorf("INCRBY = %v, %v; want an integer", r, err)
			}
		}
		h.add(h.acknowledged, added)
	}
	return nil
}

// reap harvests keys in turn until all increments are done.
func (h *harvest) reap(addr string, keys []int, done <-chan struct{}) error {
	if len(keys) == 0 {
		return nil
	}
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		for _, k := range keys {
			r, err := c.do("GETDEL", harvestKey(k))
			if err != nil {
				return err
			}
			if r.null {
				continue
			}
			n, err := r.int()
			if err != nil {
				return err
			}
			h.full.Add(1)
			h.add(h.taken, map[string]int64{harvestKey(k): n})
		}
		select {
		case <-done:
			return nil
		default:
		}
	}
}

func (h *harvest) add(to, n map[string]int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, n := range n {
		to[key] += n
	}
}
