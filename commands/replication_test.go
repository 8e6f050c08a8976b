package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// fakeNode is a node whose answers the test decides, and which notes what it is asked.
type fakeNode struct {
	mu     sync.Mutex
	answer func(csync.SyncRequest) (csync.SyncAnswer, error)
	page   func(csync.SnapRequest) (csync.SnapAnswer, error)
	peers  []csync.PeerStatus
	addrs  []string
	forgot []tlv.ReplicaID
	acked  int
	acks   chan struct{}
	heard  map[tlv.ReplicaID]time.Time

	joining atomic.Bool
}

func (n *fakeNode) Sync(_ string, r csync.SyncRequest) (csync.SyncAnswer, error) {
	return n.answer(r)
}
func (n *fakeNode) Digest(string, csync.DigestRequest) (csync.DigestAnswer, error) {
	return csync.DigestAnswer{ID: 0xbb, Sums: []uint64{1, 0}}, nil
}
func (n *fakeNode) Snap(_ string, r csync.SnapRequest) (csync.SnapAnswer, error) { return n.page(r) }
func (n *fakeNode) Peers() []csync.PeerStatus                                    { return n.peers }

func (n *fakeNode) Forget(id tlv.ReplicaID, force bool) (int64, error) {
	if id == 0xbb && !force {
		return 0, errors.New("it was heard 3 s ago")
	}
	n.forgot = append(n.forgot, id)
	return 1, nil
}

func (n *fakeNode) AddPeer(addr string) (bool, error) {
	if slices.Contains(n.addrs, addr) {
		return false, nil
	}
	n.addrs = append(n.addrs, addr)
	return true, nil
}

