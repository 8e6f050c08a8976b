package commands

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// WAIT replies when enough peers have acknowledged, at once if they have, or how many have at the end of its time.
func TestWait(t *testing.T) {
	c, n := replicated(t)
	do(t, c, "INCR", "k")
	want(t, c, "WAIT 1 1", ":0|")
	n.ack(2)
	want(t, c, "WAIT 2 0", ":2|")
	want(t, c, "WAIT 1 0", ":2|")
	c.Out.Buf = nil
	c.Run(words("WAIT", "3", "0"))
	c.Resume() // it runs with no lock held
	for peers := range 2 {
		n.ack(peers)
		await(t, c)
		c.Resume()
		if c.Wait == nil || len(c.Out.Buf) > 0 {
			t.Fatalf("with %d of 3 peers: waits %v, %q; want it to wait", peers, c.Wait, c.Out.Buf)
		}
	}
	n.ack(4)
	await(t, c)
	c.Resume()
	if got := string(c.Out.Buf); c.Wait != nil || got != ":4\r\n" {
		t.Errorf("with 4 of 3 peers: waits %v, %q; want :4", c.Wait, got)
	}
}

// What WAIT asks for is what this connection has written, and a flush brings it about: nobody has to ask for one.
func TestWaitAsksForWhatIsWritten(t *testing.T) {
	c, n := replicated(t)
	var asked []tlv.Stamp
	c.Server.Replication = askedNode{n, &asked}
	want(t, c, "WAIT 0 0", ":0|")
	c.Run(words("INCR", "k"))
	c.Out.Buf = nil
	want(t, c, "WAIT 0 0", ":0|")
	if len(asked) != 2 || asked[0] != 0 || asked[1] == 0 {
		t.Fatalf("asked for %d; want 0, then a stamp", asked)
	}
	for e := c.Server.Engine; ; {
		news := e.News()
		if e.Vector().Entry(e.ReplicaID()).Stamp >= asked[1] {
			return
		}
		select {
		case <-news:
		case <-time.After(patience):
			t.Fatal("the vector does not reach what was asked for")
		}
	}
}

type askedNode struct {
	*fakeNode
	asked *[]tlv.Stamp
}

func (n askedNode) Acked(s tlv.Stamp) int {
	*n.asked = append(*n.asked, s)
	return 0
}

func TestTokens(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	token := func() string { return reparse(t, do(t, c, "CTOKEN")).(string) }
	before := token()
	want(t, c, "CWAIT "+before+" 0", ":1|")
	do(t, c, "INCR", "k")
	after := token()
	if after == before {
		t.Errorf("CTOKEN after a write = %q, as before; want another", after)
	}
	want(t, c, "CWAIT "+after+" 0", ":1|") // flushes by itself
	elsewhere := connect(t, newServer(t))
	want(t, elsewhere, "CWAIT "+before+" 0", ":1|")
	want(t, elsewhere, "CWAIT "+after+" 1", ":0|")
	for _, bad := range []string{"x", "!!", "", after[1:], after + "AAAA", "dgEA"} {
		if got := do(t, c, "CWAIT", bad, "1"); !strings.HasPrefix(got, "-ERR CWAIT: this is not a token of CTOKEN") {
			t.Errorf("CWAIT %q = %q; want an error", bad, got)
		}
	}
	want(t, c, "CWAIT "+after+" x", "-ERR timeout is not an integer or out of range|")
	want(t, c, "CWAIT "+after+" -1", "-ERR timeout is negative|")
}

// A token of one replica is waited for at another: the batches bring it, and then it shows whatever the update period.
func TestTokenOfAnotherReplica(t *testing.T) {
	a, b := connect(t, newServer(t)), connect(t, newServer(t))
	if err := a.Server.Engine.KeepLog(); err != nil {
		t.Fatal(err)
	}
	want(t, b, "CONFIG SET update-period 1h", "+OK|")
	want(t, b, "GET k", "$-1|")
	do(t, a, "INCRBY", "k", "5")
	token := reparse(t, do(t, a, "CTOKEN")).(string)
	b.Out.Buf = nil
	b.Run(words("CWAIT", token, "0"))
	b.Resume()
	if b.Wait == nil {
		t.Fatalf("CWAIT before the batch = %q; want it to wait", b.Out.Buf)
	}
	bring(t, a, b)
	for b.Wait != nil {
		await(t, b)
		b.Resume()
	}
	if got := string(b.Out.Buf); got != ":1\r\n" {
		t.Errorf("CWAIT after the batch = %q; want 1", got)
	}
	want(t, b, "GET k", "$1|5|")
}

// A token that this replica gave under an ID that it has given up since, in a fork, is an error, also where it was waited for
// already.
func TestTokenThatNeverComes(t *testing.T) {
	c := newContext(t)
	e := c.Server.Engine
	do(t, c, "INCR", "k")
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	old := e.ReplicaID()
	pending := tokenText.EncodeToString(tlv.AppendVector(nil,
		vectorOf(tlv.VectorEntry{Replica: old, Stamp: 1<<63 - 1, Life: e.Life()})))
	c.Out.Buf = nil
	c.Run(words("CWAIT", pending, "0"))
	c.Resume()
	if c.Wait == nil {
		t.Fatalf("CWAIT of what is pending = %q; want it to wait", c.Out.Buf)
	}
	if err := e.Rename(tlv.VectorEntry{Replica: old, Stamp: 1, Life: 9}); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	for c.Wait != nil {
		await(t, c)
		c.Resume()
	}
	never := fmt.Sprintf("-ERR CWAIT: what the token speaks of was given up in a fork: replica %016x is another one now", uint64(old))
	if got := string(c.Out.Buf); got != never+"\r\n" {
		t.Errorf("CWAIT that waits = %q; want %q", got, never)
	}
	want(t, c, "CWAIT "+pending+" 0", never+"|")
	want(t, c, "CWAIT "+reparse(t, do(t, c, "CTOKEN")).(string)+" 0", ":1|")
}

