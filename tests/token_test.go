package tests

import "testing"

// stale is an update period in which a cached foreign value stays what it was.
const stale = "1h"

// TestWait: WAIT counts the peers that have made this connection's writes durable.
func TestWait(t *testing.T) {
	c := newCluster(t, 3, mesh)
	c.ok(0, "INCR", "k")
	c.expect(0, "2", "WAIT", "2", "0")
	c.cut(2)
	c.ok(0, "INCR", "k")
	c.expect(0, "1", "WAIT", "1", "0")
	c.expect(0, "1", "WAIT", "2", "300")
	for i := range 2 { // what was waited for is there, whatever becomes of the others
		c.kill(i)
	}
	c.start(1)
	c.expect(1, "2", "GET", "k")
	c.start(0)
	c.heal()
	c.sync()
	c.expect(2, "2", "GET", "k")
	c.ok(0, "INCR", "k")
	c.expect(0, "2", "WAIT", "2", "0")
}

// TestToken: with what one server gives as a token, another one waits until it shows at least as much: read your writes,
// and your reads, across a fail-over. The values of others would be stale for an hour without it.
func TestToken(t *testing.T) {
	c := newCluster(t, 3, chain, "--update-period", stale)
	for i := range c.members {
		c.ok(i, "GET", "k") // cached
	}
	c.ok(0, "INCRBY", "k", "5")
	token := c.ok(0, "CTOKEN").text
	c.expect(2, "1", "CWAIT", token, "0")
	c.expect(2, "5", "GET", "k")

	token = c.ok(2, "CTOKEN").text // what was read is in it, too
	c.expect(1, "1", "CWAIT", token, "0")
	c.expect(1, "5", "GET", "k")

	c.cut(1)
	c.ok(0, "INCRBY", "k", "2")
	token = c.ok(0, "CTOKEN").text
	c.expect(2, "0", "CWAIT", token, "200")
	c.expect(2, "5", "GET", "k")
	c.heal()
	c.expect(2, "1", "CWAIT", token, "0")
	c.expect(2, "7", "GET", "k")
	c.expect(0, "1", "CWAIT", token, "0") // who gave it has it
	for _, bad := range []string{"?", "nonsense", token + "x", token[:len(token)-1]} {
		if r := c.do(0, "CWAIT", bad, "10"); !r.isError() {
			t.Errorf("CWAIT %q = %v; want an error", bad, r)
		}
	}
}
