package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"atomiccounter/commands"
	"atomiccounter/commands/config"
	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// fakeNode has as many peers acknowledge as the test says.
type fakeNode struct {
	commands.Replication // what no test calls

	mu    sync.Mutex
	acked int
	acks  chan struct{}
	batch []byte // of the answers to CSYNC
	count int
}

func (n *fakeNode) Acked(tlv.Stamp) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.acked
}

func (n *fakeNode) AckNews() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.acks == nil {
		n.acks = make(chan struct{})
	}
	return n.acks
}

func (n *fakeNode) ack(peers int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acked = peers
	if n.acks != nil {
		close(n.acks)
		n.acks = nil
	}
}

func (n *fakeNode) Sync(string, csync.SyncRequest) (a csync.SyncAnswer, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range n.count {
		a.Batches = append(a.Batches, n.batch)
	}
	return a, nil
}

// answer has CSYNC answered with so many batches of a size.
func (n *fakeNode) answer(count, size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count, n.batch = count, bytes.Repeat([]byte("b"), size)
}

func (n *fakeNode) Peers() []csync.PeerStatus { return nil }
func (n *fakeNode) Joining() bool             { return false }

func serveNode(t *testing.T, o Options) (*running, *fakeNode) {
	return serveNodeOn(t, openEngine(t, engine.EverySec), o)
}

func serveNodeOn(t *testing.T, e *engine.Engine, o Options) (*running, *fakeNode) {
	n := new(fakeNode)
	return serve(t, o, func(s *Server) { s.Open(e, n) }), n
}

func (r *running) awaitBlocked(t testing.TB, n int) {
	t.Helper()
	await(t, fmt.Sprint(n, " clients whose command waits"), func() bool { return r.shared.Clients.Blocked() == n })
}

// What comes before a command that waits is answered at once, what comes behind it afterwards, however it is sent.
func TestWaitKeepsOrder(t *testing.T) {
	for _, mode := range []engine.SyncMode{engine.EverySec, engine.Always} {
		r, n := serveNodeOn(t, openEngine(t, mode), Options{})
		p := r.dial(t)
		p.send("INCR k\r\nWAIT 1 0\r\nINCR k\r\nWAIT 2 0\r\n")
		p.want(":1\r\n")
		r.awaitBlocked(t, 1)
		p.send("INCR k\r\n*2\r\n$3\r\nGE")
		n.ack(1)
		p.want(":1\r\n:2\r\n")
		r.awaitBlocked(t, 1)
		p.send("T\r\n$1\r\nk\r\n")
		n.ack(3)
		p.want(":3\r\n:3\r\n$1\r\n3\r\n")
		r.awaitBlocked(t, 0)
	}
}

// Other clients, and flushes, go on.
func TestWaitHoldsNothingUp(t *testing.T) {
	r, n := serveNode(t, Options{})
	waiting, other := r.dial(t), r.dial(t)
	waiting.send("INCR k\r\nSET l 1\r\nGETDEL l\r\nWAIT 1 0\r\n")
	waiting.want(":1\r\n+OK\r\n$1\r\n1\r\n")
	r.awaitBlocked(t, 1)
	if err := r.shared.Engine.Flush(); err != nil {
		t.Fatal(err)
	}
	other.send("INCR k\r\nDEL k\r\nFLUSHALL\r\nCLIENT LIST\r\nINFO clients\r\n")
	other.want(":2\r\n:1\r\n+OK\r\n")
	var list strings.Builder
	for !strings.Contains(list.String(), "blocked_clients:") {
		line, err := other.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		list.WriteString(line)
	}
	for _, part := range []string{"flags=b ", "cmd=wait ", "blocked_clients:1\r\n"} {
		if !strings.Contains(list.String(), part) {
			t.Errorf("CLIENT LIST and INFO clients = %q; want %q in it", list.String(), part)
		}
	}
	n.ack(1)
	waiting.want(":1\r\n")
}

func TestWaitEnds(t *testing.T) {
	p := serve(t, Options{}, nil).dial(t)
	p.send("WAIT 1 1\r\nWAIT 1 5\r\nPING\r\n")
	p.want(":0\r\n:0\r\n+PONG\r\n")
}

// A client that goes while its command waits is forgotten at once, also with more of its commands there.
func TestClientGoesWhileItWaits(t *testing.T) {
	for _, behind := range []string{"", "PING\r\n", strings.Repeat("PING\r\n", 1000)} {
		for _, leave := range []func(*net.TCPConn) error{(*net.TCPConn).Close, (*net.TCPConn).CloseWrite} {
			r, _ := serveNode(t, Options{})
			p := r.dial(t)
			p.send("WAIT 1 0\r\n" + behind)
			r.awaitBlocked(t, 1)
			if err := leave(p.Conn.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			await(t, "the client's end", func() bool { return r.shared.Clients.Count() == 0 })
		}
	}
}

// Of a client that sends without end while its command waits, only so much is read. It is served when the wait is over.
func TestWaitIsNoWayToFillMemory(t *testing.T) {
	r, n := serveNode(t, Options{})
	p := r.dial(t)
	p.send("WAIT 1 0\r\n")
	r.awaitBlocked(t, 1)
	calls, _ := stuffing()
	sent, err := 0, os.ErrDeadlineExceeded
	for end := time.Now().Add(patience); sent < maxAhead && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(end); {
		p.Conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		var n int
		n, err = io.WriteString(p.Conn, calls[sent:])
		sent += n
	}
	if sent < maxAhead || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes are taken, %v; want at least %d, and not all", sent, err, maxAhead)
	}
	r.shared.Clients.Each(func(c *commands.Client) {
		if !c.Blocked() {
			t.Error("the command waits no more")
		}
	})
	n.ack(1)
	p.want(":1\r\n$8192\r\nxxx")
}

