package clients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestGoRedis(t *testing.T) {
	s := start(t)
	ctx := background(t)
	for _, protocol := range []int{3, 2} { // 3 is its default
		client := goredis.NewClient(&goredis.Options{Addr: s.Addr, Protocol: protocol})
		t.Cleanup(func() { client.Close() })
		for _, c := range []struct {
			name string
			run  func(context.Context, *testing.T, *goredis.Client)
		}{
			{"count", goRedisCount}, {"set", goRedisSet}, {"expire", goRedisExpire}, {"pipeline", goRedisPipeline},
			{"transact", goRedisTransact}, {"script", goRedisScript}, {"hash", goRedisHash}, {"publish", goRedisPublish}, {"many", goRedisMany},
		} {
			t.Run(fmt.Sprintf("RESP%d/%s", protocol, c.name), func(t *testing.T) {
				if err := client.FlushDB(ctx).Err(); err != nil {
					t.Fatal(err)
				}
				c.run(ctx, t, client)
			})
		}
		t.Run(fmt.Sprintf("RESP%d/restart", protocol), func(t *testing.T) {
			if err := client.Set(ctx, "before", 7, 0).Err(); err != nil {
				t.Fatal(err)
			}
			restart(t, s)
			resumes(t, func() (int64, error) { return client.Incr(ctx, "before").Result() })
		})
	}
}

// expect compares what a command came to with what was wanted.
func expect[T comparable](cmd interface{ Result() (T, error) }) func(want T) error {
	return func(want T) error {
		if got, err := cmd.Result(); err != nil || got != want {
			return fmt.Errorf("%v = %v, %v; want %v", cmd, got, err, want)
		}
		return nil
	}
}

func check(t *testing.T, all ...error) {
	t.Helper()
	for _, err := range all {
		if err != nil {
			t.Error(err)
		}
	}
}

func goRedisCount(ctx context.Context, t *testing.T, c *goredis.Client) {
	check(t, expect(c.Incr(ctx, "n"))(1), expect(c.IncrBy(ctx, "n", 41))(42), expect(c.Decr(ctx, "n"))(41),
		expect(c.DecrBy(ctx, "n", 42))(-1), expect(c.Get(ctx, "n"))("-1"), expect(c.GetDel(ctx, "n"))("-1"))
	if err := c.Get(ctx, "n").Err(); !errors.Is(err, goredis.Nil) {
		t.Errorf("Get(%q) = %v; want %v", "n", err, goredis.Nil)
	}
}

func goRedisSet(ctx context.Context, t *testing.T, c *goredis.Client) {
	check(t, expect(c.Set(ctx, "a", 5, 0))("OK"), expect(c.SetNX(ctx, "a", 6, 0))(false), expect(c.MSet(ctx, "b", 7, "c", "text"))("OK"),
		expect(c.Append(ctx, "c", "ual"))(7), expect(c.IncrByFloat(ctx, "f", 1.5))(1.5), expect(c.SetArgs(ctx, "a", "\x00\xff", goredis.SetArgs{Get: true}))("5"))
	got, err := c.MGet(ctx, "a", "b", "none", "c").Result()
	if want := []any{"\x00\xff", "7", nil, "textual"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("MGet() = %q, %v; want %q", got, err, want)
	}
	if err := c.Incr(ctx, "c").Err(); err == nil || err.Error() != "ERR value is not an integer or out of range" {
		t.Errorf("Incr(%q) = %v; want an error", "c", err)
	}
}

func goRedisExpire(ctx context.Context, t *testing.T, c *goredis.Client) {
	check(t, expect(c.Set(ctx, "e", 1, 100*time.Second))("OK"), expect(c.Incr(ctx, "e"))(2))
	if ttl, err := c.TTL(ctx, "e").Result(); err != nil || ttl <= 90*time.Second || ttl > 100*time.Second {
		t.Errorf("TTL(%q) = %v, %v; want 100 s", "e", ttl, err)
	}
	check(t, expect(c.Persist(ctx, "e"))(true), expect(c.TTL(ctx, "e"))(-1), expect(c.PExpire(ctx, "e", time.Millisecond))(true))
	eventually(t, func() error { return expect(c.Exists(ctx, "e"))(0) })
}

