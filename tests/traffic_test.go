package tests

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// The keys of a traffic: each client has some of its own, all share others, of which those named grow: are Naturals.
const (
	ownKeys    = 30
	sharedKeys = 20
)

// traffic is clients that increment counters of all members of a cluster at once, while whatever may happen happens.
type traffic struct {
	*ledger
	acknowledged atomic.Int64
	failed       atomic.Int64 // unanswered: each may have counted or not

	stop    chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	wrong   error
}

// door is where the clients of one member come in. Who holds gate lets no command be under way; behind is set while the
// member may lack what it once had acknowledged.
type door struct {
	addr   string
	gate   sync.RWMutex
	behind atomic.Bool
}

func newTraffic() *traffic { return &traffic{ledger: newLedger(), stop: make(chan struct{})} }

// enter starts clients, each with a seed of its own.
func (f *traffic) enter(d *door, name string, clients int, seed uint64) {
	for i := range clients {
		c := &caller{traffic: f, door: d, Rand: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprintf("%s:%d", name, i)}
		f.running.Go(func() {
			if err := c.run(); err != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.wrong = errors.Join(f.wrong, fmt.Errorf("client %s: %w", c.name, err))
			}
		})
	}
}

// end stops all clients; the error is what any of them has seen go wrong.
func (f *traffic) end() error {
	close(f.stop)
	f.running.Wait()
	return f.wrong
}

// caller is one connection's worth of traffic.
type caller struct {
	*traffic
	*door
	*rand.Rand
	name string
}

func (c *caller) run() error {
	// A retry of go-redis's own would count what an unanswered attempt may have counted already.
	conn := goredis.NewClient(&goredis.Options{Addr: c.addr, MaxRetries: -1, DialerRetries: 1, PoolSize: 1,
		DialTimeout: time.Second, ReadTimeout: 500 * time.Millisecond, WriteTimeout: 500 * time.Millisecond})
	defer conn.Close()
	for {
		select {
		case <-c.stop:
			return nil
		default:
		}
		err := c.step(conn)
		var replied goredis.Error
		if errors.As(err, &replied) || errors.As(err, new(wrongValue)) {
			return err
		}
		if err != nil { // nobody is there: do not spin until somebody is
			c.failed.Add(1)
			select {
			case <-c.stop:
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

// wrongValue is a reply that no order of events explains.
type wrongValue struct{ error }

func (c *caller) step(conn *goredis.Client) error {
	c.gate.RLock()
	defer c.gate.RUnlock()
	switch c.IntN(10) {
	case 0:
		return c.readOwn(conn)
	case 1:
		return c.readGrowing(conn)
	}
	key, n := c.draw()
	c.attempt(key, n)
	if err := send(conn, key, n); err != nil {
		return err
	}
	c.acknowledge(key, n)
	c.acknowledged.Add(1)
	return nil
}

// draw chooses a counter and what to add.
func (c *caller) draw() (key string, n int64) {
	switch c.IntN(3) {
	case 0:
		key, n = c.own(), c.Int64N(200)-100
	case 1:
		key, n = fmt.Sprintf("shared:%d", c.IntN(sharedKeys)), c.Int64N(3)-1
	default:
		return fmt.Sprintf("grow:%d", c.IntN(sharedKeys)), 1 + c.Int64N(2)
	}
	return key, n
}

func (c *caller) own() string { return fmt.Sprintf("own:%s:%d", c.name, c.IntN(ownKeys)) }

func send(conn *goredis.Client, key string, n int64) error {
	ctx := context.Background()
	switch n {
	case 1:
		return conn.Incr(ctx, key).Err()
	case -1:
		return conn.Decr(ctx, key).Err()
	default:
		return conn.IncrBy(ctx, key, n).Err()
	}
}

// readOwn: whoever is the only one to write a counter finds there what was acknowledged, through any fault.
func (c *caller) readOwn(conn *goredis.Client) error {
	key := c.own()
	n, err := get(conn, key)
	if err == nil && !c.behind.Load() {
		err = wrong(c.within(key, n))
	}
	return err
}

// readGrowing: a counter that only grows shows nowhere more than was sent.
func (c *caller) readGrowing(conn *goredis.Client) error {
	key := fmt.Sprintf("grow:%d", c.IntN(sharedKeys))
	n, err := get(conn, key)
	if err == nil {
		err = wrong(c.below(key, n))
	}
	return err
}

func wrong(err error) error {
	if err != nil {
		return wrongValue{err}
	}
	return nil
}

func get(conn *goredis.Client, key string) (int64, error) {
	n, err := conn.Get(context.Background(), key).Int64()
	if errors.Is(err, goredis.Nil) {
		return 0, nil
	}
	return n, err
}
