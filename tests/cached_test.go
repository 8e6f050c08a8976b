package tests

import (
	"strings"
	"testing"
)

// TestCacheOfForeignCounter: a client that caches a counter at one server is told of increments at another one, and what it then
// reads is never older than what it was told of.
func TestCacheOfForeignCounter(t *testing.T) {
	for _, period := range []string{"0s", "200ms"} {
		c := newCluster(t, 2, mesh, "--update-period", period)
		cached := connect(t, c.members[0].Addr)
		for _, args := range []string{"HELLO 3", "CLIENT TRACKING ON"} {
			if r, err := cached.do(strings.Fields(args)...); err != nil || r.isError() {
				t.Fatalf("%s = %v, %v", args, r, err)
			}
		}
		c.ok(0, "INCR", "k")
		c.eventually(1, "1", "GET", "k")
		if r, err := cached.do("GET", "k"); err != nil || r.text != "1" {
			t.Fatalf("GET k = %v, %v; want 1", r, err)
		}
		for _, want := range []string{"2", "3", "4"} {
			c.expect(1, want, "INCR", "k")
			awaitInvalidation(t, cached, "k")
			if r, err := cached.do("GET", "k"); err != nil || r.text != want {
				t.Errorf("period %s: GET k after the invalidation = %v, %v; want %s", period, r, err, want)
			}
		}
		c.expect(1, "1", "EXPIRE", "k", "3600")
		awaitInvalidation(t, cached, "k") // the expiry has arrived
		if r, err := cached.do("GET", "k"); err != nil || r.text != "4" {
			t.Errorf("period %s: GET k = %v, %v; want 4", period, r, err)
		}
		c.expect(1, "1", "PEXPIRE", "k", "500")
		for gone := false; !gone; { // told when the expiry arrives, if that is in time, and when it is over
			awaitInvalidation(t, cached, "k")
			r, err := cached.do("GET", "k")
			if err != nil || !r.null && r.text != "4" {
				t.Fatalf("period %s: GET k = %v, %v; want 4, and nothing after its time", period, r, err)
			}
			gone = r.null
		}
		c.expect(1, "1", "INCR", "k")
		awaitInvalidation(t, cached, "k")
	}
}

// awaitInvalidation reads until the client is told of a key: it may be told twice.
func awaitInvalidation(t *testing.T, c *conn, key string) {
	t.Helper()
	for {
		r, err := c.read()
		if err != nil {
			t.Fatalf("read = %v; want an invalidation of %q", err, key)
		}
		if r.mark == '>' && len(r.parts) == 2 && len(r.parts[1].parts) == 1 && r.parts[1].parts[0].text == key {
			return
		}
		t.Errorf("read = %v; want an invalidation of %q", r, key)
	}
}