func goRedisPipeline(ctx context.Context, t *testing.T, c *goredis.Client) {
	p := c.Pipeline()
	for range 999 {
		p.Incr(ctx, "p")
	}
	last := p.Incr(ctx, "p")
	if _, err := p.Exec(ctx); err != nil {
		t.Error(err)
	}
	check(t, expect(last)(1000))
}

func goRedisTransact(ctx context.Context, t *testing.T, c *goredis.Client) {
	p := c.TxPipeline()
	set, incr, get := p.Set(ctx, "t", 1, 0), p.Incr(ctx, "t"), p.Get(ctx, "t")
	if _, err := p.Exec(ctx); err != nil {
		t.Error(err)
	}
	check(t, expect(set)("OK"), expect(incr)(2), expect(get)("2"))
	double := func(tx *goredis.Tx) error {
		n, err := tx.Get(ctx, "t").Int64()
		if err != nil {
			return err
		}
		if n == 2 { // somebody else's: the transaction has to fail
			if err := c.Incr(ctx, "t").Err(); err != nil {
				return err
			}
		}
		_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error { return p.Set(ctx, "t", 2*n, 0).Err() })
		return err
	}
	if err := c.Watch(ctx, double, "t"); !errors.Is(err, goredis.TxFailedErr) {
		t.Errorf("Watch() = %v; want %v", err, goredis.TxFailedErr)
	}
	check(t, c.Watch(ctx, double, "t"), expect(c.Get(ctx, "t"))("6"))
}

func goRedisScript(ctx context.Context, t *testing.T, c *goredis.Client) {
	add := goredis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	run := func() error {
		n, err := add.Run(ctx, c, []string{"s"}, 5).Int()
		if err == nil && n%5 != 0 {
			return fmt.Errorf("the script returned %d", n)
		}
		return err
	}
	check(t, c.ScriptFlush(ctx).Err(), run(), run(), c.ScriptFlush(ctx).Err(), run(), expect(c.Get(ctx, "s"))("15"))
	if got, err := add.Exists(ctx, c).Result(); err != nil || !slices.Equal(got, []bool{true}) {
		t.Errorf("Exists() = %v, %v; want true", got, err)
	}
}

func goRedisHash(ctx context.Context, t *testing.T, c *goredis.Client) {
	check(t, expect(c.HIncrBy(ctx, "h", "a", 3))(3), expect(c.HSet(ctx, "h", "b", 4, "c", "text"))(2), expect(c.HLen(ctx, "h"))(3))
	got, err := c.HGetAll(ctx, "h").Result()
	if want := map[string]string{"a": "3", "b": "4", "c": "text"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("HGetAll() = %v, %v; want %v", got, err, want)
	}
	var into struct {
		A int `redis:"a"`
	}
	if err := c.HMGet(ctx, "h", "a").Scan(&into); err != nil || into.A != 3 {
		t.Errorf("HMGet().Scan() = %v, %v; want 3", into, err)
	}
	check(t, expect(c.HDel(ctx, "h", "a", "b"))(2))
}

func goRedisPublish(ctx context.Context, t *testing.T, c *goredis.Client) {
	listener := c.Subscribe(ctx, "news")
	defer listener.Close()
	if err := listener.PSubscribe(ctx, "new?"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := listener.Receive(ctx); err != nil {
			t.Fatal(err)
		}
	}
	check(t, expect(c.Publish(ctx, "news", "hello"))(2))
	for range 2 {
		if m, err := listener.ReceiveMessage(ctx); err != nil || m.Channel != "news" || m.Payload != "hello" {
			t.Errorf("ReceiveMessage() = %v, %v; want hello", m, err)
		}
	}
}

func goRedisMany(ctx context.Context, t *testing.T, c *goredis.Client) {
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 250 {
				if err := c.Incr(ctx, "all").Err(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	check(t, expect(c.Get(ctx, "all"))("2000"))
}
