package proxy

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// patience bounds waits that end soon when all is well; moment is how long a test looks for what must not come.
const (
	patience = 20 * time.Second
	moment   = 30 * time.Millisecond
)

// echo is a server that sends back what it gets, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				if _, err := io.Copy(c, c); err != nil {
					return // the proxy broke it
				}
			})
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	return l.Addr().String()
}

// open gives a proxy in front of an echo server.
func open(t *testing.T) *Proxy {
	t.Helper()
	target := echo(t)
	p, err := Listen(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) // fails if the test has closed it
	return c
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly s.
func expect(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, len(s))
	if n, err := io.ReadFull(c, buf); err != nil || string(buf) != s {
		t.Fatalf("read %q, %v; want %q", buf[:n], err, s)
	}
}

// expectNothing finds the connection alive and silent.
func expectNothing(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(moment)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read = %d, %v; want silence", n, err)
	}
}

// expectBroken waits for the end of the connection.
func expectBroken(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read = %d, %v; want a broken connection", n, err)
	}
}

// awaitTorn waits until bytes of some connection have been swallowed.
func awaitTorn(t *testing.T, p *Proxy) {
	t.Helper()
	torn := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for l := range p.links {
			if l.torn.Load() {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(patience); !torn(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is swallowed")
		}
	}
}

func TestForward(t *testing.T) {
	p := open(t)
	c := dial(t, p)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		if _, err := c.Write(data); err != nil {
			t.Error(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(c) // the end of the requests ends the replies, which are whole
	writing.Wait()
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back, %v; want the %d that were sent", len(got), err, len(data))
	}
	if n, m := p.Bytes(Request), p.Bytes(Reply); n != int64(len(data)) || m != n {
		t.Errorf("Bytes = %d, %d; want %d both", n, m, len(data))
	}
}

func TestCut(t *testing.T) {
	p := open(t)
	c := dial(t, p)
	send(t, c, "a")
	expect(t, c, "a")
	p.Cut()
	expectBroken(t, c)
	expectBroken(t, dial(t, p))
	p.Heal()
	c = dial(t, p)
	send(t, c, "b")
	expect(t, c, "b")
	if got := p.Accepted(); got != 3 {
		t.Errorf("Accepted() = %d; want 3", got)
	}
}

func TestSilence(t *testing.T) {
	p := open(t)
	old := dial(t, p)
	send(t, old, "a")
	expect(t, old, "a")
	p.Silence()
	young := dial(t, p)
	for _, c := range []net.Conn{old, young} {
		send(t, c, "b")
		expectNothing(t, c)
	}
	p.Heal()
	expect(t, old, "b")
	expect(t, young, "b")
}

func TestSwallow(t *testing.T) {
	for _, d := range []Direction{Request, Reply} {
		p := open(t)
		torn, idle := dial(t, p), dial(t, p)
		send(t, idle, "a")
		expect(t, idle, "a")
		p.Swallow(d)
		send(t, torn, "lost")
		awaitTorn(t, p)
		expectNothing(t, torn)
		p.Heal()
		expectBroken(t, torn)
		send(t, idle, "b") // of this one nothing is missing
		expect(t, idle, "b")
	}
}

func TestDelay(t *testing.T) {
	p := open(t)
	c := dial(t, p)
	p.Delay(moment)
	began := time.Now()
	send(t, c, "a")
	expect(t, c, "a")
	if took := time.Since(began); took < 2*moment {
		t.Errorf("a round trip took %v; want at least %v", took, 2*moment)
	}
	p.Delay(time.Hour)
	send(t, c, "b")
	expectNothing(t, c)
	p.Heal() // also what waits already
	expect(t, c, "b")
}

func TestThrottle(t *testing.T) {
	p := open(t)
	c := dial(t, p)
	p.Throttle(10_000)
	began := time.Now()
	s := string(make([]byte, 500))
	send(t, c, s)
	expect(t, c, s)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("500 bytes there and back at 10,000 a second took %v; want at least 100 ms", took)
	}
}

func TestRetarget(t *testing.T) {
	p, err := Listen("")
	if err != nil {
		t.Fatal(err)
	}
	expectBroken(t, dial(t, p)) // nobody to connect to
	p.Retarget(echo(t))
	c := dial(t, p)
	send(t, c, "a")
	expect(t, c, "a")
	p.Silence()
	dial(t, p)
	if err := p.Close(); err != nil { // also with connections that are silent
		t.Fatal(err)
	}
	expectBroken(t, c)
}
