package clients

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

func TestRedigo(t *testing.T) {
	s := start(t)
	pool := &redis.Pool{MaxIdle: 8, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", s.Addr) }}
	t.Cleanup(func() { pool.Close() })
	for _, c := range []struct {
		name string
		run  func(*testing.T, *redis.Pool)
	}{
		{"count", redigoCount}, {"set", redigoSet}, {"expire", redigoExpire}, {"pipeline", redigoPipeline}, {"transact", redigoTransact},
		{"script", redigoScript}, {"hash", redigoHash}, {"publish", redigoPublish}, {"many", redigoMany},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, pool) })
	}
	t.Run("restart", func(t *testing.T) {
		check(t, do(pool, "OK", "SET", "before", 7))
		restart(t, s)
		resumes(t, func() (int64, error) {
			c := pool.Get()
			defer c.Close()
			return redis.Int64(c.Do("INCR", "before"))
		})
	})
}

// do runs a command on a connection of the pool and compares its reply.
func do(pool *redis.Pool, want any, command string, args ...any) error {
	c := pool.Get()
	defer c.Close()
	return doOn(c, want, command, args...)
}

func doOn(c redis.Conn, want any, command string, args ...any) error {
	got, err := c.Do(command, args...)
	if b, ok := got.([]byte); ok {
		got = string(b)
	}
	if err != nil || got != want {
		return fmt.Errorf("%s %v = %v, %v; want %v", command, args, got, err, want)
	}
	return nil
}

func redigoCount(t *testing.T, p *redis.Pool) {
	check(t, do(p, int64(1), "INCR", "n"), do(p, int64(42), "INCRBY", "n", 41), do(p, int64(41), "DECR", "n"),
		do(p, int64(-1), "DECRBY", "n", 42), do(p, "-1", "GET", "n"), do(p, "-1", "GETDEL", "n"), do(p, nil, "GET", "n"))
}

func redigoSet(t *testing.T, p *redis.Pool) {
	check(t, do(p, "OK", "SET", "a", 5), do(p, nil, "SET", "a", 6, "NX"), do(p, "OK", "MSET", "b", 7, "c", "text"), do(p, int64(7), "APPEND", "c", "ual"))
	c := p.Get()
	defer c.Close()
	got, err := redis.Strings(c.Do("MGET", "a", "b", "none", "c"))
	if want := []string{"5", "7", "", "textual"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("MGET = %q, %v; want %q", got, err, want)
	}
	var refused redis.Error
	if _, err := c.Do("INCR", "c"); !errors.As(err, &refused) || refused != "ERR value is not an integer or out of range" {
		t.Errorf("INCR c = %v; want an error", err)
	}
}

func redigoExpire(t *testing.T, p *redis.Pool) {
	check(t, do(p, "OK", "SETEX", "e", 100, 1), do(p, int64(2), "INCR", "e"))
	c := p.Get()
	defer c.Close()
	if ttl, err := redis.Int(c.Do("TTL", "e")); err != nil || ttl <= 90 || ttl > 100 {
		t.Errorf("TTL e = %d, %v; want 100", ttl, err)
	}
	check(t, do(p, int64(1), "PERSIST", "e"), do(p, int64(-1), "TTL", "e"), do(p, int64(1), "PEXPIRE", "e", 1))
	eventually(t, func() error { return do(p, int64(0), "EXISTS", "e") })
}

func redigoPipeline(t *testing.T, p *redis.Pool) {
	c := p.Get()
	defer c.Close()
	for range 1000 {
		check(t, c.Send("INCR", "p"))
	}
	check(t, c.Flush())
	for i := range int64(1000) {
		if n, err := redis.Int64(c.Receive()); err != nil || n != i+1 {
			t.Fatalf("Receive() = %d, %v; want %d", n, err, i+1)
		}
	}
}

func redigoTransact(t *testing.T, p *redis.Pool) {
	c := p.Get()
	check(t, c.Send("MULTI"), c.Send("INCR", "t"), c.Send("INCRBY", "t", 2))
	if got, err := redis.Ints(c.Do("EXEC")); err != nil || !slices.Equal(got, []int{1, 3}) {
		t.Errorf("EXEC = %v, %v; want 1 3", got, err)
	}
	check(t, doOn(c, "OK", "WATCH", "t"), do(p, int64(4), "INCR", "t"), c.Send("MULTI"), c.Send("SET", "t", 0))
	if got, err := c.Do("EXEC"); err != nil || got != nil {
		t.Errorf("EXEC after another's write = %v, %v; want nil", got, err)
	}
	check(t, c.Send("MULTI"), c.Send("SET", "t", 0), c.Flush(), c.Close()) // the pool discards the transaction
	check(t, do(p, "4", "GET", "t"))
}

func redigoScript(t *testing.T, p *redis.Pool) {
	c := p.Get()
	defer c.Close()
	add := redis.NewScript(1, "return redis.call('INCRBY', KEYS[1], ARGV[1])")
	for _, want := range []int{5, 10} {
		if n, err := redis.Int(add.Do(c, "s", 5)); err != nil || n != want {
			t.Errorf("script = %d, %v; want %d", n, err, want)
		}
	}
	check(t, doOn(c, "OK", "SCRIPT", "FLUSH"), add.Load(c))
	if err := add.SendHash(c, "s", 5); err != nil {
		t.Error(err)
	}
	check(t, c.Flush())
	if n, err := redis.Int(c.Receive()); err != nil || n != 15 {
		t.Errorf("script = %d, %v; want 15", n, err)
	}
}

func redigoHash(t *testing.T, p *redis.Pool) {
	check(t, do(p, int64(3), "HINCRBY", "h", "a", 3), do(p, int64(2), "HSET", "h", "b", 4, "c", 5))
	c := p.Get()
	defer c.Close()
	got, err := redis.IntMap(c.Do("HGETALL", "h"))
	if want := map[string]int{"a": 3, "b": 4, "c": 5}; err != nil || !maps.Equal(got, want) {
		t.Errorf("HGETALL = %v, %v; want %v", got, err, want)
	}
}

func redigoPublish(t *testing.T, p *redis.Pool) {
	listener := redis.PubSubConn{Conn: p.Get()}
	defer listener.Close() // the pool unsubscribes, and waits for its ECHO
	check(t, listener.Subscribe("news"), listener.PSubscribe("new?"))
	for range 2 {
		if m, ok := listener.ReceiveWithTimeout(patience).(redis.Subscription); !ok {
			t.Errorf("Receive() = %v; want a subscription", m)
		}
	}
	check(t, do(p, int64(2), "PUBLISH", "news", "hello"))
	for range 2 {
		if m, ok := listener.ReceiveWithTimeout(patience).(redis.Message); !ok || m.Channel != "news" || string(m.Data) != "hello" {
			t.Errorf("Receive() = %v; want hello", m)
		}
	}
	check(t, listener.Ping("alive"))
	if m, ok := listener.ReceiveWithTimeout(patience).(redis.Pong); !ok || m.Data != "alive" {
		t.Errorf("Receive() = %v; want a pong", m)
	}
}

func redigoMany(t *testing.T, p *redis.Pool) {
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			c := p.Get()
			defer c.Close()
			for range 250 {
				if _, err := redis.DoWithTimeout(c, time.Minute, "INCR", "all"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	check(t, do(p, "2000", "GET", "all"))
}
