package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const bufferSize = 16 << 10

// bufferPool lends buffers of bufferSize to the connections that are busy, so that those that are idle hold none.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:0]
	}
	return make([]byte, 0, bufferSize)
}

// put takes b back, unless it has grown. The caller uses it no more.
func (p *bufferPool) put(b []byte) {
	if cap(b) == bufferSize {
		p.pool.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}

// socket is a network connection with two additions: it holds no buffer while it waits for input, and a write does not wait.
// One goroutine at a time may read, and one may write.
//
// Under TLS it holds a buffer: what it receives is decrypted into that. What waits to be sent is encrypted already.
type socket struct {
	net.Conn           // reads and writes; of TLS, if there is
	wire     *wire     // the connection itself
	tls      *tls.Conn // nil: plain
	buffers  *bufferPool

	in      []byte // received, not yet consumed
	readErr error
	receive func(fd uintptr) bool // a method value, made once so that no call allocates
}

// newSocket makes one; queued is told of how many bytes more wait to be sent, or fewer.
func newSocket(nc net.Conn, buffers *bufferPool, secure *tls.Config, queued func(n int64)) (*socket, error) {
	w, err := newWire(nc, buffers, queued)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: w, wire: w, buffers: buffers}
	if secure != nil {
		s.tls = tls.Server(w, secure)
		s.Conn = s.tls
	}
	s.receive = s.tryReceive
	return s, nil
}

func rawConn(nc net.Conn) (syscall.RawConn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("connection of type %T has no descriptor", nc)
	}
	return sc.SyscallConn()
}

// fill waits for input and appends it to s.in. What is there is kept, in a larger buffer if need be.
func (s *socket) fill() error {
	if s.in != nil && len(s.in) == cap(s.in) {
		s.grow()
	}
	if s.tls != nil {
		return s.fillSecure()
	}
	if err := s.wire.raw.Read(s.receive); err != nil {
		return err
	}
	return s.readErr
}

// poll takes what is there, if anything is, and does not wait.
func (s *socket) poll() error {
	if s.in != nil && len(s.in) == cap(s.in) {
		s.grow()
	}
	if s.tls != nil {
		return s.pollSecure()
	}
	received := false
	if err := s.wire.raw.Control(func(fd uintptr) { received = s.receive(fd) }); err != nil || !received {
		return err
	}
	return s.readErr
}

// interrupt makes a goroutine that waits in fill or idle return os.ErrDeadlineExceeded, now or when it is called next. Any goroutine may
// call it.
func (s *socket) interrupt() error { return s.SetReadDeadline(time.Unix(1, 0)) }

// idle waits to be interrupted, and reads nothing. It does not notice when the client goes.
func (s *socket) idle() error {
	return s.wire.raw.Read(func(uintptr) bool { return false })
}

func (s *socket) grow() {
	in := make([]byte, len(s.in), 2*cap(s.in))
	copy(in, s.in)
	s.buffers.put(s.in)
	s.in = in
}

// tryReceive reads what is there; false: nothing is.
func (s *socket) tryReceive(fd uintptr) bool {
	if s.in == nil {
		s.in = s.buffers.get()
	}
	n, err := retry(sysRead, int(fd), s.in[len(s.in):cap(s.in)])
	if errors.Is(err, syscall.EAGAIN) {
		s.keep(s.in)
		return false
	}
	s.in = s.in[:len(s.in)+max(n, 0)]
	if s.readErr = err; err == nil && n == 0 {
		s.readErr = io.EOF
	}
	return true
}

// keep makes rest, the end of s.in, all of s.in, in a buffer no larger than it need be.
func (s *socket) keep(rest []byte) {
	switch {
	case len(rest) == 0:
		s.buffers.put(s.in)
		s.in = nil
	case cap(s.in) > bufferSize && len(rest) <= bufferSize/2:
		s.in = append(s.buffers.get(), rest...)
	case len(rest) < len(s.in):
		s.in = s.in[:copy(s.in, rest)]
	}
}

// write sends b, now or as the client takes it.
func (s *socket) write(b []byte) error {
	_, err := s.Write(b)
	return err
}

// end closes the connection, though a goroutine may wait for it. It may be called by any goroutine, and again. It waits for nothing, so
// under TLS the client is not told: that is farewell's part.
func (s *socket) end() error { return shut(s.wire.Conn) }

// retry repeats a system call that a signal interrupted.
func retry(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		n, err := call(fd, b)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
