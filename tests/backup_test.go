package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// incr increments k and gives nothing to wait for: it is acknowledged.
func (c *cluster) incr(i, n int) {
	c.t.Helper()
	for range n {
		c.ok(i, "INCR", "k")
	}
}

// replaceStore gives a member that is dead another store.
func (c *cluster) replaceStore(i int, from string) {
	c.t.Helper()
	copyStore(c.t, c.members[i].dir, from)
}

// checkK: all members have the same, and k is n.
func (c *cluster) checkK(n int64) {
	c.t.Helper()
	if got := c.checkEqual()["k"]; got != n {
		c.t.Errorf("k = %d; want %d", got, n)
	}
}

// TestBackup: the copy that CBACKUP makes of a running store is whole, and started beside the others it is a replica of its own.
func TestBackup(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.incr(0, 10)
	c.incr(1, 5)
	c.sync()
	c.ok(0, "CBACKUP", "copy")
	dir := filepath.Join(c.members[0].dir, "backups", "copy")
	c.incr(0, 3)
	if out, err := exec.Command(ours.Path, "check", dir).CombinedOutput(); err != nil {
		t.Errorf("check of the copy: %v\n%s", err, out)
	}
	if r := c.do(0, "CBACKUP", dir); !r.isError() {
		t.Errorf("CBACKUP over a store = %v; want an error", r)
	}
	i := c.add()
	copyStore(t, c.members[i].dir, dir)
	c.start(i)
	c.expect(i, "15", "GET", "k") // as it was
	if c.id(i) == c.id(0) {
		t.Fatalf("the copy is replica %s, as the original is", c.id(i))
	}
	c.incr(i, 7)
	c.incr(0, 1)
	c.ok(i, "CPEER", "ADD", c.link(i, 1).Addr)
	c.ok(1, "CPEER", "ADD", c.link(1, i).Addr)
	c.checkK(26)
}

// TestRestore: a replica whose disk is lost starts from its backup, and loses nothing that its peers have.
func TestRestore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backups", "copy")
	c := newCluster(t, 2, mesh, "--backup-dir", filepath.Dir(dir))
	c.incr(0, 10)
	c.ok(0, "CBACKUP", dir)
	before := c.id(0)
	c.incr(0, 4)
	c.reach(0, 1)
	c.kill(0)
	c.incr(1, 1)
	c.replaceStore(0, dir)
	c.start(0)
	c.incr(0, 2)
	c.checkK(17)
	if c.id(0) == before {
		t.Errorf("the restored store is still replica %s", before)
	}
}

// TestKilledServerKeepsItsID: one that lost nothing, as those who know it confirm, goes on as it was.
func TestKilledServerKeepsItsID(t *testing.T) {
	c := newCluster(t, 2, mesh)
	before := c.id(0)
	for range 3 {
		c.incr(0, 5)
		c.reach(0, 1)
		c.kill(0)
		c.start(0)
		c.incr(0, 5)
		c.reach(0, 1) // it publishes again
		if after := c.id(0); after != before {
			t.Fatalf("the server was killed and is now replica %s; it was %s and has lost nothing", after, before)
		}
	}
	c.checkK(30)
}

// TestRollBack: a store is replaced by an earlier copy of itself, made by cp. With a peer that is reachable nothing is
// lost of what the peer has, and nothing that is acknowledged from then on.
func TestRollBack(t *testing.T) {
	c := newCluster(t, 2, mesh)
	dir := filepath.Join(t.TempDir(), "copy")
	c.incr(0, 10)
	c.reach(0, 1)
	c.kill(0)
	copyStore(t, dir, c.members[0].dir)
	c.start(0)
	before := c.id(0)
	c.incr(0, 10)
	c.reach(0, 1)
	for range 2 { // also when it happens again
		c.kill(0)
		c.replaceStore(0, dir)
		c.start(0)
		c.incr(0, 5)
		c.sync()
		if c.id(0) == before {
			t.Errorf("the store that was rolled back is still replica %s", before)
		}
	}
	c.checkK(30)
	c.waitLog(0, "level=WARN", before)
}

