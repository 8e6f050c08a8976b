package replica

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/redcon"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// server answers CSYNC and CSNAP for a node, as the commands do.
type server struct {
	t       *testing.T
	node    *Node // nil: only answer does
	engine  *engine.Engine
	answer  func(args []string) []byte // of its own, before anything else; nil: none
	l       net.Listener
	stop    chan struct{}
	done    sync.WaitGroup
	mu      sync.Mutex
	conns   map[net.Conn]bool
	deaf    bool // accepts connections, and reads nothing
	refuses bool // closes connections at once
}

// listen begins a server without a node.
func listen(t *testing.T, answer func([]string) []byte) *server {
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
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		if _, err := c.Write(s.reply(c.RemoteAddr().String(), args)); err != nil {
			return
		}
	}
}

// readCommand reads an array of bulk strings.
func readCommand(r *bufio.Reader) (args []string, err error) {
	n, err := readLength(r, '*')
	for range n {
		size, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, err
}

func readLength(r *bufio.Reader, mark byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != mark {
		return 0, errors.New("malformed command")
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func (s *server) reply(remote string, args []string) []byte {
	if s.answer != nil {
		if b := s.answer(args); b != nil {
			return b
		}
	}
	if args[0] == "hello" {
		return redcon.AppendBulkString(redcon.AppendBulkString(redcon.AppendArray(nil, 2), "proto"), "2")
	}
	if args[0] == "client" {
		return redcon.AppendOK(nil)
	}
	s.mu.Lock()
	node, e := s.node, s.engine
	s.mu.Unlock()
	if node == nil {
		return redcon.AppendError(nil, "LOADING the store is not open yet")
	}
	switch args[0] {
	case "CSYNC":
		return s.sync(node, e, remote, args)
	case "CDIGEST":
		r := engine.DigestRequest{Version: Version, Keys: args[4:]}
		id, _ := parseHex(args[2])
		r.ID = tlv.ReplicaID(id)
		r.Life, _ = parseHex(args[3])
		a, err := node.Digest(remote, r)
		if err != nil {
			return errorReply(err)
		}
		return digestReply(&a)
	case "CSNAP":
		a, err := node.Snap(remote, parseSnapArgs(args))
		if err != nil {
			return errorReply(err)
		}
		return snapReply(&a)
	}
	return redcon.AppendOK(nil)
}

func (s *server) sync(node *Node, e *engine.Engine, remote string, args []string) []byte {
	r, block := parseSyncArgs(args)
	deadline := time.After(block)
	for {
		news := e.News()
		a, err := node.Sync(remote, r)
		if err != nil {
			return errorReply(err)
		}
		if block == 0 || a.NeedState || len(a.Batches) > 0 {
			return syncReply(&a)
		}
		select {
		case <-news:
		case <-deadline:
			return syncReply(&a)
		case <-s.stop:
			return syncReply(&a)
		}
	}
}

func errorReply(err error) []byte {
	var peer engine.PeerError
	if !errors.As(err, &peer) {
		return redcon.AppendError(nil, "ERR "+err.Error())
	}
	return redcon.AppendError(nil, string(peer))
}

func parseSyncArgs(args []string) (r engine.SyncRequest, block time.Duration) {
	r.Version, _ = strconv.ParseInt(args[1], 10, 64)
	id, _ := parseHex(args[2])
	r.ID = tlv.ReplicaID(id)
	r.Life, _ = parseHex(args[3])
	r.Vector, _ = tlv.ParseVector([]byte(args[4]))
	for i := 5; i+1 < len(args); i += 2 {
		n, _ := strconv.ParseInt(args[i+1], 10, 64)
		switch args[i] {
		case "BLOCK":
			block = time.Duration(n) * time.Millisecond
		case "BYTES":
			r.Bytes = n
		case "PORT":
			r.Port = n
		case "EXCEPT":
			id, _ := parseHex(args[i+1])
			r.Except = append(r.Except, tlv.ReplicaID(id))
		case "FORMER":
			id, _ := parseHex(args[i+1])
			r.Former = append(r.Former, tlv.ReplicaID(id))
		}
	}
	return r, block
}

func parseSnapArgs(args []string) (r engine.SnapRequest) {
	r.Version, _ = strconv.ParseInt(args[1], 10, 64)
	id, _ := parseHex(args[2])
	r.ID = tlv.ReplicaID(id)
	r.Life, _ = parseHex(args[3])
	for i := 4; i+1 < len(args); i += 2 {
		switch args[i] {
		case "BYTES":
			r.Bytes, _ = strconv.ParseInt(args[i+1], 10, 64)
		case "RESUME":
			r.Snapshot, r.Cursor = args[i+1], []byte(args[i+2])
			i++
		}
	}
	return r
}

func syncReply(a *engine.SyncAnswer) []byte {
	b := redcon.AppendInt(redcon.AppendArray(nil, 12), Version)
	b = redcon.AppendBulkString(redcon.AppendBulkString(b, name(a.ID)), hex(a.Life))
	b = redcon.AppendBulk(redcon.AppendInt(b, a.Clock), tlv.AppendVector(nil, a.Vector))
	b = redcon.AppendArray(b, len(a.Former))
	for _, id := range a.Former {
		b = redcon.AppendBulkString(b, name(id))
	}
	b = redcon.AppendArray(b, len(a.Cluster.Names))
	for _, n := range a.Cluster.Names {
		b = redcon.AppendBulkString(b, hex(uint64(n)))
	}
	provisional := int64(0)
	if a.Cluster.Provisional {
		provisional = 1
	}
	b = redcon.AppendInt(b, provisional)
	if a.NeedState {
		b = redcon.AppendBulkString(b, "state")
	} else {
		b = redcon.AppendBulkString(b, "ok")
	}
	b = redcon.AppendArray(redcon.AppendInt(redcon.AppendInt(b, a.Left), a.LeftKeys), len(a.Batches))
	for _, batch := range a.Batches {
		b = redcon.AppendBulk(b, batch)
	}
	return b
}

func digestReply(a *engine.DigestAnswer) []byte {
	b := redcon.AppendInt(redcon.AppendArray(nil, 4), Version)
	b = redcon.AppendBulk(redcon.AppendBulkString(b, name(a.ID)), tlv.AppendVector(nil, a.Vector))
	return redcon.AppendBulkString(b, digestValues(a)[3].(string))
}

func snapReply(a *engine.SnapAnswer) []byte {
	b := redcon.AppendInt(redcon.AppendArray(nil, 8), Version)
	b = redcon.AppendBulkString(redcon.AppendBulkString(b, name(a.ID)), a.Snapshot)
	b = redcon.AppendBulk(b, tlv.AppendVector(nil, a.Vector))
	b = redcon.AppendInt(redcon.AppendInt(b, a.Keys), a.Done)
	return redcon.AppendBulk(redcon.AppendBulk(b, a.Next), a.Page)
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
		if eo.Disk != nil {
			err = e.Abandon()
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
func (r *testReplica) peer(addr string) engine.PeerStatus {
	for _, p := range r.node.Peers() {
		if p.Addr == addr {
			return p
		}
	}
	return engine.PeerStatus{}
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
