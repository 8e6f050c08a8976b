package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"atomiccounter/tests/proxy"
)

// measureTransfer: a replica with an empty store joins one that has many keys and no log of them.
func measureTransfer(l *lab) error {
	a, err := l.start()
	if err != nil {
		return err
	}
	if err := fill(a.Addr, l.state); err != nil {
		return err
	}
	if err := l.restart(a); err != nil { // what the load left in memory is not the transfer's
		return err
	}
	b, err := l.start()
	if err != nil {
		return err
	}
	token, err := a.settle()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	source, follower := watch(ctx, a), watch(ctx, b)
	began := time.Now()
	p, err := l.link(b, a)
	if err == nil {
		err = b.has(token)
	}
	took := time.Since(began)
	cancel()
	of, to := <-source, <-follower
	if err := errors.Join(err, of.err, to.err); err != nil {
		return err
	}
	if n, err := b.DBSize(context.Background()).Result(); err != nil || n != int64(l.state) {
		return fmt.Errorf("DBSIZE = %d, %v; want %d", n, err, l.state)
	}
	row(fmt.Sprintf("state transfer of %d keys", l.state), fmt.Sprintf("%s, %.0f k keys/s", seconds(took), float64(l.state)/took.Seconds()/1000), "")
	row("… bytes on the wire per key", fmt.Sprintf("%.1f", float64(p.Bytes(proxy.Reply))/float64(l.state)), "")
	row("… memory above idle: source", of.String(), "< 200 MiB")
	row("… memory above idle: receiver", to.String(), "< 200 MiB")
	return nil
}

// growth is the resident memory of a server, before and at most.
type growth struct {
	idle, most int64
	err        error
}

func (g growth) String() string {
	return fmt.Sprintf("%d MiB (%d → %d)", (g.most-g.idle)>>20, g.idle>>20, g.most>>20)
}

// watch looks at a server's memory until ctx ends.
func watch(ctx context.Context, r *replica) <-chan growth {
	result := make(chan growth, 1)
	var g growth
	if g.idle, _, g.err = r.RSS(); g.err != nil {
		result <- g
		return result
	}
	go func() {
		g.err = every(ctx, 20*time.Millisecond, func() error {
			now, _, err := r.RSS()
			g.most = max(g.most, now)
			return err
		})
		result <- g
	}()
	return result
}
