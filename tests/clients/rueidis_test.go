package clients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// TestRueidis uses the client as it comes: over RESP3, and with its cache, which the server has to keep true.
func TestRueidis(t *testing.T) {
	s := start(t)
	ctx := background(t)
	c := openRueidis(t, s.Addr)
	for _, sub := range []struct {
		name string
		run  func(context.Context, *testing.T, rueidis.Client)
	}{
		{"count", rueidisCount}, {"set", rueidisSet}, {"expire", rueidisExpire}, {"pipeline", rueidisPipeline}, {"transact", rueidisTransact},
		{"script", rueidisScript}, {"hash", rueidisHash}, {"publish", rueidisPublish}, {"many", rueidisMany},
	} {
		t.Run(sub.name, func(t *testing.T) { sub.run(ctx, t, c) })
	}
	t.Run("cache", func(t *testing.T) { rueidisCache(ctx, t, c, openRueidis(t, s.Addr)) })
	t.Run("broadcast", func(t *testing.T) {
		rueidisCache(ctx, t, openRueidis(t, s.Addr, "PREFIX", "cached", "BCAST"), openRueidis(t, s.Addr))
	})
	t.Run("restart", func(t *testing.T) {
		check(t, text(c.Do(ctx, c.B().Set().Key("before").Value("7").Build()))("OK"))
		restart(t, s)
		resumes(t, func() (int64, error) { return c.Do(ctx, c.B().Incr().Key("before").Build()).AsInt64() })
	})
}

// openRueidis tracks what it is asked to cache, unless it is given other options of CLIENT TRACKING.
func openRueidis(t *testing.T, addr string, tracking ...string) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ClientTrackingOptions: tracking})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func number(r rueidis.RedisResult) func(want int64) error {
	return func(want int64) error {
		if got, err := r.AsInt64(); err != nil || got != want {
			return fmt.Errorf("got %d, %w; want %d", got, err, want)
		}
		return nil
	}
}

func text(r rueidis.RedisResult) func(want string) error {
	return func(want string) error {
		if got, err := r.ToString(); err != nil || got != want {
			return fmt.Errorf("got %q, %w; want %q", got, err, want)
		}
		return nil
	}
}

func rueidisCount(ctx context.Context, t *testing.T, c rueidis.Client) {
	check(t, number(c.Do(ctx, c.B().Incr().Key("n").Build()))(1), number(c.Do(ctx, c.B().Incrby().Key("n").Increment(41).Build()))(42),
		number(c.Do(ctx, c.B().Decr().Key("n").Build()))(41), number(c.Do(ctx, c.B().Decrby().Key("n").Decrement(42).Build()))(-1),
		text(c.Do(ctx, c.B().Getdel().Key("n").Build()))("-1"))
	if err := c.Do(ctx, c.B().Get().Key("n").Build()).Error(); !rueidis.IsRedisNil(err) {
		t.Errorf("GET n = %v; want nil", err)
	}
}

func rueidisSet(ctx context.Context, t *testing.T, c rueidis.Client) {
	check(t, text(c.Do(ctx, c.B().Set().Key("a").Value("5").Build()))("OK"), text(c.Do(ctx, c.B().Mset().KeyValue().KeyValue("b", "7").KeyValue("c", "text").Build()))("OK"))
	got, err := rueidis.MGet(c, ctx, []string{"a", "b", "none"})
	if err != nil {
		t.Fatal(err)
	}
	a, none := got["a"], got["none"]
	if s, err := a.ToString(); err != nil || s != "5" || !none.IsNil() {
		t.Errorf("MGet() = %q, %v, %v; want 5 and nil", s, err, none)
	}
	refused, ok := rueidis.IsRedisErr(c.Do(ctx, c.B().Incr().Key("c").Build()).Error())
	if !ok || refused.Error() != "value is not an integer or out of range" {
		t.Errorf("INCR c = %v; want an error", refused)
	}
}

func rueidisExpire(ctx context.Context, t *testing.T, c rueidis.Client) {
	check(t, text(c.Do(ctx, c.B().Set().Key("e").Value("1").Ex(100*time.Second).Build()))("OK"), number(c.Do(ctx, c.B().Incr().Key("e").Build()))(2))
	if ttl, err := c.Do(ctx, c.B().Ttl().Key("e").Build()).AsInt64(); err != nil || ttl <= 90 || ttl > 100 {
		t.Errorf("TTL e = %d, %v; want 100", ttl, err)
	}
	check(t, number(c.Do(ctx, c.B().Pexpire().Key("e").Milliseconds(1).Build()))(1))
	eventually(t, func() error { return number(c.Do(ctx, c.B().Exists().Key("e").Build()))(0) })
}

func rueidisPipeline(ctx context.Context, t *testing.T, c rueidis.Client) {
	var all rueidis.Commands
	for range 1000 {
		all = append(all, c.B().Incr().Key("p").Build())
	}
	for i, r := range c.DoMulti(ctx, all...) {
		check(t, number(r)(int64(i+1)))
	}
}

