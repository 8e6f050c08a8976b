package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"atomiccounter/commands/stats"
	"atomiccounter/engine"
)

// slowJournal syncs when the test says so.
type slowJournal struct {
	mu      sync.Mutex
	mode    engine.SyncMode
	durable engine.Position
	waiters []engine.Waiter
}

func (j *slowJournal) Sync() engine.SyncMode {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mode
}

func (j *slowJournal) setMode(m engine.SyncMode) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mode = m
}

func (j *slowJournal) Durable() engine.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

func (j *slowJournal) Notify(_ engine.Position, w engine.Waiter) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiters = append(j.waiters, w)
}

func (j *slowJournal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiters)
}

// sync tells the first n who wait.
func (j *slowJournal) sync(n int, err error) {
	j.mu.Lock()
	list := j.waiters[:n]
	j.waiters = j.waiters[n:]
	j.mu.Unlock()
	for _, w := range list {
		w.Durable(err)
	}
}

// connected gives an outbox, and its client's end.
func connected(t *testing.T) (*outbox, *slowJournal, *peer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := dial(t, l.Addr())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	sock, err := newSocket(nc, new(bufferPool), nil, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sock.end(); err != nil {
			t.Error(err)
		}
	})
	j := &slowJournal{mode: engine.Always}
	return newOutbox(sock, func() journal { return j }, new(stats.Stats)), j, p
}

func mustSend(t *testing.T, o *outbox, reply string, pos engine.Position) {
	t.Helper()
	if err := o.send([]byte(reply), pos); err != nil {
		t.Fatalf("send(%.20q, %d) = %v; want nil", reply, pos, err)
	}
}

func TestOutboxWaitsForTheJournal(t *testing.T) {
	o, j, p := connected(t)
	mustSend(t, o, "+read\r\n", 0) // depends on nothing
	p.want("+read\r\n")
	mustSend(t, o, ":1\r\n", 10)
	mustSend(t, o, ":2\r\n", 20)
	mustSend(t, o, "+later\r\n", 0) // depends on nothing, but comes after those
	j.setMode(engine.EverySec)
	mustSend(t, o, ":3\r\n", 30) // needs not wait itself
	if n := j.waiting(); n != 4 {
		t.Fatalf("%d replies wait; want 4", n)
	}
	j.sync(1, nil)
	p.want(":1\r\n")
	j.sync(3, nil)
	p.want(":2\r\n+later\r\n:3\r\n")
	mustSend(t, o, ":4\r\n", 40)
	p.want(":4\r\n")
	if err := o.finish(); err != nil {
		t.Errorf("finish = %v; want nil", err)
	}
	p.Close()
}

func TestOutboxSendsNothingUnsynced(t *testing.T) {
	o, j, p := connected(t)
	mustSend(t, o, ":1\r\n", 10)
	mustSend(t, o, ":2\r\n", 20)
	j.sync(2, errors.New("input/output error"))
	p.wantEnd("-ERR input/output error\r\n")
	if err := o.waitRoom(); err != nil {
		t.Errorf("waitRoom with an empty queue = %v; want nil", err)
	}
	if err := o.finish(); err == nil {
		t.Error("finish = nil; want the journal's error")
	}
	if err := o.send([]byte(":3\r\n"), 30); err == nil {
		t.Error("send after a failed sync = nil; want an error")
	}
}

func TestOutboxIsBounded(t *testing.T) {
	o, j, _ := connected(t)
	for i := 0; i < maxWaitingRounds; i++ {
		if err := o.waitRoom(); err != nil {
			t.Fatal(err)
		}
		mustSend(t, o, ":1\r\n", engine.Position(i+1))
	}
	room := make(chan error)
	go func() { room <- o.waitRoom() }()
	select {
	case err := <-room:
		t.Fatalf("waitRoom with %d rounds waiting = %v; want it to wait", maxWaitingRounds, err)
	case <-time.After(20 * time.Millisecond): // it is enough that a wrong waitRoom is nearly always caught
	}
	j.sync(1, nil)
	if err := <-room; err != nil {
		t.Errorf("waitRoom = %v; want nil", err)
	}
	j.sync(maxWaitingRounds-1, nil)
}

// The syncer does not wait for a client that does not read, and the client gets all in order when it does.
func TestOutboxSlowReader(t *testing.T) {
	o, j, p := connected(t)
	var want strings.Builder
	for i := range 40 {
		reply := fmt.Sprintf("+%d %s\r\n", i, strings.Repeat("z", 200<<10))
		want.WriteString(reply)
		mustSend(t, o, reply, engine.Position(i+1))
		j.sync(1, nil)
	}
	p.want(want.String())
	if err := o.finish(); err != nil {
		t.Errorf("finish = %v; want nil", err)
	}
	if cap(o.queue) > bufferSize {
		t.Errorf("an empty queue keeps %d bytes; want at most %d", cap(o.queue), bufferSize)
	}
}

func TestOutboxClientGone(t *testing.T) {
	o, j, p := connected(t)
	big := "+" + strings.Repeat("z", 8<<20) + "\r\n"
	mustSend(t, o, big, 1)
	mustSend(t, o, big, 2)
	j.sync(1, nil)
	p.Close()
	if err := o.sock.wire.flush(); err == nil {
		t.Error("flush = nil; want the error of a client that has gone")
	}
	j.sync(1, nil)
	if err := o.finish(); err == nil {
		t.Error("finish = nil; want the client's end")
	}
}

func TestAlways(t *testing.T) {
	r := serve(t, Options{}, with(openEngine(t, engine.Always)))
	var clients sync.WaitGroup
	for range 8 {
		p := r.dial(t)
		clients.Go(func() {
			for range 50 {
				if _, err := io.WriteString(p.Conn, "INCR a\r\nINCR b\r\nGET a\r\n"); err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					if line, err := p.ReadString('\n'); err != nil || line[0] != ':' {
						t.Errorf("INCR = %q, %v; want an integer", line, err)
					}
				}
				for range 2 {
					if _, err := p.ReadString('\n'); err != nil {
						t.Error(err)
					}
				}
				if e := r.shared.Engine; e.Stats().JournalSyncs == 0 {
					t.Error("a reply came before the first sync")
				}
			}
		})
	}
	clients.Wait()
	p := r.dial(t)
	p.send("GET a\r\nCONFIG SET appendfsync everysec\r\nINCR a\r\n")
	p.want("$3\r\n400\r\n+OK\r\n:401\r\n")
}

// A pipeline is answered although its client has closed its half, as nc and printf do.
func TestHalfClosed(t *testing.T) {
	p := serve(t, Options{}, with(openEngine(t, engine.Always))).dial(t)
	p.send(strings.Repeat("INCR k\r\n", 3))
	if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.wantEnd(":1\r\n:2\r\n:3\r\n")
}
