package server

import (
	"net"
	"syscall"
	"testing"
)

// TestKeepAlive: what is set holds for the connections to come.
func TestKeepAlive(t *testing.T) {
	r := serve(t, Options{}, nil)
	for _, test := range []struct {
		set      string
		on, idle int
	}{
		{"", 1, 300}, {"60", 1, 60}, {"0", 0, 0},
	} {
		p := r.dial(t)
		if test.set != "" {
			p.send("CONFIG SET tcp-keepalive " + test.set + "\r\n")
			p.want("+OK\r\n")
			p = r.dial(t)
		}
		p.send("PING\r\n")
		p.want("+PONG\r\n")
		on, idle := keepAliveOf(t, r.Server, p.LocalAddr())
		if on != test.on || test.on == 1 && idle != test.idle {
			t.Errorf("with tcp-keepalive %q: SO_KEEPALIVE = %d, TCP_KEEPIDLE = %d; want %d, %d", test.set, on, idle, test.on, test.idle)
		}
	}
}

// keepAliveOf asks the server's socket of the connection that comes from a.
func keepAliveOf(t *testing.T, s *Server, a net.Addr) (on, idle int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.sock.RemoteAddr().String() != a.String() {
			continue
		}
		err := c.sock.wire.raw.Control(func(fd uintptr) {
			on, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
			idle, _ = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
		})
		if err != nil {
			t.Fatalf("Control = %v", err)
		}
		return on, idle
	}
	t.Fatalf("no connection from %v", a)
	return 0, 0
}
