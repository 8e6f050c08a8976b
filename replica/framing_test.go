package replica

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Frames at their limits and beyond them, and what is none, byte by byte. What is refused is so at the first byte that shows it.
func TestFraming(t *testing.T) {
	deep := strings.Repeat("*1\r\n", maxDepth)
	for _, c := range []struct {
		name, good, bad string // bad: from here on
	}{
		{"a reply", "+OK\r\n-ERR no\r\n:5\r\n$2\r\nhi\r\n*2\r\n$-1\r\n:1\r\n*-1\r\n*0\r\n", ""},
		{"bytes of a string are not looked at", "$6\r\n$99\r\n!\r\n+OK\r\n", ""},
		{"an empty string", "$0\r\n\r\n", "x\r\n"},
		{"the longest string", fmt.Sprintf("$%d\r\n", maxString), ""},
		{"a longer one", "", fmt.Sprintf("$%d\r\n", maxString+1)},
		{"a length beyond int64", "", "$99999999999999999999\r\n"},
		{"the longest array", fmt.Sprintf("*%d\r\n", maxArray), ""},
		{"a longer one", "", fmt.Sprintf("*%d\r\n", maxArray+1)},
		{"the deepest", deep + ":1\r\n", ""},
		{"a deeper one", deep, "*1\r\n"},
		{"arrays that are complete are not deep", strings.Repeat("*1\r\n:1\r\n", 2*maxDepth), ""},
		{"nor such as end with one", "*2\r\n:1\r\n*2\r\n:1\r\n*1\r\n*0\r\n" + deep + ":1\r\n", ""},
		{"the longest line", "+" + strings.Repeat("x", maxLine-3) + "\r\n", ""},
		{"a longer one", "+" + strings.Repeat("x", maxLine-1), "x"},
		{"other lengths of null", "", "$-2\r\n"},
		{"a length with a sign", "", "$+1\r\n"},
		{"a length that is none", "", "*x\r\n"},
		{"no length", "", "$\r\n"},
		{"no CR", "", "+OK\n"},
		{"an empty line", "", "\r\n"},
		{"half a line end", "", "\n"},
		{"RESP3", "", "%1\r\n"},
		{"another protocol", "", "HTTP/1.1 200 OK\r\n"},
	} {
		var f framing
		for i := range len(c.good) {
			if err := f.follow([]byte{c.good[i]}); err != nil {
				t.Fatalf("%s: at byte %d of %.50q: %v", c.name, i, c.good, err)
			}
		}
		var err error
		for i := 0; i < len(c.bad) && err == nil; i++ {
			err = f.follow([]byte{c.bad[i]})
		}
		if wrong := framingError(""); errors.As(err, &wrong) != (c.bad != "") {
			t.Errorf("%s: %.50q: %v", c.name, c.bad, err)
		}
	}
}

// A connection gives nothing on of what is no frame.
func TestFramedConn(t *testing.T) {
	for sent, want := range map[string]string{"+OK\r\n": "+OK\r\n", "HTTP\r\n": ""} {
		ours, peer := net.Pipe()
		go func() {
			_, _ = peer.Write([]byte(sent)) // the other end sees what came of it
			_ = peer.Close()
		}()
		b := make([]byte, 100)
		n, err := (impatient(ours, time.Minute)).Read(b)
		if got := string(b[:n]); got != want || (err != nil) != (want == "") {
			t.Errorf("Read of %q = %q, %v; want %q", sent, got, err, want)
		}
		if err := ours.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whoever is silent, or does not read, for longer than patience is let go of.
func TestFramedConnLosesPatience(t *testing.T) {
	for name, do := range map[string]func(*framedConn, []byte) (int, error){"Read": (*framedConn).Read, "Write": (*framedConn).Write} {
		ours, peer := net.Pipe()
		n, err := do(impatient(ours, time.Nanosecond), []byte("x"))
		if timeout := net.Error(nil); n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s = %d, %v; want a timeout", name, n, err)
		}
		if err := errors.Join(ours.Close(), peer.Close()); err != nil {
			t.Error(err)
		}
	}
}

func impatient(conn net.Conn, patience time.Duration) *framedConn {
	c := &framedConn{Conn: conn, patience: new(atomic.Int64)}
	c.patience.Store(int64(patience))
	return c
}
