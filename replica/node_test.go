package replica

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tidwall/redcon"

	"atomiccounter/engine"
)

// mesh begins n replicas, each of which pulls from all others.
func mesh(t *testing.T, n int) (list []*testReplica) {
	t.Helper()
	var addrs []string
	for range n {
		r := &testReplica{server: listen(t, nil), lines: &lines{}}
		list, addrs = append(list, r), append(addrs, r.addr())
	}
	for _, r := range list {
		r.run(t, engine.Options{InMemory: true, AwaitPeers: true}, Options{Peers: addrs})
	}
	return list
}

func TestMeshConverges(t *testing.T) {
	list := mesh(t, 3)
	var writers sync.WaitGroup
	for i, r := range list {
		writers.Go(func() {
			for k := range 300 {
				r.add(t, fmt.Sprintf("k%d", k%7), int64(i+1))
			}
		})
	}
	writers.Wait()
	for k := range 7 {
		key, want := fmt.Sprintf("k%d", k), int64(0)
		for n := k; n < 300; n += 7 {
			want += 1 + 2 + 3
		}
		for i, r := range list {
			eventually(t, fmt.Sprintf("replica %d shows %d for %s", i, want, key), func() bool { return r.get(t, key) == want })
		}
	}
	for _, r := range list {
		if s := r.peer(r.addr()); s.State != string(Itself) {
			t.Errorf("the link to itself is %q; want %q", s.State, Itself)
		}
	}
}

func TestRelay(t *testing.T) {
	a := begin(t)
	b := begin(t, a.addr())
	c := begin(t, b.addr())
	a.add(t, "k", 5)
	eventually(t, "the end of the chain shows what its beginning wrote", func() bool { return c.get(t, "k") == 5 })
	eventually(t, "the relayed replica was heard of", func() bool { _, ok := c.node.LastHeard(a.engine.ReplicaID()); return ok })
	own := a.engine.Vector().Entry(a.engine.ReplicaID()).Stamp
	eventually(t, "a knows that b has it", func() bool { return a.node.Acked(own) == 1 })
}

func TestBadPeersBlockNothing(t *testing.T) {
	good := begin(t)
	silent := listen(t, nil)
	silent.deafen()
	garbage := listen(t, func([]string) []byte { return []byte("$99999999999999\r\nhello") })
	nonsense := listen(t, func(args []string) []byte {
		if args[0] == "CSYNC" {
			return redcon.AppendBulkString(nil, "hello")
		}
		return nil
	})
	r := begin(t, silent.addr(), garbage.addr(), nonsense.addr(), good.addr())
	good.add(t, "k", 1)
	eventually(t, "the good peer is heard", func() bool { return r.get(t, "k") == 1 })
	for _, bad := range []*server{garbage, nonsense} {
		eventually(t, "garbage is noticed", func() bool { s := r.peer(bad.addr()); return s.State == string(Down) && s.Errors > 1 })
	}
	if s := r.peer(silent.addr()); s.State != string(Connecting) && s.State != string(Down) {
		t.Errorf("the silent peer is %q", s.State)
	}
	if n := r.lines.count(garbage.addr()); n != 1 {
		t.Errorf("%d lines about a peer that never made sense; want 1", n)
	}
}
