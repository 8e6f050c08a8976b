package main

import (
	"context"
	"fmt"
	"time"

	"atomiccounter/tests/proxy"
)

// measureMissed: a follower is cut off while its peer counts on many keys; how fast does it catch up, and over how many bytes?
func measureMissed(l *lab) error {
	a, err := l.start()
	if err != nil {
		return err
	}
	b, err := l.start()
	if err != nil {
		return err
	}
	p, err := l.link(b, a)
	if err != nil {
		return err
	}
	if err := a.Incr(context.Background(), "first").Err(); err != nil {
		return err
	}
	token, err := a.settle()
	if err != nil {
		return err
	}
	if err := b.has(token); err != nil {
		return err
	}
	p.Cut()
	if err := fill(a.Addr, l.missed); err != nil {
		return err
	}
	if token, err = a.settle(); err != nil {
		return err
	}
	bytes, tries := p.Bytes(proxy.Reply), p.Accepted()
	p.Heal()
	if err := reconnected(p, tries); err != nil {
		return err
	}
	before, err := b.CPU()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.has(token); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := b.CPU()
	if err != nil {
		return err
	}
	bytes = p.Bytes(proxy.Reply) - bytes
	row(fmt.Sprintf("catch-up with %d keys missed, once connected", l.missed), seconds(took), "")
	row("… distinct keys applied in a second", fmt.Sprintf("%.0f k", float64(l.missed)/took.Seconds()/1000), "≥ 200 k")
	row("… CPU of the follower", seconds(after-before), "")
	row("… bytes on the wire per key of 16 bytes", fmt.Sprintf("%.1f", float64(bytes)/float64(l.missed)), "≤ 64")
	return nil
}

// reconnected waits until the follower, which tries less often the longer it has been cut off, has a connection again.
func reconnected(p *proxy.Proxy, tries int64) error {
	for began := time.Now(); p.Accepted() == tries; time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			return fmt.Errorf("no connection in %v", patience)
		}
	}
	return nil
}
