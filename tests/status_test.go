package tests

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// TestRole: ROLE and INFO speak as a master's, with those that pull as its replicas, so that tools that know Redis show them.
func TestRole(t *testing.T) {
	c := newCluster(t, 3, mesh)
	c.ok(0, "INCR", "k")
	c.sync()
	if r := c.ok(0, "ROLE"); len(r.parts) != 3 || r.parts[0].text != "master" || len(r.parts[2].parts) != 2 {
		t.Errorf("ROLE = %v; want a master with two replicas", r)
	}
	info := c.ok(0, "INFO", "replication").text
	for name, want := range map[string]string{"role": "master", "connected_slaves": "2"} {
		if got := field(info, name); got != want {
			t.Errorf("INFO replication: %s = %q; want %q\n%s", name, got, want, info)
		}
	}
	if got := c.peers(0); len(got) != 2 {
		t.Errorf("INFO replication has the peers %v; want two", got)
	}
	c.ok(1, "INCR", "k")
	c.reach(1, 0)
	c.until("two peers that are known, of which one has sent something", func() error {
		received := 0
		for _, to := range []int{1, 2} {
			p := c.peer(0, c.link(0, to).Addr)
			n, err := strconv.Atoi(p["bytes_in"])
			if err != nil || p["state"] != "syncing" || p["id"] != c.id(to) {
				return fmt.Errorf("one is %v", p)
			}
			received += n
		}
		if received == 0 {
			return errNot("nothing has been received")
		}
		return nil
	})
	c.kill(2)
	c.waitState(0, c.link(0, 2).Addr, "down")
}

// TestContributions: CINFO shows what each replica added, and how long ago it was last heard.
func TestContributions(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.ok(0, "INCRBY", "k", "5")
	c.ok(1, "INCRBY", "k", "-2")
	c.sync()
	for i := range c.members {
		parts := c.ok(i, "CINFO", "k").attribute("contributions").parts
		if len(parts) != 2 {
			t.Fatalf("server %d: CINFO shows the contributions %v; want two", i, parts)
		}
		for _, p := range parts {
			id := p.attribute("replica").text
			if from := slices.Index([]string{c.id(0), c.id(1)}, id); from < 0 {
				t.Errorf("server %d: CINFO shows replica %q, which is nobody", i, id)
			}
			if ago, err := p.attribute("heard-ms-ago").int(); err != nil || ago < 0 {
				t.Errorf("server %d: CINFO says that %s was heard %d ms ago, %v", i, id, ago, err)
			}
		}
	}
}

// attribute is the value of a name in a map, or in a list of names and values.
func (r reply) attribute(name string) reply {
	for i := 0; i+1 < len(r.parts); i += 2 {
		if r.parts[i].text == name {
			return r.parts[i+1]
		}
	}
	return reply{null: true}
}
