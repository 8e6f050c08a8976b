package replica

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/redcon"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/replica/csync"
)

// server answers CSYNC and CSNAP for a node, as the commands do.
type server struct {
	t       *testing.T
	node    *Node // nil: only answer does
	engine  *engine.Engine
	answer  func(args [][]byte) []byte // of its own, before anything else; nil: none
	l       net.Listener
	stop    chan struct{}
	done    sync.WaitGroup
	mu      sync.Mutex
	conns   map[net.Conn]bool
	deaf    bool // accepts connections, and reads nothing
	refuses bool // closes connections at once
}

// listen begins a server without a node.
func listen(t *testing.T, answer func([][]byte) []byte) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, answer: answer, l: l, stop: make(chan struct{}), conns: map[net.Conn]bool{}}
	s.done.Go(s.accept)
	t.Cleanup(func() {
		close(s.stop)
		l.Close()
		s.cut()
		s.done.Wait()
	})
	return s
}

func (s *server) addr() string { return s.l.Addr().String() }

func (s *server) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.refuses {
			c.Close()
		} else {
			s.conns[c] = true
			s.done.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

// deafen has it read nothing from now on.
func (s *server) deafen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

// refuse has it accept no connection from now on.
func (s *server) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = true
}

// cut closes all connections.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	clear(s.conns)
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf {
		<-s.stop
		return
	}
	r := redcon.NewReader(c)
	for {
		cmd, err := r.ReadCommand()
		if err != nil {
			return
		}
		if _, err := c.Write(s.reply(c.RemoteAddr().String(), cmd.Args)); err != nil {
			return
		}
	}
}

func (s *server) reply(remote string, args [][]byte) []byte {
	if s.answer != nil {
		if b := s.answer(args); b != nil {
			return b
		}
	}
	if string(args[0]) == "hello" {
		return redcon.AppendBulkString(redcon.AppendBulkString(redcon.AppendArray(nil, 2), "proto"), "2")
	}
	if string(args[0]) == "client" {
		return redcon.AppendOK(nil)
	}
	s.mu.Lock()
	node, e := s.node, s.engine
	s.mu.Unlock()
	if node == nil {
		return redcon.AppendError(nil, "LOADING the store is not open yet")
	}
	switch string(args[0]) {
	case "CSYNC":
		r, err := csync.ParseSyncRequest(args)
		if err != nil {
			return reply(nil, err)
		}
		return s.sync(node, e, remote, r)
	case "CDIGEST":
		r, err := csync.ParseDigestRequest(args)
		if err != nil {
			return reply(nil, err)
		}
		a, err := node.Digest(remote, r)
		return reply(&a, err)
	case "CSNAP":
		r, err := csync.ParseSnapRequest(args)
		if err != nil {
			return reply(nil, err)
		}
		a, err := node.Snap(remote, r)
		return reply(&a, err)
	}
	return redcon.AppendOK(nil)
}

func (s *server) sync(node *Node, e *engine.Engine, remote string, r csync.SyncRequest) []byte {
	deadline := time.After(r.Block)
	for {
		news := e.News()
		a, err := node.Sync(remote, r)
		if err != nil || r.Block == 0 || a.NeedState || len(a.Batches) > 0 {
			return reply(&a, err)
		}
		select {
		case <-news:
		case <-deadline:
			return a.Append(nil)
		case <-s.stop:
			return a.Append(nil)
		}
	}
}

func reply(answer interface{ Append([]byte) []byte }, err error) []byte {
	var peer csync.Error
	switch {
	case err == nil:
		return answer.Append(nil)
	case errors.As(err, &peer):
		return redcon.AppendError(nil, string(peer))
	}
	return redcon.AppendError(nil, "ERR "+err.Error())
}

// testReplica is a replica of a test: a store, its node, and the server of both.
type testReplica struct {
	*server
	lines *lines
}

// begin opens a store in memory and serves it.
func begin(t *testing.T, peers ...string) *testReplica {
	t.Helper()
	return beginWith(t, engine.Options{InMemory: true}, Options{Peers: peers})
}

func beginWith(t *testing.T, eo engine.Options, o Options) *testReplica {
	t.Helper()
	r := &testReplica{server: listen(t, nil), lines: &lines{}}
	r.run(t, eo, o)
	return r
}

// run opens the store and has its node run until the test ends, or what it returns is called.
func (r *testReplica) run(t *testing.T, eo engine.Options, o Options) (stop func()) {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(r.lines, nil))
	eo.Logger, eo.UpdatePeriod = o.Log, engine.AlwaysFresh
	e, err := engine.Open("store", eo)
	if err != nil {
		t.Fatal(err)
	}
	node, err := New(e, o)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.engine, r.node = e, node
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- node.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		r.mu.Lock()
		r.engine, r.node = nil, nil
		r.mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if d, ok := eo.Disk.(*enginetest.Disk); ok {
			err = d.Abandon(e)
		} else {
			err = e.Close()
		}
		if err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Close = %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// add increments a key.
func (r *testReplica) add(t *testing.T, key string, n int64) {
	t.Helper()
	p := r.engine.NewPipeline()
	_, err := p.Incr([]byte(key), n)
	if _, commitErr := p.Commit(); err != nil || commitErr != nil {
		t.Fatalf("Incr(%s, %d) = %v, %v", key, n, err, commitErr)
	}
}

func (r *testReplica) get(t *testing.T, key string) int64 {
	t.Helper()
	p := r.engine.NewPipeline()
	v, _, err := p.Get([]byte(key))
	if _, commitErr := p.Commit(); err != nil || commitErr != nil {
		t.Fatalf("Get(%s) = %v, %v", key, err, commitErr)
	}
	return v
}

// peer is what the node says of a peer.
func (r *testReplica) peer(addr string) csync.PeerStatus {
	for _, p := range r.node.Peers() {
		if p.Addr == addr {
			return p
		}
	}
	return csync.PeerStatus{}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// lines keeps a log.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(b))
	return len(b), nil
}

func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.text {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}
