package main

import (
	"context"
	"errors"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// How often a probe is incremented, and looked for.
const (
	probeEvery = 20 * time.Millisecond
	lookEvery  = 4 * time.Millisecond
)

// probe increments a counter at a replica again and again, and finds out how late its peers show it.
type probe struct {
	source    *replica
	followers []*replica

	mu   sync.Mutex
	sent []time.Time       // of each increment: the first one makes the counter 1
	lags [][]time.Duration // by follower, of each increment that it shows
}

func newProbe(source *replica, followers ...*replica) *probe {
	return &probe{source: source, followers: followers, lags: make([][]time.Duration, len(followers))}
}

// run probes until ctx ends.
func (p *probe) run(ctx context.Context) error {
	var running sync.WaitGroup
	errs := make(chan error, 1+len(p.followers))
	running.Go(func() { errs <- every(ctx, probeEvery, p.send) })
	for i := range p.followers {
		running.Go(func() { errs <- every(ctx, lookEvery, func() error { return p.look(i) }) })
	}
	running.Wait()
	var err error
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	return err
}

func every(ctx context.Context, period time.Duration, do func() error) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := do(); err != nil {
				return err
			}
		}
	}
}

func (p *probe) send() error {
	p.mu.Lock()
	p.sent = append(p.sent, time.Now())
	p.mu.Unlock()
	return p.source.Incr(context.Background(), "probe").Err()
}

func (p *probe) look(i int) error {
	n, err := seen(context.Background(), p.followers[i])
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for k := len(p.lags[i]); k < int(n); k++ {
		p.lags[i] = append(p.lags[i], now.Sub(p.sent[k]))
	}
	return nil
}

// seen is the probe as a replica shows it.
func seen(ctx context.Context, r *replica) (int64, error) {
	n, err := r.Get(ctx, "probe").Int64()
	if errors.Is(err, goredis.Nil) {
		return 0, nil
	}
	return n, err
}

// all are the lags of all followers, so far.
func (p *probe) all() (lags []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lags {
		lags = append(lags, l...)
	}
	return lags
}

// calm waits until every follower shows an increment within a time after it was sent, of those sent from now on.
func (p *probe) calm(within time.Duration) (time.Duration, error) {
	began := time.Now()
	p.mu.Lock()
	first := len(p.sent)
	p.mu.Unlock()
	for time.Since(began) < patience {
		if p.isCalm(first, within) {
			return time.Since(began), nil
		}
		time.Sleep(lookEvery)
	}
	return 0, errors.New("the followers never catch up")
}

func (p *probe) isCalm(first int, within time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lags {
		if len(l) <= first || l[len(l)-1] > within {
			return false
		}
	}
	return true
}