func TestKillOfAClientThatWaits(t *testing.T) {
	r, _ := serveNode(t, Options{})
	a, b := r.dial(t), r.dial(t)
	b.send("WAIT 1 0\r\n")
	r.awaitBlocked(t, 1)
	a.send("CLIENT KILL ADDR " + b.LocalAddr().String() + "\r\n")
	a.want(":1\r\n")
	b.wantEnd("")
}

// Who waits is not idle, and is not the moment after.
func TestWaitIsNotIdle(t *testing.T) {
	r, n := serveNode(t, Options{Settings: settings(func(o *config.Settings) { o.Timeout = 3600 })})
	p := r.dial(t)
	p.send("WAIT 1 0\r\n")
	r.awaitBlocked(t, 1)
	r.shared.Clients.Each(func(c *commands.Client) { c.Active.Store(1) })
	r.reapIdle(time.Now())
	n.ack(1)
	p.want(":1\r\n")
	r.reapIdle(time.Now())
	p.send("PING\r\n")
	p.want("+PONG\r\n")
}

// The end of the server is not held up by commands that wait for ever.
func TestEndOfServeWhileACommandWaits(t *testing.T) {
	r, n := serveNode(t, Options{Grace: time.Hour})
	var peers []*peer
	for range 20 {
		p := r.dial(t)
		p.send("INCR k\r\nWAIT 1 0\r\nINCR k\r\n")
		peers = append(peers, p)
	}
	r.awaitBlocked(t, len(peers))
	go func() { // news at the very moment
		for range 100 {
			n.ack(0)
		}
	}()
	r.end(t)
	for _, p := range peers {
		p.want(":")
		if _, err := p.ReadString('\n'); err != nil {
			t.Error(err)
		}
		p.wantEnd("")
	}
}

// Answers of many megabytes are sent whole, and their memory is given back.
func TestLongSyncAnswers(t *testing.T) {
	r, n := serveNode(t, Options{})
	const size = 16 << 20
	n.answer(2, size)
	p := r.dial(t)
	before := heap()
	for range 2 {
		p.send(syncLine)
		p.want("*12\r\n")
		for range 16 { // lines up to the number of batches
			p.line()
		}
		for range 2 {
			if got, want := p.line(), fmt.Sprintf("$%d\r\n", size); got != want {
				t.Fatalf("a batch begins with %q; want %q", got, want)
			}
			if _, err := io.CopyN(io.Discard, p.Reader, size+2); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.send("PING\r\n")
	p.want("+PONG\r\n")
	defer runtime.KeepAlive(n)
	if kept := heap() - before; kept > 4<<20 {
		t.Errorf("%d bytes are kept after the answers; want few", kept)
	}
}

// syncLine is a request of a replica that has nothing.
var syncLine = fmt.Sprintf("*5\r\n$5\r\nCSYNC\r\n$1\r\n1\r\n$16\r\n00000000000000aa\r\n$16\r\n00000000000000ab\r\n$2\r\n%s\r\n", tlv.AppendVector(nil, nil))

func heap() int64 {
	runtime.GC()
	runtime.GC() // what a pool has it keeps over one collection
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (p *peer) line() string {
	p.t.Helper()
	line, err := p.ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	return line
}

// A session that nobody waits for goes on as often as it is fed, and has one reply in the end.
func TestFeedWhileACommandWaits(t *testing.T) {
	n := new(fakeNode)
	shared := newShared(t, engine.EverySec)
	shared.Replication = n
	s := newSession(shared)
	r := s.Feed([]byte("PING\r\nWAIT 1 0\r\nPING\r\n"))
	if got := string(*s.Replies()); r.Wait == nil || r.More || got != "+PONG\r\n" || r.Consumed != len("PING\r\nWAIT 1 0\r\n") {
		t.Fatalf("Feed = %+v, %q; want a wait after the first reply", r, got)
	}
	for range 3 {
		if r = s.Feed([]byte("PING\r\n")); r.Wait == nil || r.Consumed != 0 {
			t.Fatalf("Feed = %+v; want it to wait on", r)
		}
	}
	n.ack(1)
	r = s.Feed([]byte("PING\r\n"))
	if got := string(*s.Replies()); r.Wait != nil || got != "+PONG\r\n:1\r\n+PONG\r\n" {
		t.Errorf("Feed = %+v, %q; want the replies", r, got)
	}
}

// Neither is it by a store whose peers will never confirm it.
func TestEndOfServeOfAStoreThatAwaitsItsPeers(t *testing.T) {
	e, err := engine.Open(t.TempDir(), engine.Options{Logger: quiet().Logger, AwaitPeers: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := serveNodeOn(t, e, Options{Grace: time.Hour})
	for _, call := range []string{"CTOKEN", "CDUMP k", "CMERGE k \"\"", "CFORGET 00000000000000aa", "CBACKUP /nowhere", "WAIT 1 0"} {
		p := r.dial(t)
		p.send("INCR k\r\n" + call + "\r\n")
		p.want(":")
	}
	r.awaitBlocked(t, 6)
	r.end(t)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
