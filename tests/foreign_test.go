package tests

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// arrived waits until a member has in its store what another one has now, without making it show: WAIT asks only the peers
// for what they have.
func (c *cluster) arrived(from, peers int) {
	c.t.Helper()
	c.until(fmt.Sprintf("what server %d has written, on its peers", from), func() error {
		if r := c.ok(from, "WAIT", strconv.Itoa(peers), "5000"); r.text != strconv.Itoa(peers) {
			return fmt.Errorf("WAIT = %v", r)
		}
		return nil
	})
}

// TestUpdatePeriod: what is cached stays as it is for the period, what is not is fresh, and local writes always show.
func TestUpdatePeriod(t *testing.T) {
	c := newCluster(t, 2, mesh, "--update-period", stale)
	c.ok(1, "INCRBY", "k", "10")
	c.sync()
	c.expect(0, "10", "GET", "k")
	c.ok(1, "INCRBY", "k", "100")
	c.ok(1, "INCRBY", "cold", "3")
	c.arrived(1, 1)
	c.expect(0, "10", "GET", "k")
	c.expect(0, "11", "INCR", "k")
	c.expect(0, "3", "GET", "cold")
	c.expect(0, "111", "GETDEL", "k") // returns what it cancels: all
	c.sync()
	c.expect(1, "(nil)", "GET", "k")

	c.ok(0, "CONFIG", "SET", "update-period", "0")
	c.ok(0, "INCR", "fresh")
	c.sync()
	c.ok(1, "INCR", "fresh")
	c.arrived(1, 1)
	c.expect(0, "2", "GET", "fresh")
}

// TestUpdatePeriodEnds: after the period a value shows by itself.
func TestUpdatePeriodEnds(t *testing.T) {
	c := newCluster(t, 2, mesh, "--update-period", "50ms")
	c.expect(0, "(nil)", "GET", "k")
	c.ok(1, "INCR", "k")
	c.eventually(0, "1", "GET", "k")
}

// TestSize: DBSIZE, KEYS and SCAN agree everywhere after keys have come and gone everywhere.
func TestSize(t *testing.T) {
	c := newCluster(t, 3, mesh)
	for i := range 300 {
		key := fmt.Sprintf("k:%d", i)
		c.ok(i%3, "INCR", key)
		c.ok((i+1)%3, "INCR", key)
		if i%10 == 0 { // at the same time: what it has not seen survives
			c.ok((i+2)%3, "DEL", key)
		}
	}
	c.sync()
	for i := range 150 {
		c.ok((i+2)%3, "DEL", fmt.Sprintf("k:%d", 2*i))
	}
	if got := len(c.checkEqual()); got != 150 {
		t.Errorf("%d keys are left; want 150", got)
	}
	c.ok(1, "FLUSHALL")
	if got := len(c.checkEqual()); got != 0 {
		t.Errorf("%d keys are left after FLUSHALL; want none", got)
	}
}

// TestExpiry: an expiry set on one server ends the key on all; what was added elsewhere and not seen by then survives.
func TestExpiry(t *testing.T) {
	c := newCluster(t, 2, mesh, "--update-period", "0")
	c.ok(0, "INCRBY", "k", "5")
	c.ok(0, "PEXPIRE", "k", "700")
	c.reach(0, 1)
	if ttl, err := c.ok(1, "PTTL", "k").int(); err != nil || ttl == -1 || ttl > 700 {
		t.Errorf("PTTL on the other server = %d, %v; want at most 700, or -2", ttl, err)
	}
	for i := range c.members {
		c.eventually(i, "(nil)", "GET", "k")
		c.eventually(i, "0", "DBSIZE")
	}

	c.ok(0, "INCRBY", "late", "5")
	c.ok(0, "PEXPIRE", "late", "500")
	c.reach(0, 1)
	c.cut(0)
	c.ok(1, "PERSIST", "late") // what server 0 will have cancelled by then is gone all the same
	c.ok(1, "INCRBY", "late", "3")
	c.eventually(0, "(nil)", "GET", "late")
	c.eventually(0, "0", "DBSIZE") // carried out, and not only due: a PERSIST that is later wins over one that is not
	c.heal()
	c.sync()
	if got := c.checkEqual()["late"]; got != 3 {
		t.Errorf("late = %d; want 3: what server 0 had not seen when it expired there", got)
	}
}

// TestExpiryRemembered: who set the expiry is dead when it is due.
func TestExpiryRemembered(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.ok(0, "INCR", "k")
	c.ok(0, "PEXPIREAT", "k", strconv.FormatInt(time.Now().Add(time.Second).UnixMilli(), 10))
	c.reach(0, 1)
	c.kill(0)
	c.eventually(1, "(nil)", "GET", "k")
	c.expect(1, "1", "INCR", "k") // a new key
	c.expect(1, "-1", "TTL", "k")
	c.start(0)
	c.sync()
	c.eventually(0, "1", "GET", "k")
	if got := c.checkEqual()["k"]; got != 1 {
		t.Errorf("k = %d; want 1", got)
	}
}
