package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// fill increments n keys of a name by one, in pipelines.
func (c *cluster) fill(i int, name string, n int) {
	c.t.Helper()
	c.pipeline(i, n, func(k int) []string { return []string{"INCR", fmt.Sprintf("%s:%d", name, k)} })
}

// pipeline sends n commands, none of which may fail.
func (c *cluster) pipeline(i, n int, command func(int) []string) {
	c.t.Helper()
	conn := connect(c.t, c.members[i].Addr)
	for sent := 0; sent < n; sent += 500 {
		var b []byte
		count := min(500, n-sent)
		for k := range count {
			b = appendCommand(b, command(sent+k)...)
		}
		if err := conn.send(b); err != nil {
			c.t.Fatal(err)
		}
		for range count {
			if r, err := conn.read(); err != nil || r.isError() {
				c.t.Fatalf("server %d: a command of the pipeline = %v, %v\n%s", i, r, err, c.members[i].Log())
			}
		}
	}
}

// TestCatchUp: a server that was stopped, or killed, gets what it missed, and the others get what it had not yet told.
func TestCatchUp(t *testing.T) {
	c := newCluster(t, 3, mesh)
	for _, end := range []func(int){c.stop, c.kill} {
		c.cut(2)
		c.fill(2, "both", 1000) // nobody has these when it ends
		end(2)
		c.heal()
		c.fill(0, "both", 2000)
		c.fill(1, "away", 2000)
		c.pipeline(1, 500, func(k int) []string { return []string{"DEL", fmt.Sprintf("away:%d", 2*k)} })
		c.start(2)
		c.fill(2, "both", 500)
	}
	got := c.checkEqual()
	for k, want := range map[string]int64{"both:0": 6, "both:499": 6, "both:999": 4, "both:1999": 2, "away:0": 0, "away:1": 2, "away:1999": 2} {
		if got[k] != want {
			t.Errorf("%s = %d; want %d", k, got[k], want)
		}
	}
}

// TestChain: what server 0 and server 2 say goes through server 1, which may be away.
func TestChain(t *testing.T) {
	c := newCluster(t, 4, chain)
	for i := range c.members {
		c.incr(i, 1)
	}
	c.sync()
	c.cut(1)
	c.incr(0, 10)
	c.incr(3, 100)
	c.reach(3, 2)
	c.expect(2, "104", "GET", "k")
	c.heal()
	c.checkK(114)
	c.kill(2)
	c.incr(0, 1)
	c.incr(3, 1)
	c.start(2)
	c.checkK(116)
	c.ok(3, "DEL", "k")
	c.checkK(0)
}

// transferCluster is two servers of which server 1 has been away for longer than the log of server 0 reaches back.
func transferCluster(t *testing.T) *cluster {
	c := newCluster(t, 2, mesh, "--repl-backlog", "1mb", "--loglevel", "notice")
	c.fill(0, "old", 5000)
	c.sync()
	c.cut(1)
	c.fill(0, "new", 60_000)
	for range 3 {
		c.fill(0, "again", 20_000)
		c.expect(0, "1", "CWAIT", c.ok(0, "CTOKEN").text, "15000") // a batch of its own
	}
	c.pipeline(0, 4000, func(k int) []string { return []string{"DEL", fmt.Sprintf("old:%d", k)} })
	c.fill(1, "new", 1000) // concurrently
	c.fill(1, "old", 100)
	return c
}

// checkTransferred compares both with what transferCluster and n more increments of server 0's k have made.
func (c *cluster) checkTransferred(n int64) {
	c.t.Helper()
	got := c.checkEqual()
	for k, want := range map[string]int64{"old:0": 1, "old:99": 1, "old:100": 0, "old:4000": 1, "new:0": 2, "new:999": 2, "new:1000": 1, "again:1": 3, "k": n} {
		if got[k] != want {
			c.t.Errorf("%s = %d; want %d", k, got[k], want)
		}
	}
	if want := 100 + 1000 + 60_000 + 20_000 + int(min(n, 1)); len(got) != want {
		c.t.Errorf("%d keys; want %d", len(got), want)
	}
}

// TestTransfer: the log no longer reaches back, so the state is fetched, while both go on.
func TestTransfer(t *testing.T) {
	c := transferCluster(t)
	c.heal()
	c.incr(0, 5)
	c.checkTransferred(5)
	c.checkTransfers(1)
	c.waitLog(1, "the state of the peer is here", "keys=", "bytes=", "took=")
}

// checkTransfers: server 1 has fetched the state from server 0 so often.
func (c *cluster) checkTransfers(n int) {
	c.t.Helper()
	if p := c.peer(1, c.link(1, 0).Addr); p["transfers"] != strconv.Itoa(n) {
		c.t.Errorf("INFO replication counts %q transfers; want %d: %v", p["transfers"], n, p)
	}
}

// TestTransferCut: a transfer goes on where it was cut, also when the receiver was killed.
func TestTransferCut(t *testing.T) {
	c := transferCluster(t)
	l := c.link(1, 0)
	l.Heal()
	l.Throttle(3 << 17)
	c.waitLog(1, "fetching the state", "keys=", "percent=", "bytes=", "keys_per_second=")
	l.Cut()
	c.kill(1)
	c.incr(0, 5)
	c.heal()
	c.start(1)
	c.checkTransferred(5)
	c.waitLog(1, "goes on where it was")
}

