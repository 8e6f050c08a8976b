package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands"
	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

// patience bounds what a test waits for; nothing is expected to take that long.
const patience = 30 * time.Second

func quiet() *commands.Log {
	return &commands.Log{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func openEngine(t testing.TB, mode engine.SyncMode) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.TempDir(), engine.Options{Logger: quiet().Logger, Sync: mode})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return e
}

// running is a server on a free port of the loopback.
type running struct {
	*Server
	stop  context.CancelFunc
	ended chan error
}

// with has a server serve an engine.
func with(e *engine.Engine) func(*Server) { return func(s *Server) { s.Open(e, nil) } }

// settings are the defaults, but for a free port of the loopback, and what change makes of them.
func settings(change func(*config.Settings)) *config.Settings {
	s := config.Default()
	s.Port, s.Bind = -1, "127.0.0.1"
	if change != nil {
		change(s)
	}
	return s
}

// serve starts a server, on an engine of its own unless change opens another, and ends it with the test. Change, if there is one,
// alters the server before it serves.
func serve(t testing.TB, o Options, change func(*Server)) *running {
	t.Helper()
	if o.Settings == nil {
		o.Settings = settings(nil)
	}
	o.Log = quiet()
	s, err := New(o)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	if change != nil {
		change(s)
	}
	if s.shared.Loading() {
		s.Open(openEngine(t, engine.EverySec), nil)
	}
	return start(t, s)
}

// start serves until the test ends.
func start(t testing.TB, s *Server) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx) }()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end stops the server and checks that nothing of it is left. It may be called again.
func (r *running) end(t testing.TB) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("Serve = %v; want nil", err)
		}
		r.ended <- nil
	case <-time.After(patience):
		t.Fatal("Serve has not returned")
	}
	if n := r.shared.Clients.Count(); n != 0 {
		t.Errorf("%d clients are left after Serve; want 0", n)
	}
}

// peer is a client's end.
type peer struct {
	net.Conn
	*bufio.Reader
	t testing.TB
}

func (p *peer) Read(b []byte) (int, error) { return p.Reader.Read(b) }

func (r *running) dial(t testing.TB) *peer { return dial(t, r.Addrs()[0]) }

func dial(t testing.TB, a net.Addr) *peer {
	t.Helper()
	nc, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &peer{Conn: nc, Reader: bufio.NewReader(nc), t: t}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Fatalf("Write = %v", err)
	}
}

// want reads exactly the reply.
func (p *peer) want(reply string) {
	p.t.Helper()
	got := make([]byte, len(reply))
	n, err := io.ReadFull(p.Reader, got)
	if err != nil || string(got) != reply {
		p.t.Fatalf("read %q, %v; want %q", got[:n], err, reply)
	}
}

// wantEnd reads to the end of the connection, and expects no more than the reply.
func (p *peer) wantEnd(reply string) {
	p.t.Helper()
	got, err := io.ReadAll(p.Reader)
	if string(got) != reply || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("read %.200q, %v; want %.200q and the end", got, err, reply)
	}
}

func TestPipelineKeepsOrder(t *testing.T) {
	p := serve(t, Options{}, nil).dial(t)
	var in, want strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&in, "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\nECHO %d\r\n", i)
		fmt.Fprintf(&want, ":%d\r\n$%d\r\n%d\r\n", i+1, len(fmt.Sprint(i)), i)
	}
	go io.WriteString(p.Conn, in.String())
	p.want(want.String())
}

func TestLongArgument(t *testing.T) {
	p := serve(t, Options{}, nil).dial(t)
	long := strings.Repeat("x", 3<<20)
	request := fmt.Sprintf("*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", len(long), long)
	for range 2 {
		go io.WriteString(p.Conn, request+"PING\r\n")
		p.want(fmt.Sprintf("$%d\r\n%s\r\n+PONG\r\n", len(long), long))
	}
}

func TestQuit(t *testing.T) {
	p := serve(t, Options{}, nil).dial(t)
	p.send("PING\r\nQUIT\r\nPING\r\n")
	p.wantEnd("+PONG\r\n+OK\r\n")
}

func TestProtocolErrorEndsOneClient(t *testing.T) {
	r := serve(t, Options{}, nil)
	good, bad := r.dial(t), r.dial(t)
	bad.send("PING\r\n*1\r\n$-2\r\n")
	bad.wantEnd("+PONG\r\n-ERR Protocol error: invalid bulk length\r\n")
	good.send("PING\r\n")
	good.want("+PONG\r\n")
}

