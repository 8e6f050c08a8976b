package tests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

const (
	mixtureWorkers = 4    // on each server
	mixtureCalls   = 1200 // of each worker
)

// TestMixture has clients of three servers run commands of every sort at once, the same keys everywhere, while servers are
// killed: none waits for ever, and in the end all servers show the same.
func TestMixture(t *testing.T) {
	c := newCluster(t, 3, mesh, "--update-period", "50ms")
	t.Logf("-seed %d", *seed)
	var workers sync.WaitGroup
	var done atomic.Int64 // calls
	var silent sync.Once
	for i, m := range c.members {
		addr := m.Addr
		for w := range mixtureWorkers {
			workers.Go(func() {
				if err := mix(addr, rand.New(rand.NewPCG(*seed, uint64(i*mixtureWorkers+w))), &done); err != nil {
					t.Errorf("server %d: %v", i, err)
					silent.Do(func() { t.Log(m.Goroutines()) })
				}
			})
		}
	}
	for i := range c.members {
		c.until("a part of the calls done", func() error {
			if n := done.Load(); n < int64(i+1)*mixtureCalls*mixtureWorkers/2 {
				return fmt.Errorf("only %d are", n)
			}
			return nil
		})
		if err := c.members[i].Restart(); err != nil {
			t.Fatal(err)
		}
		c.members[i].conn = nil
	}
	workers.Wait()
	c.until("all servers show the same", func() error {
		first := everything(t, c.members[0].Addr)
		for i := range c.members[1:] {
			if other := everything(t, c.members[i+1].Addr); !maps.Equal(first, other) {
				return fmt.Errorf("server 0 has %v, server %d has %v", first, i+1, other)
			}
		}
		return nil
	})
}

// mix runs random calls. What a server replies does not matter here, as long as it does; one that is killed is tried again.
func mix(addr string, rng *rand.Rand, done *atomic.Int64) error {
	client := goredis.NewClient(&goredis.Options{Addr: addr, MaxRetries: 20, ReadTimeout: convergence})
	defer client.Close()
	for range mixtureCalls {
		call := someCall(rng)
		ctx, cancel := context.WithTimeout(context.Background(), convergence)
		var err error
		if len(call) == 1 {
			err = client.Do(ctx, call[0]...).Err()
		} else {
			_, err = client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
				for _, args := range call {
					p.Do(ctx, args...)
				}
				return nil
			})
		}
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no reply to %v", call)
		}
		done.Add(1)
	}
	return nil
}

// counting is a script that changes a counter and a hash.
const counting = `local n = redis.call('INCR', KEYS[1]) redis.call('HINCRBY', KEYS[2], 'script', 1)
if n % 7 == 0 then redis.call('DEL', KEYS[1]) end return n`

// someCall makes one command, or those of a transaction.
func someCall(rng *rand.Rand) [][]any {
	k, l, h := "k"+strconv.Itoa(rng.IntN(12)), "k"+strconv.Itoa(rng.IntN(12)), "h"+strconv.Itoa(rng.IntN(5))
	f, n := "f"+strconv.Itoa(rng.IntN(30)), rng.IntN(11)-5
	one := func(args ...any) [][]any { return [][]any{args} }
	calls := []struct {
		weight int
		call   [][]any
	}{
		{20, one("INCRBY", k, n)}, {10, one("HINCRBY", h, f, n)}, {4, one("HSET", h, "text", strconv.Itoa(n)+"x")}, {3, one("HDEL", h, f)},
		{3, one("SET", k, n)}, {2, one("SET", k, "text", "PX", 200)}, {3, one("DEL", k, h)}, {3, one("GETDEL", k)},
		{4, one("CINCRBY", k, n, "TOKEN", f, "EX", 1+rng.IntN(60))}, {4, one("EXPIRE", h, 1+rng.IntN(3))}, {2, one("PERSIST", k)},
		{8, one("EVAL", counting, 2, k, h)}, {2, one("EVAL", "return redis.call('MGET', KEYS[1], KEYS[2])", 2, k, l)},
		{8, [][]any{{"INCR", k}, {"HINCRBY", h, f, 1}, {"GET", l}, {"PEXPIRE", k, 100 + rng.IntN(10_000)}}},
		{4, one("HGETALL", h)}, {2, one("HSCAN", h, 0)}, {3, one("MGET", k, l, h)}, {2, one("SCAN", 0)}, {1, one("INFO")}, {1, one("DBSIZE")},
		{1, one("CONFIG", "SET", "appendfsync", []string{"always", "everysec", "no"}[rng.IntN(3)])}, {1, one("WAIT", 1, 20)},
		{1, one("CINFO", k)}, {1, one("CDUMP", k)}, {1, one("APPEND", k, "x")}, {1, one("INCRBYFLOAT", l, 1.5)},
	}
	if rng.IntN(400) == 0 {
		return [][][]any{one("FLUSHDB"), {{"FLUSHALL"}, {"INCR", k}}, one("EVAL", "redis.call('FLUSHALL') return redis.call('INCR', KEYS[1])", 1, k)}[rng.IntN(3)]
	}
	for {
		c := calls[rng.IntN(len(calls))]
		if rng.IntN(20) < c.weight {
			return c.call
		}
	}
}

// everything is what a server shows, of hashes all fields.
func everything(t *testing.T, addr string) map[string]string {
	t.Helper()
	c := connect(t, addr)
	defer c.Close()
	ask := func(args ...string) reply {
		r, err := c.do(args...)
		if err != nil {
			t.Fatalf("%s = %v, %v", quote(args), r, err)
		}
		return r
	}
	all := map[string]string{"number of keys": ask("DBSIZE").String()}
	for _, key := range ask("KEYS", "*").texts() {
		if ask("TYPE", key).text == "string" {
			all[key] = ask("GET", key).String()
			continue
		}
		fields := ask("HGETALL", key).texts()
		var pairs []string
		for i := 0; i+1 < len(fields); i += 2 {
			pairs = append(pairs, fields[i]+"="+fields[i+1])
		}
		slices.Sort(pairs)
		all[key] = strings.Join(pairs, " ")
	}
	return all
}
