package clients

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// TestRueidisTracking: rueidis tracks keys from the moment it connects, and caches what it is asked to.
func TestRueidisTracking(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name, options := range map[string][]string{"OPTIN": nil, "BCAST": {"PREFIX", "cached:", "BCAST"}} {
		t.Run(name, func(t *testing.T) {
			told := make(chan string, 100)
			client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, ClientTrackingOptions: options,
				OnInvalidations: func(messages []rueidis.RedisMessage) {
					for _, m := range messages {
						key, err := m.ToString()
						if err != nil {
							t.Error(err)
						}
						told <- key
					}
				}})
			if err != nil {
				t.Fatalf("NewClient = %v", err)
			}
			defer client.Close()
			testRueidisCache(ctx, t, client, "cached:"+name, told)
		})
	}
}

func testRueidisCache(ctx context.Context, t *testing.T, client rueidis.Client, key string, told <-chan string) {
	t.Helper()
	incr := func(want int64) {
		t.Helper()
		if n, err := client.Do(ctx, client.B().Incr().Key(key).Build()).AsInt64(); err != nil || n != want {
			t.Fatalf("INCR = %d, %v; want %d", n, err, want)
		}
	}
	get := func(want int64, cached bool) {
		t.Helper()
		r := client.DoCache(ctx, client.B().Get().Key(key).Cache(), time.Hour)
		if n, err := r.AsInt64(); err != nil || n != want || r.IsCacheHit() != cached {
			t.Fatalf("GET = %d, %v, from the cache: %v; want %d, %v", n, err, r.IsCacheHit(), want, cached)
		}
	}
	incr(1)
	for n := int64(1); n <= 3; n++ {
		get(n, false)
		get(n, true)
		for len(told) > 0 { // of writes before: a broadcast tells of each
			<-told
		}
		incr(n + 1)
		select {
		case got := <-told:
			if got != key {
				t.Fatalf("told of %q; want %q", got, key)
			}
		case <-ctx.Done():
			t.Fatal("told of nothing; want the key that has changed")
		}
	}
	get(4, false)
}