func rueidisTransact(ctx context.Context, t *testing.T, c rueidis.Client) {
	err := c.Dedicated(func(d rueidis.DedicatedClient) error {
		begin := func() rueidis.Completed { return d.B().Watch().Key("t").Build() }
		attempt := rueidis.Commands{d.B().Multi().Build(), d.B().Incr().Key("t").Build(), d.B().Incr().Key("t").Build(), d.B().Exec().Build()}
		replies := d.DoMulti(ctx, append(rueidis.Commands{begin()}, attempt...)...)
		got, err := replies[len(replies)-1].AsIntSlice()
		if err != nil || len(got) != 2 || got[1] != 2 {
			return fmt.Errorf("EXEC = %v, %w; want 1 2", got, err)
		}
		if err := d.Do(ctx, begin()).Error(); err != nil {
			return err
		}
		if err := number(c.Do(ctx, c.B().Incr().Key("t").Build()))(3); err != nil {
			return err
		}
		replies = d.DoMulti(ctx, d.B().Multi().Build(), d.B().Set().Key("t").Value("0").Build(), d.B().Exec().Build())
		if err := replies[2].Error(); !rueidis.IsRedisNil(err) {
			return fmt.Errorf("EXEC after another's write = %w; want nil", err)
		}
		return nil
	})
	check(t, err, text(c.Do(ctx, c.B().Get().Key("t").Build()))("3"))
}

func rueidisScript(ctx context.Context, t *testing.T, c rueidis.Client) {
	add := rueidis.NewLuaScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	for i, r := range add.ExecMulti(ctx, c, rueidis.LuaExec{Keys: []string{"s"}, Args: []string{"5"}}, rueidis.LuaExec{Keys: []string{"s"}, Args: []string{"5"}}) {
		check(t, number(r)(int64(5*(i+1))))
	}
	check(t, c.Do(ctx, c.B().ScriptFlush().Build()).Error(), number(add.Exec(ctx, c, []string{"s"}, []string{"5"}))(15))
	peek := rueidis.NewLuaScriptReadOnly("return redis.call('GET', KEYS[1])")
	check(t, text(peek.Exec(ctx, c, []string{"s"}, nil))("15"))
}

func rueidisHash(ctx context.Context, t *testing.T, c rueidis.Client) {
	check(t, number(c.Do(ctx, c.B().Hincrby().Key("h").Field("a").Increment(3).Build()))(3),
		number(c.Do(ctx, c.B().Hset().Key("h").FieldValue().FieldValue("b", "4").FieldValue("c", "text").Build()))(2))
	got, err := c.Do(ctx, c.B().Hgetall().Key("h").Build()).AsStrMap()
	if want := map[string]string{"a": "3", "b": "4", "c": "text"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("HGETALL = %v, %v; want %v", got, err, want)
	}
}

func rueidisPublish(ctx context.Context, t *testing.T, c rueidis.Client) {
	d, cancel := c.Dedicate()
	defer cancel()
	heard := make(chan rueidis.PubSubMessage, 2)
	lost := d.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { heard <- m }})
	for _, r := range d.DoMulti(ctx, d.B().Subscribe().Channel("news").Build(), d.B().Psubscribe().Pattern("new?").Build()) {
		check(t, r.Error())
	}
	check(t, number(c.Do(ctx, c.B().Publish().Channel("news").Message("hello").Build()))(2))
	for range 2 {
		select {
		case m := <-heard:
			if m.Channel != "news" || m.Message != "hello" {
				t.Errorf("heard %v; want hello", m)
			}
		case err := <-lost:
			t.Fatal(err)
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
}

func rueidisMany(ctx context.Context, t *testing.T, c rueidis.Client) {
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 250 {
				if err := c.Do(ctx, c.B().Incr().Key("all").Build()).Error(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	check(t, text(c.Do(ctx, c.B().Get().Key("all").Build()))("2000"))
}

// rueidisCache reads a key from the client's cache until another client has written it. When the news of a write comes is
// not said: each of the client's connections is told by itself.
func rueidisCache(ctx context.Context, t *testing.T, c, other rueidis.Client) {
	read := func() rueidis.RedisResult {
		return c.DoCache(ctx, c.B().Get().Key("cached").Cache(), time.Minute)
	}
	check(t, text(c.Do(ctx, c.B().Set().Key("cached").Value("1").Build()))("OK"))
	eventually(t, func() error { // the client's own write is announced too
		r := read()
		return errors.Join(text(r)("1"), unless(r.IsCacheHit(), "the cache did not answer"))
	})
	check(t, number(other.Do(ctx, other.B().Incr().Key("cached").Build()))(2))
	eventually(t, func() error { return text(read())("2") })
	check(t, number(other.Do(ctx, other.B().Del().Key("cached").Build()))(1))
	eventually(t, func() error { return unless(rueidis.IsRedisNil(read().Error()), "the cache has a key that is no more") })
	check(t, text(other.Do(ctx, other.B().Set().Key("cached").Value("3").Build()))("OK"))
	eventually(t, func() error { return text(read())("3") })
	check(t, number(other.Do(ctx, other.B().Pexpire().Key("cached").Milliseconds(50).Build()))(1))
	eventually(t, func() error {
		return unless(rueidis.IsRedisNil(read().Error()), "the cache has a key that has expired")
	})
}

func unless(ok bool, message string) error {
	if ok {
		return nil
	}
	return errors.New(message)
}