// TestRollBackAlone: as above, but no peer is reachable until the server has published under its old ID. All end equal,
// nothing that the peer had is lost, and what comes later counts.
func TestRollBackAlone(t *testing.T) {
	c := newCluster(t, 2, mesh)
	dir := filepath.Join(t.TempDir(), "copy")
	c.incr(0, 10)
	c.reach(0, 1)
	c.kill(0)
	copyStore(t, dir, c.members[0].dir)
	c.start(0)
	before := c.id(0)
	c.incr(0, 10)
	c.reach(0, 1)
	c.kill(0)
	c.replaceStore(0, dir)
	c.cut(0)
	c.start(0)
	c.incr(0, 5)
	c.expect(0, "1", "CWAIT", c.ok(0, "CTOKEN").text, "15000") // it has published
	c.heal()
	c.until("a new ID of server 0", func() error {
		if c.id(0) == before {
			return errNot("it is still " + before)
		}
		return nil
	})
	c.until("what the peer had on server 0", func() error { // a token of what it had instead would never come true
		if n, err := c.do(0, "GET", "k").int(); err != nil || n < 20 {
			return fmt.Errorf("k = %d, %v", n, err)
		}
		return nil
	})
	k := c.checkEqual()["k"]
	if k < 20 || k > 25 {
		t.Errorf("k = %d; want 20, which the peer had, to 25, with what was added alone", k)
	}
	c.incr(0, 3)
	c.checkK(k + 3)
	c.stop(0)
	c.start(0)
	c.incr(0, 1)
	c.checkK(k + 4)
}

// errNot is a condition that does not hold yet.
type errNot string

func (e errNot) Error() string { return string(e) }

// TestDuplicate: the same store runs twice. Neither counts for the other.
func TestDuplicate(t *testing.T) {
	for _, published := range []bool{true, false} {
		t.Run("published="+strconv.FormatBool(published), func(t *testing.T) {
			c := newCluster(t, 2, mesh)
			c.incr(0, 10)
			c.sync()
			c.stop(0)
			i := c.add()
			copyStore(t, c.members[i].dir, c.members[0].dir)
			c.start(0)
			n := int64(10)
			if published { // under the ID, after the copy was made: the copy finds out before it publishes
				c.incr(0, 1)
				c.reach(0, 1)
				n++
			}
			for _, j := range []int{0, 1} {
				c.members[i].args = append(c.members[i].args, "--peer", c.link(i, j).Addr)
			}
			c.start(i)
			c.ok(0, "CPEER", "ADD", c.link(0, i).Addr)
			c.ok(1, "CPEER", "ADD", c.link(1, i).Addr)
			if !published { // nothing tells them apart but that they meet
				c.waitLog(i, c.id(0))
			}
			c.incr(i, 1)
			c.until("two IDs", func() error {
				if id := c.id(0); id == c.id(i) {
					return errNot("both are " + id)
				}
				return nil
			})
			c.sync()
			c.incr(0, 1)
			c.incr(1, 1)
			c.incr(i, 1)
			c.checkK(n + 4)
		})
	}
}

// TestForget: a replica is lost for good. What it added stays, what was deleted of it stays so, and CFORGET needs FORCE as long as
// it seems to be there.
func TestForget(t *testing.T) {
	c := newCluster(t, 3, mesh)
	for i := range c.members {
		c.incr(i, 1)
		c.ok(i, "INCR", "dead")
	}
	c.sync()
	lost := c.id(2)
	c.kill(2)
	c.members = c.members[:2]
	c.ok(0, "DEL", "dead")
	c.sync()
	for i := range c.members {
		for range 2 { // pulled from, and then heard just now
			if r := c.do(i, "CFORGET", lost); !r.isError() {
				t.Errorf("CFORGET of a replica that was there just now = %v; want an error", r)
			}
			c.ok(i, "CPEER", "DEL", c.link(i, 2).Addr)
		}
		if r := c.do(i, "CFORGET", lost, "FORCE"); r.isError() {
			t.Errorf("CFORGET = %v", r)
		}
		c.eventually(i, "(nil)", "CDUMP", "dead")
	}
	c.checkK(3)
	if r := c.do(0, "CFORGET", c.id(0)); !r.isError() {
		t.Errorf("CFORGET of itself = %v; want an error", r)
	}
	if r := c.do(0, "CFORGET", "nonsense"); !r.isError() {
		t.Errorf("CFORGET nonsense = %v; want an error", r)
	}
}
