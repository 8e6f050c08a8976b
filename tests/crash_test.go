package tests

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tests/process"
)

// The load of a round: writers own keys, each go-redis client has one goroutine on the hot keys.
const (
	ownWriters = 6
	hotClients = 3
	hotKeys    = 3
)

// world is one data directory through many crashes.
type world struct {
	dir     string
	rand    *rand.Rand
	writers []*writer
	hot     *hot
}

func newWorld(dir string) *world {
	w := &world{dir: dir, rand: rand.New(rand.NewPCG(*seed, 1<<32)), hot: newHot(hotKeys)}
	for i := range uint64(ownWriters) {
		w.writers = append(w.writers, newWriter(*seed, i))
	}
	return w
}

// start runs the server with one of the durability modes.
func (w *world) start(t *testing.T, mode string) *process.Server {
	t.Helper()
	return startIn(t, ours, w.dir, durability(mode)...)
}

func durability(mode string) []string {
	if *self {
		return []string{"--appendonly", "yes", "--appendfsync", mode}
	}
	return []string{"--appendfsync", mode}
}

// load runs all clients until stop has ended the server, which it is called to do once some commands are answered.
func (w *world) load(addr string, stop func() error) error {
	var (
		running  sync.WaitGroup
		answered atomic.Int64
		wrong    = make(chan error, len(w.writers))
	)
	for _, own := range w.writers {
		running.Go(func() { wrong <- own.load(addr, &answered) })
	}
	for range hotClients {
		r := rand.New(rand.NewPCG(w.rand.Uint64(), 0))
		running.Go(func() {
			client := goredis.NewClient(&goredis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, PoolSize: 1})
			defer client.Close()
			w.hot.load(client, r, &answered)
		})
	}
	deadline := time.Now().Add(patience)
	for answered.Load() < 100 && time.Now().Before(deadline) && len(wrong) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(w.rand.Int64N(int64(300 * time.Millisecond)))) // any moment is a good one for a crash
	err := stop()
	running.Wait()
	for range w.writers {
		err = errors.Join(err, <-wrong)
	}
	if n := answered.Load(); n < 100 {
		err = errors.Join(err, fmt.Errorf("%d commands were answered; want some hundreds", n))
	}
	return err
}

// check compares everything with what was acknowledged and attempted.
func (w *world) check(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, own := range w.writers {
		err = errors.Join(err, own.check(c))
	}
	return errors.Join(err, w.hot.check(c), checkSize(c))
}

// checkSize waits until what has expired is swept: then DBSIZE is what SCAN finds.
func checkSize(c *conn) error {
	deadline := time.Now().Add(patience)
	for {
		size, err := c.do("DBSIZE")
		if err != nil {
			return err
		}
		first, err := c.do("SCAN", "0", "COUNT", "7")
		if err != nil {
			return err
		}
		keys, err := scanRest(c, []string{"SCAN", "0", "COUNT", "7"}, first)
		if err != nil {
			return err
		}
		if n, err := size.int(); err == nil && n == int64(len(keys)) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("DBSIZE = %v; want %d, the keys that SCAN finds", size, len(keys))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestCrash(t *testing.T) {
	w := newWorld(t.TempDir())
	for round := range *rounds {
		mode := []string{"always", "everysec", "no"}[round%3]
		s := w.start(t, mode)
		err := w.load(s.Addr, s.Kill)
		if round%4 == 3 {
			err = errors.Join(err, w.crashAgain(mode))
		}
		next := w.start(t, []string{"always", "everysec", "no"}[w.rand.IntN(3)])
		if err := errors.Join(err, w.check(next.Addr)); err != nil {
			t.Fatalf("round %d, %s, -seed %d: %v", round, mode, *seed, err)
		}
		if err := next.Kill(); err != nil { // the next round starts from one more crash
			t.Fatal(err)
		}
	}
}

// crashAgain kills the server while it starts: recovery itself must survive a crash.
func (w *world) crashAgain(mode string) error {
	s, err := ours.Launch(w.dir, durability(mode)...)
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(w.rand.Int64N(int64(150 * time.Millisecond)))) // any moment of its start
	return s.Kill()
}

// TestStop: SIGTERM loses nothing, not even what was answered in its last moment, and leaves nothing to be replayed.
func TestStop(t *testing.T) {
	for _, mode := range []string{"always", "everysec", "no"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t.TempDir())
			s := w.start(t, mode)
			if err := w.load(s.Addr, s.Stop); err != nil {
				t.Fatalf("-seed %d: %v", *seed, err)
			}
			s = w.start(t, mode)
			if err := w.check(s.Addr); err != nil {
				t.Errorf("-seed %d: %v", *seed, err)
			}
			checkNothingReplayed(t, s.Addr)
		})
	}
}

func checkNothingReplayed(t *testing.T, addr string) {
	t.Helper()
	if *self {
		return
	}
	info, err := connect(t, addr).do("INFO")
	if err != nil {
		t.Fatal(err)
	}
	if got := field(info.text, "journal_replayed"); got != "0" {
		t.Errorf("INFO: journal_replayed = %q; want 0 after a clean stop", got)
	}
}
