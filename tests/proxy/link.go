package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Of each direction of a connection at most queued chunks wait to be delivered: a receiver that does not read stops the sender.
const (
	queued    = 64
	chunkSize = 16 << 10
)

// link is one connection: two of TCP.
type link struct {
	proxy *Proxy
	torn  atomic.Bool   // bytes are missing: it must never deliver again
	done  chan struct{} // closed at its end

	mu    sync.Mutex
	conns []net.Conn
	ended bool
}

// keep closes c when the link ends.
func (l *link) keep(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	if l.ended {
		c.Close() // nobody is left to tell
	}
}

// end breaks the connection; it may have ended before.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.done)
	for _, c := range l.conns {
		c.Close() // as a break does: nobody is left to tell
	}
}

// chunk is what was read at once, and when.
type chunk struct {
	data []byte
	read time.Time
}

// carry moves what src sends to dst until one of them ends.
func (l *link) carry(dst, src net.Conn, d Direction) {
	queue := make(chan chunk, queued)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(queue)
		if err := l.read(src, queue); !errors.Is(err, io.EOF) {
			l.end()
		}
	})
	for c := range queue {
		if err := l.deliver(dst, c, d); err != nil {
			l.end()
		}
	}
	reading.Wait()
	if c, ok := dst.(interface{ CloseWrite() error }); !ok || c.CloseWrite() != nil { // the other direction may go on
		l.end()
	}
}

func (l *link) read(src net.Conn, queue chan<- chunk) error {
	for {
		buf := make([]byte, chunkSize)
		n, err := src.Read(buf)
		if n > 0 {
			select {
			case queue <- chunk{buf[:n], time.Now()}:
			case <-l.done:
				return net.ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes a chunk when the network lets it pass.
func (l *link) deliver(dst net.Conn, c chunk, d Direction) error {
	for {
		f, changed := l.proxy.state()
		if f.swallow[d] {
			l.torn.Store(true)
		}
		if l.torn.Load() {
			return nil
		}
		wait := time.Until(c.read.Add(f.delay))
		if wait <= 0 && !f.silent {
			if err := l.pause(len(c.data), f.rate); err != nil {
				return err
			}
			n, err := dst.Write(c.data)
			l.proxy.bytes[d].Add(int64(n))
			return err
		}
		var due <-chan time.Time
		if !f.silent {
			due = time.After(wait)
		}
		select {
		case <-due:
		case <-changed:
		case <-l.done:
			return net.ErrClosed
		}
	}
}

// pause waits as long as n bytes take at a rate.
func (l *link) pause(n, rate int) error {
	if rate <= 0 {
		return nil
	}
	select {
	case <-time.After(time.Duration(n) * time.Second / time.Duration(rate)):
		return nil
	case <-l.done:
		return net.ErrClosed
	}
}