func (n *fakeNode) DelPeer(addr string) (bool, error) {
	i := slices.Index(n.addrs, addr)
	if i < 0 {
		return false, nil
	}
	n.addrs = slices.Delete(n.addrs, i, i+1)
	return true, nil
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

// ack has so many peers acknowledge everything.
func (n *fakeNode) ack(peers int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acked = peers
	if n.acks != nil {
		close(n.acks)
		n.acks = nil
	}
}

func (n *fakeNode) Ready() bool   { return len(n.peers) == 0 }
func (n *fakeNode) Joining() bool { return n.joining.Load() }

func (n *fakeNode) LastHeard(id tlv.ReplicaID) (time.Time, bool) {
	t, ok := n.heard[id]
	return t, ok
}

func replicated(t *testing.T) (*Context, *fakeNode) {
	c, n := newContext(t), new(fakeNode)
	c.Server.Replication = n
	return c, n
}

// TestJoining: before a new store has what its peers have, clients are answered as while it loads, but peers, and who looks after them, get
// what they ask for.
func TestJoining(t *testing.T) {
	s, n := newServer(t), new(fakeNode)
	n.joining.Store(true)
	n.answer = func(csync.SyncRequest) (csync.SyncAnswer, error) {
		return csync.SyncAnswer{}, csync.Error("HEARD")
	}
	n.page = func(csync.SnapRequest) (csync.SnapAnswer, error) {
		return csync.SnapAnswer{}, csync.Error("HEARD")
	}
	s.Replication = n
	c, other := connect(t, s), connect(t, s)
	const loading = "-" + errLoading + "|"
	for _, line := range []string{"PING", "INCR k", "GET k", "CWAIT x 0", "CTOKEN", "EVAL return 0", "FLUSHALL", "CBACKUP /tmp/x"} {
		want(t, c, line, loading)
	}
	vector := string(tlv.AppendVector(nil, vectorOf()))
	if got := do(t, c, "CSYNC", "4", callerID, life, vector); got != "-HEARD\r\n" {
		t.Errorf("CSYNC = %q; want what the node answers", got)
	}
	for _, test := range [][2]string{
		{"CSNAP 4 " + callerID + " " + life, "-HEARD|"}, {"CPEER LIST", "*0|"}, {"CPEER ADD h:1", ":1|"}, {"CPEER DEL h:1", ":1|"},
		{"MULTI", "+OK|"}, {"INCR k", loading}, {"EXEC", "-" + abortedAtAll + "|"}, {"CONFIG GET join-serve", "*2|$10|join-serve|$2|no|"},
	} {
		want(t, c, test[0], test[1])
	}
	if text := do(t, c, "INFO"); !strings.Contains(text, "\r\nloading:1\r\n") || !strings.Contains(text, "\r\nloading_eta_seconds:") {
		t.Errorf("INFO = %q; want that it loads", text)
	}
	n.joining.Store(false)
	c.Join()
	want(t, c, "INCR k", ":1|")
	n.joining.Store(true)
	want(t, c, "CONFIG SET join-serve yes", "+OK|")
	other.Join()
	want(t, other, "INCR k", ":2|")
	if text := do(t, c, "INFO"); !strings.Contains(text, "\r\nloading:0\r\n") {
		t.Errorf("INFO = %q; want that it does not load", text)
	}
}

func vectorOf(list ...tlv.VectorEntry) tlv.Vector {
	var v tlv.Vector
	for _, e := range list {
		v.Put(e)
	}
	return v
}

const (
	callerID = "00000000000000aa"
	life     = "0123456789abcdef"
)

func TestBadPeerRequests(t *testing.T) {
	c, _ := replicated(t) // which is asked nothing
	v := string(tlv.AppendVector(nil, nil))
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"CSYNC", "4"}, "ERR wrong number of arguments for 'csync' command"},
		{[]string{"CSYNC", "x"}, "ERR CSYNC: protocol version 'x' is not a number"},
		{[]string{"CSYNC", "4", "aa", life, v}, "ERR CSYNC: replica ID 'aa' is not 16 hexadecimal digits"},
		{[]string{"csync", "4", callerID, "x", v}, "ERR CSYNC: life 'x' is not 16 hexadecimal digits"},
		{[]string{"CSYNC", "4", callerID, life, "zz"}, "ERR CSYNC: vector: "},
		{[]string{"CSYNC", "4", callerID, life, v, "FOO", "1"}, "ERR syntax error"},
		{[]string{"CSYNC", "4", callerID, life, v, "BLOCK"}, "ERR syntax error"},
		{[]string{"CSYNC", "4", callerID, life, v, "BLOCK", "-1"}, "ERR CSYNC: BLOCK '-1' is not a number"},
		{[]string{"CSYNC", "4", callerID, life, v, "EXCEPT", "1"}, "ERR CSYNC: replica ID '1' is not 16 hexadecimal digits"},
		{[]string{"CSNAP", "4", callerID}, "ERR wrong number of arguments for 'csnap' command"},
		{[]string{"CSNAP", "4", callerID, life, "RESUME", "x"}, "ERR syntax error"},
		{[]string{"CSNAP", "4", callerID, life, "BYTES", "x"}, "ERR CSNAP: BYTES 'x' is not a number"},
		{[]string{"CDIGEST", "4", callerID, life}, "ERR wrong number of arguments for 'cdigest' command"},
	} {
		if got := do(t, c, test.args...); !strings.HasPrefix(got, "-"+test.want) {
			t.Errorf("%q = %q; want %q", test.args, got, test.want)
		}
	}
}

// TestCommandsOfPeers: the node is asked what a peer asks, and its answer is the reply, in RESP3 too.
func TestCommandsOfPeers(t *testing.T) {
	c, n := replicated(t)
	v := vectorOf(tlv.VectorEntry{Replica: 7, Stamp: 9, Life: 3})
	r := csync.Request{Version: csync.Version, ID: 0xaa, Life: 1}
	sync := csync.SyncRequest{Request: r, Vector: v, Port: 6380, Block: 1000 * time.Second}
	snap := csync.SnapRequest{Request: r, Snapshot: "s0", Cursor: []byte("a\x00b"), Bytes: 77}
	synced := csync.SyncAnswer{ID: 0xbb, Vector: v, Batches: [][]byte{[]byte("one"), []byte("\r\n")}}
	snapped := csync.SnapAnswer{ID: 0xbb, Snapshot: "s1", Keys: 10, Page: []byte("page\r\n")}
	var asked []any
	n.answer = func(r csync.SyncRequest) (csync.SyncAnswer, error) { asked = append(asked, r); return synced, nil }
	n.page = func(r csync.SnapRequest) (csync.SnapAnswer, error) { asked = append(asked, r); return snapped, nil }
	for _, proto := range []string{"2", "3"} {
		do(t, c, "HELLO", proto)
		for _, test := range []struct {
			args [][]byte
			want interface{ Append([]byte) []byte }
		}{
			{sync.Args(), &synced}, {snap.Args(), &snapped},
			{(&csync.DigestRequest{Request: r, Keys: []string{"\x00a", "\x00b"}}).Args(), &csync.DigestAnswer{ID: 0xbb, Sums: []uint64{1, 0}}},
		} {
			if got, want := do(t, c, texts(test.args)...), string(test.want.Append(nil)); got != want {
				t.Errorf("%q = %q; want %q", test.args, got, want)
			}
		}
	}
	if want := fmt.Sprint([]any{sync, snap, sync, snap}); fmt.Sprint(asked) != want {
		t.Errorf("the node is asked %v; want %s", asked, want)
	}
	synced.NeedState, synced.Batches = true, nil
	if got := do(t, c, texts(sync.Args())...); got != string(synced.Append(nil)) {
		t.Errorf("CSYNC that needs the state = %q", got)
	}
}

