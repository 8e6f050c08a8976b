package clients

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/goredisstore.v9"
	"github.com/throttled/throttled/v2/store/redigostore"
	"github.com/ulule/limiter/v3"
	ulule "github.com/ulule/limiter/v3/drivers/store/redis"
)

// Each limiter is asked 400 times for a limit of 100 by eight workers at once, each with a limiter and connections of its
// own. The periods are so long that nothing comes free in the meantime.
const (
	limit = 100
	asked = 50 // by each worker
)

// allowed counts what eight workers are allowed in all. Each gets its own limiter from open.
func allowed(t *testing.T, open func(t *testing.T) func() (bool, error)) int {
	t.Helper()
	var running sync.WaitGroup
	var n atomic.Int64
	for range 8 {
		allow := open(t)
		running.Go(func() {
			for range asked {
				ok, err := allow()
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					n.Add(1)
				}
			}
		})
	}
	running.Wait()
	return int(n.Load())
}

func openGoRedis(t *testing.T, addr string) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

func openRedigo(t *testing.T, addr string) *redis.Pool {
	t.Helper()
	p := &redis.Pool{MaxIdle: 1, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestRedisRate(t *testing.T) {
	s := start(t)
	ctx := background(t)
	rate := redis_rate.Limit{Rate: limit, Burst: limit, Period: 100 * 24 * time.Hour}
	n := allowed(t, func(t *testing.T) func() (bool, error) {
		l := redis_rate.NewLimiter(openGoRedis(t, s.Addr))
		return func() (bool, error) {
			r, err := l.Allow(ctx, "shared", rate)
			return err == nil && r.Allowed == 1, err
		}
	})
	if n != limit {
		t.Errorf("redis_rate allowed %d of %d; want %d", n, 8*asked, limit)
	}
	l := redis_rate.NewLimiter(openGoRedis(t, s.Addr))
	if r, err := l.AllowAtMost(ctx, "most", rate, limit+10); err != nil || r.Allowed != limit || r.Remaining != 0 {
		t.Errorf("AllowAtMost() = %+v, %v; want %d", r, err, limit)
	}
}

func TestUluleLimiter(t *testing.T) {
	s := start(t)
	ctx := background(t)
	rate := limiter.Rate{Period: 24 * time.Hour, Limit: limit}
	n := allowed(t, func(t *testing.T) func() (bool, error) {
		l := limiter.New(ululeStore(t, s.Addr), rate)
		return func() (bool, error) {
			r, err := l.Get(ctx, "shared")
			if err == nil && r.Reset-time.Now().Unix() > int64(rate.Period/time.Second) {
				t.Errorf("the window ends at %d, which is too late", r.Reset)
			}
			return err == nil && !r.Reached, err
		}
	})
	if n != limit {
		t.Errorf("limiter allowed %d of %d; want %d", n, 8*asked, limit)
	}
	l := limiter.New(ululeStore(t, s.Addr), rate)
	r, err := l.Increment(ctx, "batch", 40)
	if peek, perr := l.Peek(ctx, "batch"); err != nil || perr != nil || r.Remaining != 60 || peek.Remaining != 60 {
		t.Errorf("Increment(40), Peek() = %+v, %v, %+v, %v; want 60 remaining", r, err, peek, perr)
	}
	if r, err := l.Reset(ctx, "batch"); err != nil || r.Remaining != limit {
		t.Errorf("Reset() = %+v, %v; want %d remaining", r, err, limit)
	}
}

// TestUluleWindows: what a window refuses, the next one allows.
func TestUluleWindows(t *testing.T) {
	s := start(t)
	ctx := background(t)
	l := limiter.New(ululeStore(t, s.Addr), limiter.Rate{Period: time.Second, Limit: 2})
	if r, err := l.Increment(ctx, "short", 2); err != nil || r.Remaining != 0 || r.Reached {
		t.Fatalf("Increment(2) = %+v, %v; want the limit", r, err)
	}
	var r limiter.Context
	eventually(t, func() (err error) {
		r, err = l.Get(ctx, "short")
		return errors.Join(err, unless(!r.Reached, "the limit is still reached"))
	})
	if r.Remaining != 1 {
		t.Errorf("%d remain in the next window; want 1", r.Remaining)
	}
}

func ululeStore(t *testing.T, addr string) limiter.Store {
	t.Helper()
	store, err := ulule.NewStore(openGoRedis(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestThrottled(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T, addr string) throttled.GCRAStoreCtx
	}{
		{"go-redis", func(t *testing.T, addr string) throttled.GCRAStoreCtx {
			store, err := goredisstore.NewCtx(openGoRedis(t, addr), "throttled:")
			if err != nil {
				t.Fatal(err)
			}
			return store
		}},
		{"redigo", func(t *testing.T, addr string) throttled.GCRAStoreCtx {
			store, err := redigostore.NewCtx(openRedigo(t, addr), "throttled:", 0)
			if err != nil {
				t.Fatal(err)
			}
			return store
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			ctx := background(t)
			n := allowed(t, func(t *testing.T) func() (bool, error) { return throttle(ctx, t, c.open(t, s.Addr)) })
			if n != limit {
				t.Errorf("throttled allowed %d of %d; want %d", n, 8*asked, limit)
			}
		})
	}
}

// throttle is a limiter that allows a burst of limit, then one a day. Its stores compare and swap: it has to try again
// as often as all others can get in between.
func throttle(ctx context.Context, t *testing.T, store throttled.GCRAStoreCtx) func() (bool, error) {
	t.Helper()
	l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerDay(1), MaxBurst: limit - 1})
	if err != nil {
		t.Fatal(err)
	}
	l.SetMaxCASAttemptsLimit(8 * asked)
	return func() (bool, error) {
		limited, _, err := l.RateLimitCtx(ctx, "shared", 1)
		return err == nil && !limited, err
	}
}
