package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds each wait for a server's reply.
const patience = 20 * time.Second

// reply is one RESP value, of either version, and the bytes it came as.
type reply struct {
	raw   []byte
	mark  byte   // the first byte: + - : $ * _ , # ! = ( % ~ >
	text  string // of what has no parts; without length and line end
	null  bool
	parts []reply // of arrays, sets, pushes; of maps, keys and values in turn
}

// String is for messages: long replies are cut.
func (r reply) String() string {
	if more := len(r.raw) - 500; more > 0 {
		return fmt.Sprintf("%q(and %d bytes)", r.raw[:500], more)
	}
	return strconv.Quote(string(r.raw))
}

// isError: errors are compared to the letter wherever the rest is not.
func (r reply) isError() bool { return r.mark == '-' || r.mark == '!' }

// texts are those of the parts.
func (r reply) texts() []string {
	s := make([]string, len(r.parts))
	for i, p := range r.parts {
		s[i] = p.text
	}
	return s
}

// int is the value of an integer reply or of a string that holds an integer.
func (r reply) int() (int64, error) {
	if r.isError() || r.null {
		return 0, fmt.Errorf("reply %v is no integer", r)
	}
	return strconv.ParseInt(r.text, 10, 64)
}

// conn is a raw connection: what is sent and received is known to the byte.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

// connect dials until the test ends.
func connect(t *testing.T, addr string) *conn {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) // a second Close of a connection that the test closed fails, and may
	return c
}

// appendCommand encodes args as a RESP array of strings.
func appendCommand(b []byte, args ...string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// do sends a command and reads its reply.
func (c *conn) do(args ...string) (reply, error) {
	if err := c.send(appendCommand(nil, args...)); err != nil {
		return reply{}, err
	}
	return c.read()
}

func (c *conn) send(b []byte) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := c.Write(b)
	return err
}

// read reads one reply.
func (c *conn) read() (reply, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, err
	}
	return readReply(c.r)
}

func readReply(r *bufio.Reader) (reply, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return reply{}, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return reply{}, fmt.Errorf("reply line %q does not end with CR LF", line)
	}
	p := reply{raw: []byte(line), mark: line[0], text: line[1 : len(line)-2]}
	switch p.mark {
	case '+', '-', ':', ',', '#', '(':
		return p, nil
	case '_':
		p.null = true
		return p, nil
	case '$', '=', '!', '*', '%', '~', '>':
		return p, p.readRest(r)
	default:
		return reply{}, fmt.Errorf("reply line %q has no known type", line)
	}
}

// readRest reads what the length in text announces.
func (r *reply) readRest(in *bufio.Reader) error {
	n, err := strconv.Atoi(r.text)
	if err != nil {
		return fmt.Errorf("length %q: %w", r.text, err)
	}
	if n < 0 {
		r.null, r.text = true, ""
		return nil
	}
	if strings.IndexByte("$=!", r.mark) >= 0 {
		return r.readText(in, n)
	}
	if r.mark == '%' {
		n *= 2
	}
	r.text = ""
	for range n {
		part, err := readReply(in)
		if err != nil {
			return err
		}
		r.parts = append(r.parts, part)
		r.raw = append(r.raw, part.raw...)
	}
	return nil
}

func (r *reply) readText(in *bufio.Reader, n int) error {
	b := make([]byte, n+2)
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		return fmt.Errorf("string %q does not end with CR LF", b)
	}
	r.raw = append(r.raw, b...)
	r.text = string(b[:n])
	return nil
}

func TestReadReply(t *testing.T) {
	for _, raw := range []string{
		"+OK\r\n", "-ERR no\r\n", ":-5\r\n", "$3\r\na\r\n\r\n", "$-1\r\n", "*-1\r\n", "_\r\n", ",1.5\r\n",
		"*2\r\n:1\r\n*1\r\n$0\r\n\r\n", "%1\r\n$1\r\nk\r\n~1\r\n#t\r\n", "=5\r\ntxt:a\r\n",
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(raw + "+next\r\n")))
		if err != nil || string(r.raw) != raw {
			t.Errorf("readReply(%q) = %v, %v; want the same bytes", raw, r, err)
		}
		if _, err := readReply(bufio.NewReader(strings.NewReader(raw[:len(raw)-1]))); err == nil {
			t.Errorf("readReply(%q) = nil error; want one: the end is missing", raw[:len(raw)-1])
		}
	}
}

// field is the value of a line "name:value" of INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
