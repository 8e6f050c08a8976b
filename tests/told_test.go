package tests

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// told is the greatest value of a counter that any client has been told.
type told struct{ highest atomic.Int64 }

func (c *told) note(n int64) {
	for {
		was := c.highest.Load()
		if n <= was || c.highest.CompareAndSwap(was, n) {
			return
		}
	}
}

// madeKeys is how many of the keys that are made EXISTS asks for.
const madeKeys = 4000

// toldKeys are the counters of TestNothingIsToldBeforeItIsJournaled: of each, how to ask for it. The last three are numbers of keys, which
// are made and never deleted.
var toldKeys = []string{"GET id", "HGET h f", "DBSIZE", "SCAN 0 COUNT 1000000", "EXISTS" + madeNames()}

func madeNames() string {
	var names strings.Builder
	for i := range madeKeys {
		names.WriteString(" " + madeName(int64(i)))
	}
	return names.String()
}

func madeName(i int64) string { return "made:" + strconv.FormatInt(i, 10) }

// number is what a reply says: the integer that is its last part, or how many elements that has.
func number(r reply) (int64, error) {
	if len(r.parts) > 0 {
		r = r.parts[len(r.parts)-1]
	}
	if r.mark == '*' {
		return int64(len(r.parts)), nil
	}
	return r.int()
}

// TestNothingIsToldBeforeItIsJournaled: some clients have long rounds, in which an increment is followed by commands that take their
// time, others ask for the same counters meanwhile in all ways there are. After kill -9 the server has at least what anybody
// was told: else it would give the same number out twice.
func TestNothingIsToldBeforeItIsJournaled(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 2<<32))
	dir := t.TempDir()
	seen := make([]told, len(toldKeys))
	var made atomic.Int64
	for round := range max(*rounds, 9) {
		mode := []string{"always", "everysec", "no"}[round%3]
		procs := []string{"1", "2", "4"}[round/3%3]
		t.Setenv("GOMAXPROCS", procs)
		s := startIn(t, ours, dir, durability(mode)...)
		c := connect(t, s.Addr)
		for i, ask := range toldKeys {
			got, err := c.do(strings.Fields(ask)...)
			if err != nil {
				t.Fatal(err)
			}
			n := int64(0)
			if !got.null {
				if n, err = number(got); err != nil {
					t.Fatal(err)
				}
			}
			if want := seen[i].highest.Load(); n < want {
				t.Fatalf("round %d, -seed %d: %.30s = %d after kill -9; want at least %d, which a client was told", round, *seed, ask, n, want)
			}
			seen[i].note(n)
		}
		var clients sync.WaitGroup
		var answers atomic.Int64
		for range 2 {
			clients.Go(func() { longRounds(s.Addr, &made) })
		}
		for _, ask := range []struct {
			key     int
			command []string
		}{
			{0, []string{"INCR", "id"}}, {0, []string{"INCR", "id"}}, {0, []string{"GET", "id"}}, {0, []string{"MGET", "id"}},
			{0, []string{"EVAL", "local n = redis.call('INCR', KEYS[1]) redis.call('PUBLISH', 'told', n) return n", "1", "id"}},
			{1, []string{"HINCRBY", "h", "f", "1"}}, {1, []string{"HGET", "h", "f"}}, {1, []string{"HGETALL", "h"}},
		} {
			clients.Go(func() { askOn(s.Addr, &seen[ask.key], &answers, ask.command) })
		}
		for i, ask := range toldKeys[2:] {
			clients.Go(func() { askOn(s.Addr, &seen[2+i], &answers, strings.Fields(ask)) })
		}
		clients.Go(func() { listenOn(s.Addr, &seen[0]) })
		for deadline := time.Now().Add(patience); answers.Load() < 100 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(r.Int64N(int64(100 * time.Millisecond)))) // any moment is a good one for a crash
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		clients.Wait()
		if n := answers.Load(); n < 100 {
			t.Fatalf("round %d: %d answers; want some hundreds", round, n)
		}
	}
}

// longRounds increments and makes keys, and has the server busy with the same round, until the server ends.
func longRounds(addr string, made *atomic.Int64) {
	c, err := dial(addr)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		var round []byte
		for range 20 {
			round = appendCommand(round, "INCR", "id")
			round = appendCommand(round, "HINCRBY", "h", "f", "1")
			round = appendCommand(round, "INCR", madeName(made.Add(1)))
			for range 5 {
				round = appendCommand(round, "CONFIG", "GET", "*")
			}
		}
		if c.send(round) != nil {
			return
		}
		for range 20 * 8 {
			if _, err := c.read(); err != nil {
				return
			}
		}
	}
}

// askOn sends a command until the server ends, and notes what it is told.
func askOn(addr string, seen *told, answers *atomic.Int64, command []string) {
	c, err := dial(addr)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		got, err := c.do(command...)
		if err != nil {
			return
		}
		if n, err := number(got); err == nil {
			seen.note(n)
		}
		answers.Add(1)
	}
}

// listenOn notes what is published until the server ends.
func listenOn(addr string, seen *told) {
	c, err := dial(addr)
	if err != nil {
		return
	}
	defer c.Close()
	if _, err := c.do("SUBSCRIBE", "told"); err != nil {
		return
	}
	for {
		got, err := c.read()
		if err != nil || len(got.parts) != 3 {
			return
		}
		if n, err := got.parts[2].int(); err == nil {
			seen.note(n)
		}
	}
}
