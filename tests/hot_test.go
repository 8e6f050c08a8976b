package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

// hot are keys that all clients increment at once; the sum of what was acknowledged, and of what was attempted, bounds each.
type hot struct {
	mu     sync.Mutex
	low    map[string]int64 // acknowledged, and all unanswered decrements
	high   map[string]int64 // acknowledged, and all unanswered increments
	number int
}

func newHot(number int) *hot {
	return &hot{low: make(map[string]int64), high: make(map[string]int64), number: number}
}

func (h *hot) key(i int) string { return fmt.Sprintf("hot:%d", i) }

// attempt widens the bounds by an increment that is about to be sent; acknowledge moves them together again.
func (h *hot) attempt(key string, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.low[key] += min(n, 0)
	h.high[key] += max(n, 0)
}

func (h *hot) acknowledge(key string, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.low[key] += max(n, 0)
	h.high[key] += min(n, 0)
}

// load sends pipelines of a go-redis client, without retries, which would count twice, until the server is gone.
func (h *hot) load(client *goredis.Client, r *rand.Rand, answered *atomic.Int64) {
	for {
		pipe := client.Pipeline()
		n := 1 + r.IntN(16)
		keys, by := make([]string, n), make([]int64, n)
		for i := range n {
			keys[i], by[i] = h.key(r.IntN(h.number)), r.Int64N(21)-10
			h.attempt(keys[i], by[i])
			pipe.IncrBy(context.Background(), keys[i], by[i])
		}
		commands, err := pipe.Exec(context.Background())
		for i, c := range commands {
			if c.Err() == nil {
				h.acknowledge(keys[i], by[i])
				answered.Add(1)
			}
		}
		if err != nil {
			return
		}
	}
}

// check reads the keys and narrows the bounds to what is found.
func (h *hot) check(c *conn) error {
	for i := range h.number {
		key := h.key(i)
		r, err := c.do("GET", key)
		if err != nil {
			return err
		}
		var n int64
		if !r.null {
			if n, err = r.int(); err != nil {
				return err
			}
		}
		if n < h.low[key] || n > h.high[key] {
			return fmt.Errorf("GET %s = %v; want %d to %d", key, r, h.low[key], h.high[key])
		}
		h.low[key], h.high[key] = n, n
	}
	return nil
}
