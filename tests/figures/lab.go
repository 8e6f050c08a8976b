package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tests/process"
	"atomiccounter/tests/proxy"
)

// patience bounds every wait: a figure that takes longer has failed.
const patience = 10 * time.Minute

// lab is the servers of one figure.
type lab struct {
	sizes
	program  process.Program
	dir      string
	replicas []*replica
	proxies  []*proxy.Proxy
}

// replica is a server, and a client of it.
type replica struct {
	*process.Server
	*goredis.Client
	args []string
}

// start runs a server with an empty store, which shows foreign data at once.
func (l *lab) start(args ...string) (*replica, error) {
	dir, err := os.MkdirTemp(l.dir, "store-")
	if err != nil {
		return nil, err
	}
	r := &replica{args: append([]string{"--update-period", "0"}, args...)}
	if err := r.run(l.program, dir); err != nil {
		return nil, err
	}
	l.replicas = append(l.replicas, r)
	return r, nil
}

func (r *replica) run(p process.Program, dir string) (err error) {
	if r.Server, err = p.Start(dir, r.args...); err != nil {
		return err
	}
	r.Client = goredis.NewClient(&goredis.Options{Addr: r.Addr, MaxRetries: -1, ReadTimeout: patience})
	return nil
}

// restart gives a server whose memory holds nothing of what it did before.
func (l *lab) restart(r *replica) error {
	if err := errors.Join(r.Close(), r.Stop()); err != nil {
		return err
	}
	return r.run(l.program, r.Dir)
}

// end ends all servers.
func (l *lab) end() (err error) {
	for _, r := range l.replicas {
		err = errors.Join(err, r.Close(), r.Kill(), os.RemoveAll(r.Dir))
	}
	for _, p := range l.proxies {
		err = errors.Join(err, p.Close())
	}
	return err
}

// link has one replica pull from another, through a proxy that counts bytes.
func (l *lab) link(to, from *replica) (*proxy.Proxy, error) {
	p, err := proxy.Listen(from.Addr)
	if err != nil {
		return nil, err
	}
	l.proxies = append(l.proxies, p)
	return p, to.pull(p.Addr)
}

// pull has a replica pull from an address.
func (r *replica) pull(addr string) error {
	return r.Do(context.Background(), "CPEER", "ADD", addr).Err()
}

// token is what a replica shows now.
func (r *replica) token() (string, error) {
	return r.Do(context.Background(), "CTOKEN").Text()
}

// has waits until a replica shows what a token stands for.
func (r *replica) has(token string) error {
	n, err := r.Do(context.Background(), "CWAIT", token, patience.Milliseconds()).Int()
	if err == nil && n != 1 {
		err = fmt.Errorf("CWAIT: not there after %v\n%s", patience, r.Log())
	}
	return err
}

// settle waits until all that a replica shows is durable and offered to peers, and gives the token of it.
func (r *replica) settle() (string, error) {
	token, err := r.token()
	if err != nil {
		return "", err
	}
	return token, r.has(token)
}

// The load that fills a server.
const (
	fillConnections = 2
	fillPipeline    = 500
)

// fill increments n distinct keys of 16 bytes once each.
func fill(addr string, n int) error {
	var running sync.WaitGroup
	errs := make(chan error, fillConnections)
	for i := range fillConnections {
		first, end := n*i/fillConnections, n*(i+1)/fillConnections
		running.Go(func() { errs <- increment(addr, first, end) })
	}
	running.Wait()
	var err error
	for range fillConnections {
		err = errors.Join(err, <-errs)
	}
	return err
}

// increment sends INCRs of the keys from first to end in pipelines.
func increment(addr string, first, end int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var b []byte
	for first < end {
		count := min(fillPipeline, end-first)
		b = b[:0]
		for k := range count {
			b = fmt.Appendf(b, "*2\r\n$4\r\nINCR\r\n$16\r\nkey:%012d\r\n", first+k)
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		for range count {
			if line, err := r.ReadString('\n'); err != nil || line[0] != ':' {
				return fmt.Errorf("INCR = %q, %v; want an integer", line, err)
			}
		}
		first += count
	}
	return nil
}
