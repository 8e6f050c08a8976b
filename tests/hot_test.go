package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

// hot are keys that all clients increment at once.
type hot struct {
	*ledger
	number int
}

func newHot(number int) *hot { return &hot{newLedger(), number} }

func (h *hot) key(i int) string { return fmt.Sprintf("hot:%d", i) }

// isField says of every second key that it is a field of one hash.
func isField(key string) bool { return strings.HasSuffix(key, "1") }

// load sends pipelines of a go-redis client, without retries, which would count twice, until the server is gone.
func (h *hot) load(client *goredis.Client, r *rand.Rand, answered *atomic.Int64) {
	for {
		pipe := client.Pipeline()
		n := 1 + r.IntN(16)
		keys, by := make([]string, n), make([]int64, n)
		for i := range n {
			keys[i], by[i] = h.key(r.IntN(h.number)), r.Int64N(21)-10
			h.attempt(keys[i], by[i])
			if isField(keys[i]) {
				pipe.HIncrBy(context.Background(), "hots", keys[i], by[i])
			} else {
				pipe.IncrBy(context.Background(), keys[i], by[i])
			}
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
		get := []string{"GET", key}
		if isField(key) {
			get = []string{"HGET", "hots", key}
		}
		r, err := c.do(get...)
		if err != nil {
			return err
		}
		var n int64
		if !r.null {
			if n, err = r.int(); err != nil {
				return err
			}
		}
		if err := h.within(key, n); err != nil {
			return err
		}
		h.settle(key, n)
	}
	return nil
}
