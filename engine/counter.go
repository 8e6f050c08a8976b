package engine

import (
	"context"
	"sync/atomic"
	"time"
)

// Counter is a handle on one counter of database 0. Any number of handles, on the same key too, may be used by any number
// of goroutines: there is one entry per key behind them.
type Counter struct {
	e      *Engine
	key    []byte
	period int64 // ms; negative: the engine's
	entry  atomic.Pointer[entry]
}

// Counter gives a handle. The counter comes into being with its first increment.
func (e *Engine) Counter(key string) *Counter {
	return &Counter{e: e, key: []byte(key), period: -1}
}

// WithUpdatePeriod gives a handle on the same counter with an update period of its own, rounded up to ms; AlwaysFresh and
// 0 both mean that foreign data shows at the next Get.
func (c *Counter) WithUpdatePeriod(d time.Duration) *Counter {
	return &Counter{e: c.e, key: c.key, period: millis(d)}
}

// Increment adds n, negative for a ZCounter only, and gives the new value. When it returns without an error the increment
// is durable as far as the engine's mode says. If ctx ends while Always waits for the disk, the increment has been made
// and may be durable.
func (c *Counter) Increment(ctx context.Context, n int64) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := c.pipeline()
	v, err := p.Incr(c.key, n)
	return v, c.finish(ctx, p, err)
}

// IncrementOnce is Increment, but counts only once for a token: a call with the same again within its life, in this
// run of the process or a later one, gets the value that the first got. So a caller that does not know whether an increment was made
// calls again. life is counted from the first call on, is rounded up to ms, and is at most a day; 0 means ten minutes. The token
// has 1 to 128 bytes, and belongs to this counter. What fails is not remembered. Errors of its own are ErrTokenSize, ErrTokenLife
// and, for another n than the first, ErrTokenUsed.
func (c *Counter) IncrementOnce(ctx context.Context, n int64, token string, life time.Duration) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ms := int64(TokenLife)
	if life != 0 {
		ms = millis(life)
	}
	p := c.pipeline()
	v, _, err := p.IncrOnce(c.key, []byte(token), n, ms)
	return v, c.finish(ctx, p, err)
}

// Get gives the value, 0 where there is none.
func (c *Counter) Get(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := c.pipeline()
	v, _, err := p.Get(c.key)
	return v, c.finish(ctx, p, err)
}

func (c *Counter) pipeline() *Pipeline {
	p := c.e.pools.pipes.Get().(*Pipeline)
	p.DB, p.update, p.hint = 0, c.period, c.entry.Load()
	return p
}

// finish commits what p did, with the error it gave, and waits until that is as durable as the engine's mode asks.
func (c *Counter) finish(ctx context.Context, p *Pipeline, err error) error {
	if e := p.hint; e != c.entry.Load() {
		c.entry.Store(e) // memory that an evicted entry holds until the next use: one entry per handle
	}
	p.hint = nil
	pos, commitErr := p.Commit()
	c.e.pools.pipes.Put(p)
	if err != nil {
		return err
	}
	if commitErr != nil || c.e.Sync() != Always {
		return commitErr
	}
	return c.e.wait(ctx, pos)
}

type waitChan chan error

func (w waitChan) Durable(err error) { w <- err }

// wait returns once the journal is durable up to pos.
func (e *Engine) wait(ctx context.Context, pos Position) error {
	if e.Durable() >= pos {
		return nil
	}
	w := make(waitChan, 1)
	e.Notify(pos, w)
	select {
	case err := <-w:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