// bring applies at b what a has published.
func bring(t *testing.T, a, b *Context) {
	t.Helper()
	if err := a.Server.Engine.Flush(); err != nil {
		t.Fatal(err)
	}
	log, err := a.Server.Engine.Batches(b.Server.Engine.Vector(), 0, 1<<20)
	if err != nil || len(log.Batches) == 0 {
		t.Fatalf("Batches = %d of them, %v; want some", len(log.Batches), err)
	}
	for _, data := range log.Batches {
		batch, _, err := tlv.ParseBatch(data)
		if err == nil {
			err = b.Server.Engine.Apply(&batch)
		}
		if err != nil {
			t.Fatalf("Apply = %v", err)
		}
	}
}

// brokenStore is a server on a disk that breaks before what was written has reached the database.
func brokenStore(t *testing.T) (*Context, *fakeNode) {
	t.Helper()
	disk := enginetest.NewDisk(rand.New(rand.NewPCG(1, 2)).Uint64)
	c, n := connect(t, newServerWith(t, engine.Options{Disk: disk})), new(fakeNode)
	c.Server.Replication = n
	do(t, c, "INCR", "stored")
	if err := c.Server.Engine.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	do(t, c, "INCR", "k")
	disk.Break()
	return c, n
}

// Who waits for what will never be stored, because the store has failed, gets an error: also for ever, and also afterwards.
func TestWaitForFailedStore(t *testing.T) {
	for _, name := range []string{"WAIT 1 0", "CWAIT token 0"} {
		t.Run(name, func(t *testing.T) {
			c, n := brokenStore(t)
			line := strings.Replace(name, "token", reparse(t, do(t, c, "CTOKEN")).(string), 1)
			c.Out.Buf = nil
			c.Run(words(strings.Fields(line)...))
			for range 3 {
				c.Resume() // until it waits for news
			}
			if c.Wait == nil {
				t.Fatalf("%s before the failure = %q; want it to wait", name, c.Out.Buf)
			}
			if err := c.Server.Engine.Flush(); !errors.Is(err, engine.ErrFailed) {
				t.Fatalf("Flush on a broken disk = %v; want %v", err, engine.ErrFailed)
			}
			for c.Wait != nil {
				await(t, c)
				c.Resume()
			}
			for range 2 {
				if got := string(c.Out.Buf); !strings.HasPrefix(got, "-MISCONF the store has failed") {
					t.Errorf("%s = %q; want the failure", name, got)
				}
				do(t, c, strings.Fields(line)...)
			}
			n.ack(1)
			if got := do(t, c, "WAIT", "1", "0"); got != ":1\r\n" {
				t.Errorf("WAIT with a peer that has all = %q; want 1", got)
			}
		})
	}
}

// What is stored peers can still get from a store that has failed.
func TestWaitForPeersOfFailedStore(t *testing.T) {
	c, n := brokenStore(t)
	other := connect(t, c.Server)
	written := tlv.VectorEntry{Replica: c.Server.Engine.ReplicaID(), Stamp: 1}
	if err := c.Server.Engine.Flush(); !errors.Is(err, engine.ErrFailed) {
		t.Fatalf("Flush on a broken disk = %v; want %v", err, engine.ErrFailed)
	}
	other.acked(&ackWait{command: "WAIT", wanted: 1, written: written, until: time.Time{}, reply: func(_ bool, peers int64) { other.Out.Int(peers) }}, false)
	if other.Wait == nil {
		t.Fatalf("WAIT for what is stored = %q; want it to wait", other.Out.Buf)
	}
	n.ack(1)
	await(t, other)
	other.Resume()
	if got := string(other.Out.Buf); got != ":1\r\n" {
		t.Errorf("WAIT for what is stored = %q; want 1", got)
	}
}

// A replica that gets a new ID does not know what its peers have of what it wrote under the old one, and nothing more of
// that will come.
func TestWaitOverNewID(t *testing.T) {
	c, n := replicated(t)
	e := c.Server.Engine
	do(t, c, "INCR", "k")
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Out.Buf = nil
	c.Run(words("WAIT", "1", "0"))
	for range 2 {
		c.Resume()
	}
	if c.Wait == nil {
		t.Fatalf("WAIT = %q; want it to wait", c.Out.Buf)
	}
	if err := e.Rename(tlv.VectorEntry{Replica: e.ReplicaID(), Stamp: 1, Life: 9}); err != nil {
		t.Fatalf("Rename = %v", err)
	}
	n.ack(0) // the node announces it
	for c.Wait != nil {
		await(t, c)
		c.Resume()
	}
	if got := string(c.Out.Buf); !strings.HasPrefix(got, "-ERR WAIT: this replica got a new ID") {
		t.Errorf("WAIT = %q; want an error", got)
	}
}