func texts(args [][]byte) (list []string) {
	for _, arg := range args {
		list = append(list, string(arg))
	}
	return list
}

// CSYNC waits for the vector to grow, looks again, and gives up with an empty answer.
func TestSyncWaits(t *testing.T) {
	c, n := replicated(t)
	other := connect(t, c.Server)
	asked := 0
	n.answer = func(csync.SyncRequest) (a csync.SyncAnswer, err error) {
		if asked++; asked == 3 {
			a.Batches = [][]byte{[]byte("batch")}
		}
		return a, nil
	}
	c.Run(words("CSYNC", "4", callerID, life, string(tlv.AppendVector(nil, nil)), "BLOCK", "1000000"))
	for looks := 1; looks < 3; looks++ {
		c.Resume()
		if asked != looks || c.Wait == nil || len(c.Out.Buf) > 0 {
			t.Fatalf("asked %d times, waits %v, %q; want %d, a wait, no reply", asked, c.Wait, c.Out.Buf, looks)
		}
		do(t, other, "INCR", "k") // the vector grows
		await(t, c)
	}
	c.Resume()
	if c.Wait != nil || !strings.HasSuffix(string(c.Out.Buf), "*1\r\n$5\r\nbatch\r\n") {
		t.Errorf("waits %v, %q; want a reply with the batch", c.Wait, c.Out.Buf)
	}
	if got := do(t, c, "CSYNC", "4", callerID, life, string(tlv.AppendVector(nil, nil)), "BLOCK", "1"); !strings.HasSuffix(got, "*0\r\n") {
		t.Errorf("CSYNC after its time = %q; want no batches", got)
	}
}

func TestPeerErrorsAreReplies(t *testing.T) {
	c, n := replicated(t)
	v := string(tlv.AppendVector(nil, nil))
	for _, test := range []struct {
		err  error
		want string
	}{
		{csync.Error("DUPLICATE replica 00000000000000aa is my own ID"), "-DUPLICATE replica 00000000000000aa is my own ID\r\n"},
		{fmt.Errorf("sync: %w", csync.Error("SELF")), "-SELF\r\n"},
		{errors.New("out of luck"), "-ERR CSYNC: out of luck\r\n"},
		{engine.ErrClosed, "-ERR CSYNC: server is shutting down\r\n"},
	} {
		n.answer = func(csync.SyncRequest) (csync.SyncAnswer, error) { return csync.SyncAnswer{}, test.err }
		if got := do(t, c, "CSYNC", "4", callerID, life, v, "BLOCK", "1000000"); got != test.want {
			t.Errorf("CSYNC that fails with %v = %q; want %q", test.err, got, test.want)
		}
	}
}

func TestWithoutReplication(t *testing.T) {
	c := newContext(t)
	v := string(tlv.AppendVector(nil, nil))
	for _, args := range [][]string{{"CSYNC", "4", callerID, life, v}, {"CSNAP", "4", callerID, life}, {"CPEER", "LIST"},
		{"CPEER", "ADD", "h:1"}, {"CPEER", "DEL", "h:1"}} {
		if got := do(t, c, args...); got != "-ERR replication is not running\r\n" {
			t.Errorf("%q = %q; want an error", args, got)
		}
	}
	want(t, c, "WAIT 0 0", ":0|")
	want(t, c, "WAIT 1 1", ":0|")
}
