package server

import (
	"io"
	"net"
	"syscall"
	"testing"
)

// TestQuitEndsWithItsReply: a client that has read the reply to QUIT finds the connection closed, and does not send once more.
func TestQuitEndsWithItsReply(t *testing.T) {
	r := serve(t, Options{}, nil)
	for range 50 {
		p := r.dial(t)
		p.send("QUIT\r\n")
		if _, err := io.ReadFull(p.Conn, make([]byte, len("+OK\r\n"))); err != nil {
			t.Fatal(err)
		}
		raw, err := p.Conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var n int
		var failed error
		if err := raw.Control(func(fd uintptr) { n, failed = syscall.Read(int(fd), make([]byte, 1)) }); err != nil {
			t.Fatal(err)
		}
		if n != 0 || failed != nil {
			t.Fatalf("read after the reply to QUIT = %d, %v; want the end", n, failed)
		}
	}
}