// TestJoin: a server with an empty store joins two that have trimmed their logs, while they take writes, and so does it, as it is told to.
func TestJoin(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.fill(0, "k", 20_000)
	c.sync()
	c.fill(1, "k", 10_000)
	i := c.add()
	for j := range i {
		c.members[i].args = append(c.members[i].args, "--peer", c.link(i, j).Addr)
	}
	c.members[i].args = append(c.members[i].args, "--join-serve", "yes")
	c.start(i)
	c.fill(0, "k", 10_000)
	c.ok(0, "CPEER", "ADD", c.link(0, i).Addr)
	c.fill(i, "k", 5000) // before it has all
	got := c.checkEqual()
	for k, want := range map[string]int64{"k:0": 4, "k:5000": 3, "k:10000": 1} {
		if got[k] != want {
			t.Errorf("%s = %d; want %d", k, got[k], want)
		}
	}
	if len(got) != 20_000 {
		t.Errorf("%d keys; want 20000", len(got))
	}
}

// TestJoinWhole: while a server with an empty store gets its first state, over a restart too, its clients see nothing of that, so never half of a
// transaction of another server; only then it answers.
func TestJoinWhole(t *testing.T) {
	c := newCluster(t, 1, detached, "--update-period", "0")
	const pairs = 40_000
	transaction := func(n int) [4][]string {
		return [4][]string{{"MULTI"}, {"INCR", fmt.Sprintf("a:%d", n)}, {"INCR", fmt.Sprintf("z:%d", n)}, {"EXEC"}}
	}
	c.pipeline(0, 4*pairs, func(k int) []string { return transaction(k / 4)[k%4] })
	i := c.add()
	l := c.link(i, 0)
	l.Throttle(1 << 18) // so slow that a busy machine sees a page come before the last has
	c.members[i].args = []string{"--peer", l.Addr}
	c.launch(i)
	c.listens(i)
	c.until("a page of the state has come", func() error {
		if p := c.peer(i, l.Addr); p["transfer_done"] == "" || p["transfer_done"] == "0" {
			return fmt.Errorf("the source is %v", p)
		}
		return nil
	})
	c.kill(i)
	l.Throttle(1 << 20)
	c.launch(i)
	c.listens(i)
	loading := 0
	for n := 0; n < 1000; {
		pair := transaction(rand.IntN(pairs))
		for _, command := range pair {
			c.ok(0, command...)
		}
		c.do(i, "MULTI")
		c.do(i, "GET", pair[1][1])
		c.do(i, "GET", pair[2][1])
		r := c.do(i, "EXEC")
		if r.isError() {
			loading++
			continue
		}
		n++
		if a, b := r.parts[0], r.parts[1]; a.null || a.text != b.text {
			t.Fatalf("%s = %v, %s = %v; want the same in both, and some", pair[1][1], a, pair[2][1], b)
		}
	}
	if loading == 0 {
		t.Error("the server has answered before it had anything")
	}
	c.checkEqual()
}

// TestTransferSourceLost: the source of a transfer is lost in the middle, with increments that nobody else has. The receiver takes the
// state of another peer instead, says until then that it waits, and what has come of the lost increments is at both.
func TestTransferSourceLost(t *testing.T) {
	c := newCluster(t, 3, detached, "--repl-backlog", "1mb", "--loglevel", "notice")
	const keys = 60_000
	c.ok(0, "CPEER", "ADD", c.link(0, 2).Addr)
	c.fill(2, "k", keys)
	c.reach(2, 0)
	c.link(0, 2).Cut()
	c.fill(2, "k", keys)
	c.expect(2, "1", "CWAIT", c.ok(2, "CTOKEN").text, "15000") // or the snapshot would not have it
	source, other := c.link(1, 2).Addr, c.link(1, 0).Addr
	c.link(1, 2).Throttle(1 << 18)
	c.ok(1, "CPEER", "ADD", source)
	c.until("a page of the state comes", func() error {
		if p := c.peer(1, source); p["transfer_done"] == "" || p["transfer_done"] == "0" {
			return fmt.Errorf("the source is %v", p)
		}
		return nil
	})
	c.ok(1, "CPEER", "ADD", other)
	c.ok(0, "CPEER", "ADD", c.link(0, 1).Addr)
	c.kill(2)
	c.members = c.members[:2]
	c.until("the other peer's state is here", func() error {
		p := c.peer(1, other)
		if p["transfers"] == "1" {
			return nil
		}
		if p["state"] == "syncing" {
			t.Fatalf("before the state is here the other peer is %v", p)
		}
		return fmt.Errorf("the other peer is %v", p)
	})
	came := 0
	got := c.checkEqual()
	for _, n := range got {
		if n == 2 {
			came++
		}
	}
	if len(got) != keys || came == 0 || came == keys {
		t.Errorf("%d keys, of %d of them the lost increment; want %d, and some", len(got), came, keys)
	}
}
