// Package proxy is a TCP proxy that stands for a bad network. It is put between a replica and the peer that it pulls from,
// or between a client and its server, and then delays, cuts, silences, swallows and throttles what passes.
//
// A fault holds until the next call that changes it; Heal ends all. What a healed connection has delivered is always a
// prefix of what was sent: a connection of which bytes were swallowed never delivers again, and Heal breaks it.
package proxy

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is one of the two ways that bytes go.
type Direction int

const (
	Request Direction = iota // from who dialed the proxy to the target
	Reply                    // and back
)

// fault is what is wrong with the network now.
type fault struct {
	cut     bool    // no connection lives, and new ones are closed at once
	silent  bool    // connections are accepted, nothing passes; what is sent waits
	swallow [2]bool // by direction: bytes vanish
	delay   time.Duration
	rate    int // bytes a second and direction of a connection; 0: no limit
}

// Proxy listens on a loopback port and forwards to its target, which may change.
type Proxy struct {
	Addr string // host:port

	listener net.Listener
	running  sync.WaitGroup
	bytes    [2]atomic.Int64
	accepted atomic.Int64

	mu      sync.Mutex
	target  string
	fault   fault
	changed chan struct{} // closed when fault changes next
	links   map[*link]struct{}
	closed  bool
}

// Listen starts a proxy. While the target is empty, it has nobody to connect to.
func Listen(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), listener: l, target: target, changed: make(chan struct{}), links: make(map[*link]struct{})}
	p.running.Go(p.accept)
	return p, nil
}

// Close breaks all connections and waits until all that the proxy has started has ended.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.breakLinks(all)
	p.running.Wait()
	return err
}

// Retarget sets where new connections go: a server that was started again listens elsewhere.
func (p *Proxy) Retarget(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

// Cut breaks all connections and refuses new ones.
func (p *Proxy) Cut() {
	p.change(func(f *fault) { f.cut = true })
	p.breakLinks(all)
}

// Silence lets connections live, and new ones be accepted, but nothing passes; what is sent waits for Heal.
func (p *Proxy) Silence() { p.change(func(f *fault) { f.silent = true }) }

// Swallow takes the bytes of one direction and delivers nothing of it: the sender sees no fault.
func (p *Proxy) Swallow(d Direction) { p.change(func(f *fault) { f.swallow[d] = true }) }

// Delay delivers everything later by d, each way.
func (p *Proxy) Delay(d time.Duration) { p.change(func(f *fault) { f.delay = d }) }

// Throttle bounds the bytes that each connection carries in a second, each way.
func (p *Proxy) Throttle(bytes int) { p.change(func(f *fault) { f.rate = bytes }) }

// Heal ends all faults. Connections of which bytes are missing break.
func (p *Proxy) Heal() {
	p.change(func(f *fault) { *f = fault{} })
	p.breakLinks(func(l *link) bool { return l.torn.Load() })
}

// Bytes is how many have been delivered in one direction.
func (p *Proxy) Bytes(d Direction) int64 { return p.bytes[d].Load() }

// Accepted is how many connections there have been.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

func (p *Proxy) change(f func(*fault)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.fault)
	close(p.changed)
	p.changed = make(chan struct{})
}

// state is the fault, and what is closed when it changes.
func (p *Proxy) state() (fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, p.changed
}

func all(*link) bool { return true }

func (p *Proxy) breakLinks(which func(*link) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if which(l) {
			l.end()
		}
	}
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of one connection, which is gone
			continue
		}
		p.accepted.Add(1)
		p.running.Go(func() { p.serve(c) })
	}
}

// serve runs one connection to its end.
func (p *Proxy) serve(c net.Conn) {
	l := &link{proxy: p, done: make(chan struct{})}
	l.keep(c)
	if !p.enter(l) {
		l.end()
		return
	}
	defer p.leave(l)
	target, ok := p.dial(l)
	if !ok {
		return
	}
	l.keep(target)
	var both sync.WaitGroup
	both.Go(func() { l.carry(target, c, Request) })
	both.Go(func() { l.carry(c, target, Reply) })
	both.Wait()
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.fault.cut {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.end()
}

// dial connects a link to the target, once the network is not silent.
func (p *Proxy) dial(l *link) (net.Conn, bool) {
	for {
		f, changed := p.state()
		if !f.silent {
			break
		}
		select {
		case <-changed:
		case <-l.done:
			return nil, false
		}
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	if target == "" {
		return nil, false
	}
	c, err := net.DialTimeout("tcp", target, 5*time.Second)
	return c, err == nil
}