func TestCrossProtocol(t *testing.T) {
	p := serve(t, Options{}, nil).dial(t)
	p.send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k 1\r\n")
	p.wantEnd("")
}

// await polls for a condition, with a deadline that is a failure.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestIdleTimeout(t *testing.T) {
	r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.Timeout = 3600 })}, nil)
	idle, busy := r.dial(t), r.dial(t)
	for _, p := range []*peer{idle, busy} {
		p.send("PING\r\n")
		p.want("+PONG\r\n")
	}
	now := time.Now()
	r.reapIdle(now.Add(59 * time.Minute))
	r.shared.Clients.Each(func(c *commands.Client) {
		if c.Addr == busy.LocalAddr().String() {
			c.Active.Store(now.Add(time.Hour).UnixNano())
		}
	})
	idle.send("PING\r\n")
	idle.want("+PONG\r\n")
	r.reapIdle(now.Add(61 * time.Minute))
	idle.wantEnd("")
	busy.send("PING\r\n")
	busy.want("+PONG\r\n")
}

func TestClientKill(t *testing.T) {
	r := serve(t, Options{}, nil)
	a, b := r.dial(t), r.dial(t)
	b.send("PING\r\n")
	b.want("+PONG\r\n")
	a.send("CLIENT KILL ADDR " + b.LocalAddr().String() + "\r\n")
	a.want(":1\r\n")
	b.wantEnd("")
}

func TestShutdownCommand(t *testing.T) {
	r := serve(t, Options{}, nil)
	idle, p := r.dial(t), r.dial(t)
	p.send("INCR k\r\nSHUTDOWN NOSAVE\r\n")
	p.wantEnd(":1\r\n")
	idle.wantEnd("")
	select {
	case err := <-r.ended:
		r.ended <- err
	case <-time.After(patience):
		t.Fatal("SHUTDOWN does not end Serve")
	}
}

// A client in the middle of a command, one that is idle and one that does not read: none of them holds up the end, and
// the replies to what was run before it arrive.
func TestEndOfServe(t *testing.T) {
	r := serve(t, Options{Grace: 100 * time.Millisecond}, nil)
	torn, idle, deaf := r.dial(t), r.dial(t), r.dial(t)
	torn.send("INCR k\r\n*2\r\n$4\r\nINCR\r\n$1\r\n")
	torn.want(":1\r\n")
	stuff(deaf)
	r.end(t)
	torn.wantEnd("")
	idle.wantEnd("")
	if nc, err := net.Dial("tcp", r.Addrs()[0].String()); err == nil {
		nc.Close()
		t.Error("Dial after Serve = nil; want an error")
	}
}

// stuffing is commands with more replies than sockets have room for, and the replies.
func stuffing() (commands, replies string) {
	const each, count = 8 << 10, 3 << 10
	arg := fmt.Sprintf("$%d\r\n%s\r\n", each, strings.Repeat("x", each))
	return strings.Repeat("*2\r\n$4\r\nECHO\r\n"+arg, count), strings.Repeat(arg, count)
}

// stuff sends them, and gives the replies.
func stuff(p *peer) string {
	p.t.Helper()
	commands, replies := stuffing()
	p.send(commands)
	return replies
}

// waiting is how much waits for the clients.
func (r *running) waiting() (n int64) {
	r.shared.Clients.Each(func(c *commands.Client) { n += c.Waiting() })
	return n
}

// TestGreatPipeline: a client may write all that it has to ask before it reads.
func TestGreatPipeline(t *testing.T) {
	a := newAuthority(t)
	for _, mode := range []engine.SyncMode{engine.EverySec, engine.Always} {
		r, addr := serveTLS(t, Options{}, a, tls.NoClientCert, with(openEngine(t, mode)))
		for _, p := range []*peer{r.dial(t), a.dial(t, addr)} {
			replies := stuff(p)
			p.send("INCR k\r\nDEL k\r\n")
			await(t, "replies that wait", func() bool { return r.waiting() > 0 })
			p.want(replies + ":1\r\n:1\r\n")
			await(t, "none", func() bool { return r.waiting() == 0 })
			p.send("INCR k\r\nDEL k\r\n")
			p.want(":1\r\n:1\r\n")
		}
	}
}

