package replica

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// Limits of what a peer may send as one reply. The client reserves memory for a string or array as soon as it has read its
// length, and descends into arrays as deep as they go.
const (
	maxString = 1 << 30
	maxArray  = 1 << 20
	maxDepth  = 4
	maxLine   = 64 << 10
)

// framingError says what is not a frame of RESP2, or beyond the limits. It wraps nothing, because the client shows only
// what is wrapped of the errors of a connection that it has just made.
type framingError string

func (e framingError) Error() string { return "not a reply of this protocol: " + string(e) }

func malformed(format string, args ...any) error { return framingError(fmt.Sprintf(format, args...)) }

// framing follows the frames of RESP2 in a stream of bytes, and finds the first that is malformed or beyond the limits.
type framing struct {
	line []byte  // so far, of the line that is being read
	skip int64   // bytes of a string still to come, with its CR LF
	open []int64 // elements still to come, of arrays within arrays
}

// follow looks at the next bytes.
func (f *framing) follow(b []byte) error {
	for len(b) > 0 {
		if f.skip > 0 {
			n := min(f.skip, int64(len(b)))
			f.skip -= n
			b = b[n:]
			continue
		}
		c := b[0]
		b = b[1:]
		f.line = append(f.line, c)
		if len(f.line) > maxLine {
			return malformed("a line of more than %d bytes", maxLine)
		}
		if c != '\n' {
			continue
		}
		if err := f.header(); err != nil {
			return err
		}
		f.line = f.line[:0]
	}
	return nil
}

// header looks at a complete line.
func (f *framing) header() error {
	if len(f.line) < 3 || f.line[len(f.line)-2] != '\r' {
		return malformed("%.50q", f.line)
	}
	f.element()
	switch f.line[0] {
	case '+', '-', ':':
		return nil
	case '$':
		n, err := f.length(maxString)
		if n >= 0 {
			f.skip = n + 2
		}
		return err
	case '*':
		n, err := f.length(maxArray)
		if n > 0 {
			f.open = append(f.open, n)
		}
		if err == nil && len(f.open) > maxDepth {
			err = malformed("arrays %d deep", len(f.open))
		}
		return err
	}
	return malformed("%.50q", f.line)
}

// element counts one off the innermost array that is not complete.
func (f *framing) element() {
	for len(f.open) > 0 && f.open[len(f.open)-1] == 0 {
		f.open = f.open[:len(f.open)-1]
	}
	if len(f.open) > 0 {
		f.open[len(f.open)-1]--
	}
}

// length reads the number of a header; -1 is that of null.
func (f *framing) length(limit int64) (n int64, err error) {
	digits := f.line[1 : len(f.line)-2]
	if string(digits) == "-1" {
		return -1, nil
	}
	for _, c := range digits {
		if n = n*10 + int64(c-'0'); c < '0' || c > '9' || n > limit {
			return -1, malformed("a length of %.50q", digits)
		}
	}
	if len(digits) == 0 {
		return -1, malformed("no length")
	}
	return n, nil
}

// framedConn is a connection whose peer is not trusted to speak RESP2, nor to say anything at all: a read or write fails
// when nothing has moved for as long as patience.
type framedConn struct {
	net.Conn
	patience *atomic.Int64 // a time.Duration
	framing  framing
}

func (c *framedConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(time.Duration(c.patience.Load()))); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if bad := c.framing.follow(b[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

func (c *framedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(time.Duration(c.patience.Load()))); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
