package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tlv"
)

const (
	limiterUsers  = 60
	limiterWindow = 300 * time.Millisecond
	limiterLast   = 15 * time.Second // after which nothing is left of the last window
)

// limit counts one in the window of a key, as an application does, and gives the count.
type limit func(ctx context.Context, c *goredis.Client, key string) (int64, error)

var limiterShapes = map[string]limit{
	"incr": func(ctx context.Context, c *goredis.Client, key string) (int64, error) {
		n, err := c.Incr(ctx, key).Result()
		if err == nil && n == 1 {
			err = c.PExpire(ctx, key, limiterWindow).Err()
		}
		return n, err
	},
	"set": func(ctx context.Context, c *goredis.Client, key string) (int64, error) {
		if err := c.SetNX(ctx, key, 0, limiterWindow).Err(); err != nil {
			return 0, err
		}
		n, err := c.Incr(ctx, key).Result()
		if err == nil && n == 1 { // the window may have ended in between
			err = c.PExpire(ctx, key, limiterWindow).Err()
		}
		return n, err
	},
	"hash": func(ctx context.Context, c *goredis.Client, key string) (int64, error) {
		n, err := c.HIncrBy(ctx, key, "n", 1).Result()
		if err == nil && n == 1 {
			err = c.PExpire(ctx, key, limiterWindow).Err()
		}
		return n, err
	},
	"script": func(ctx context.Context, c *goredis.Client, key string) (int64, error) {
		return c.Eval(ctx, `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n`, []string{key}, limiterWindow.Milliseconds()).Int64()
	},
	"sliding": func(ctx context.Context, c *goredis.Client, key string) (int64, error) {
		var n *goredis.IntCmd
		_, err := c.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			n = p.Incr(ctx, key)
			p.PExpire(ctx, key, limiterWindow)
			return nil
		})
		return n.Val(), err
	},
	"exists": func(ctx context.Context, c *goredis.Client, key string) (int64, error) {
		found, err := c.Exists(ctx, key).Result()
		if err != nil {
			return 0, err
		}
		if found == 0 {
			return 1, c.Set(ctx, key, 1, limiterWindow).Err()
		}
		n, err := c.Incr(ctx, key).Result()
		if err == nil && n == 1 {
			err = c.PExpire(ctx, key, limiterWindow).Err()
		}
		return n, err
	},
}

// windows are clients that count in windows of the same keys, each on one member.
type windows struct {
	c     *cluster
	asked sync.Map // key: how often it was counted, or tried to
	stops []chan struct{}
	done  []sync.WaitGroup
}

func newWindows(c *cluster) *windows {
	return &windows{c: c, stops: make([]chan struct{}, len(c.members)), done: make([]sync.WaitGroup, len(c.members))}
}

// begin has n clients count on a member, until end.
func (l *windows) begin(i, n int) {
	l.stops[i] = make(chan struct{})
	for k := range n {
		l.done[i].Go(func() { l.run(i, l.stops[i], rand.New(rand.NewPCG(uint64(i), uint64(k)))) })
	}
}

// end waits until all clients of a member have done what they had begun, so that no count is without its TTL.
func (l *windows) end(i int) {
	if l.stops[i] != nil {
		close(l.stops[i])
		l.done[i].Wait()
		l.stops[i] = nil
	}
}

func (l *windows) run(i int, stop chan struct{}, rng *rand.Rand) {
	client := goredis.NewClient(&goredis.Options{Addr: l.c.members[i].front.Addr, MaxRetries: -1, PoolSize: 1})
	defer client.Close()
	names := make([]string, 0, len(limiterShapes))
	for name := range limiterShapes {
		names = append(names, name)
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		name := names[rng.IntN(len(names))]
		key := name + ":" + strconv.Itoa(rng.IntN(limiterUsers))
		asked, _ := l.asked.LoadOrStore(key, new(atomic.Int64))
		asked.(*atomic.Int64).Add(1)
		n, err := limiterShapes[name](context.Background(), client, key)
		if err != nil {
			l.c.t.Errorf("server %d: %s: %v", i, key, err)
			return
		}
		if most := asked.(*atomic.Int64).Load(); n > most {
			l.c.t.Errorf("server %d: %s counts %d; it was counted %d times", i, key, n, most)
		}
	}
}

// empty waits until no key is left on the members that are named.
func (l *windows) empty(members ...int) {
	l.c.t.Helper()
	deadline := time.Now().Add(limiterLast)
	for _, i := range members {
		for l.c.ok(i, "DBSIZE").text != "0" {
			if time.Now().After(deadline) {
				l.report(i)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func (l *windows) report(i int) {
	l.c.t.Helper()
	left := ""
	keys := l.c.ok(i, "KEYS", "*").texts()
	for k, key := range keys {
		if k < 5 {
			left += fmt.Sprintf("\n%s: PTTL %s, %v", key, l.c.ok(i, "PTTL", key).text, l.dump(i, key))
		}
	}
	l.c.t.Errorf("server %d: %d keys are left %v after the last window, for example:%s", i, len(keys), limiterLast, left)
}

// TestLimiters: whatever way an application counts in windows, none of its keys outlives its window, on any replica: not if a link is cut
// meanwhile, if each member restarts, or if one goes for good after it has set TTLs.
func TestLimiters(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for name, c := range map[string]struct {
		members int
		linked  topology
	}{
		"two":  {2, mesh},
		"ring": {3, func(i, j int) bool { return j == (i+1)%3 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newWindows(newCluster(t, c.members, c.linked))
			l.play()
		})
	}
}

func (l *windows) play() {
	c := l.c
	last := len(c.members) - 1
	for i := range c.members {
		l.begin(i, 4/len(c.members)+1)
	}
	pass := func() { time.Sleep(5 * limiterWindow) } // the load goes on; nothing is expected at a time
	pass()
	c.cut(last)
	pass()
	c.heal()
	pass()
	for i := range c.members {
		l.end(i)
		c.stop(i)
		pass()
		c.start(i)
		l.begin(i, 2)
		pass()
	}
	l.end(last)
	for i := range last {
		c.reach(i, last) // it has heard of the TTLs of what it counted in
	}
	for i := range last {
		c.reach(last, i) // and has been heard
	}
	c.kill(last)
	pass()
	rest := make([]int, last)
	for i := range rest {
		l.end(i)
		rest[i] = i
		for j := range last {
			if i != j { // those between whom only the dead one was
				c.ok(i, "CPEER", "ADD", c.link(i, j).Addr)
			}
		}
	}
	l.empty(rest...)
}

func (l *windows) dump(i int, key string) string {
	if l.c.ok(i, "TYPE", key).text == "hash" {
		return fmt.Sprint(l.c.ok(i, "CINFO", key), l.c.ok(i, "HGETALL", key))
	}
	s, err := tlv.ParseState([]byte(l.c.ok(i, "CDUMP", key).text))
	return fmt.Sprintf("%+v %v", s, err)
}