// TestOutputLimits: a client that does not read is disconnected when more waits than its class, or all clients together, may have.
func TestOutputLimits(t *testing.T) {
	for name, change := range map[string]struct {
		limit        config.BufferLimit
		most         int64
		cut, evicted int64
	}{
		"hard": {config.BufferLimit{Hard: 1 << 20}, 0, 1, 0},
		"soft": {config.BufferLimit{Soft: 1 << 20}, 0, 1, 0},
		"all":  {config.BufferLimit{}, 1 << 20, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.OutputLimits.Normal, o.ClientMemory = change.limit, change.most })}, nil)
			p, other := r.dial(t), r.dial(t)
			calls, _ := stuffing()
			io.WriteString(p.Conn, calls) // which perhaps fails before all is written
			await(t, "the slow reader's end", func() bool { return r.shared.Clients.Count() == 1 })
			other.send("INCR k\r\n")
			other.want(":1\r\n")
			if cut, evicted := r.shared.Stats.CutOff.Load(), r.shared.Stats.Evicted.Load(); cut != change.cut || evicted != change.evicted {
				t.Errorf("%d cut off and %d evicted are counted; want %d and %d", cut, evicted, change.cut, change.evicted)
			}
		})
	}
}

// A slow reader that does read gets everything.
func TestSlowReaderGetsAll(t *testing.T) {
	p := serve(t, Options{}, nil).dial(t)
	const each, count = 1 << 20, 40
	arg := strings.Repeat("y", each)
	go func() {
		for range count {
			fmt.Fprintf(p.Conn, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", each, arg)
		}
	}()
	for range count {
		p.want(fmt.Sprintf("$%d\r\n%s\r\n", each, arg))
	}
}

func TestQueryBufferLimit(t *testing.T) {
	p := serve(t, Options{Settings: settings(func(o *config.Settings) { o.QueryBuffer = 1 << 20 })}, nil).dial(t)
	long := strings.Repeat("x", 1<<19)
	go fmt.Fprintf(p.Conn, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n", len(long), long, 1<<20)
	p.wantEnd(fmt.Sprintf("$%d\r\n%s\r\n", len(long), long))
}

// A client that has authenticated may send any number of arguments, as far as they fit into the query buffer.
func TestManyArguments(t *testing.T) {
	const n = 1<<20 + 1
	p := serve(t, Options{}, nil).dial(t)
	go io.WriteString(p.Conn, fmt.Sprintf("*%d\r\n$4\r\nMGET\r\n", n+1)+strings.Repeat("$1\r\nk\r\n", n))
	p.want(fmt.Sprintf("*%d\r\n", n) + strings.Repeat("$-1\r\n", n))
	p = serve(t, Options{Settings: settings(func(o *config.Settings) { o.QueryBuffer = 1 << 20 })}, nil).dial(t)
	go io.WriteString(p.Conn, fmt.Sprintf("*%d\r\n$4\r\nMGET\r\n", n+1)+strings.Repeat("$1\r\nk\r\n", n))
	p.wantEnd("")
}

// What waits for EXEC counts, too.
func TestQueryBufferLimitOfTransactions(t *testing.T) {
	p := serve(t, Options{Settings: settings(func(o *config.Settings) { o.QueryBuffer = 1 << 20 })}, nil).dial(t)
	long := strings.Repeat("x", 700<<10)
	go fmt.Fprintf(p.Conn, "MULTI\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n", len(long), long, 400<<10)
	p.wantEnd("+OK\r\n+QUEUED\r\n")
}

func TestUnauthenticatedLimits(t *testing.T) {
	r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.Password = "secret" })}, nil)
	bulk := "$9000\r\n" + strings.Repeat("x", 9000) + "\r\n"
	p := r.dial(t)
	go io.WriteString(p.Conn, "*10\r\n"+strings.Repeat(bulk, 8))
	p.wantEnd("")
	p = r.dial(t)
	p.send("*11\r\n")
	p.wantEnd("-ERR Protocol error: unauthenticated multibulk length\r\n")
	p = r.dial(t)
	p.send("AUTH secret\r\n*11\r\n$4\r\nMGET\r\n" + strings.Repeat("$1\r\nk\r\n", 10))
	p.want("+OK\r\n*10\r\n" + strings.Repeat("$-1\r\n", 10))
}

func (stranger) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
