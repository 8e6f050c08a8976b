package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// measureIdle: how long after INCR is sent to one replica does GET at its peer show it, when nothing else is going on?
func measureIdle(l *lab) error {
	a, err := l.start()
	if err != nil {
		return err
	}
	b, err := l.start()
	if err != nil {
		return err
	}
	if err := b.pull(a.Addr); err != nil {
		return err
	}
	var times []time.Duration
	for n := range l.samples + 1 {
		took, err := propagation(a, b, int64(n+1))
		if err != nil {
			return err
		}
		if n > 0 { // the first one made the connections
			times = append(times, took)
		}
		time.Sleep(time.Duration(10+rand.IntN(30)) * time.Millisecond) // any phase of whatever goes on periodically
	}
	row("INCR → visible at the peer, idle link, p50", millis(quantile(times, 0.5)), "")
	row("… p99", millis(quantile(times, 0.99)), "≤ 20 ms")
	return nil
}

// propagation increments a counter, which becomes n, and looks for that at the peer.
func propagation(a, b *replica, n int64) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	if err := a.Incr(ctx, "probe").Err(); err != nil {
		return 0, err
	}
	for {
		v, err := seen(ctx, b)
		if err != nil {
			return 0, err
		}
		if v >= n {
			return time.Since(began), nil
		}
	}
}

// quantile of some times, which are put in order.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
