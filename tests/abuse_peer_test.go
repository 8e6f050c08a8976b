package tests

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"atomiccounter/tlv"
)

// What was tried by those who say that they are peers.

// elsewhere is an address of this machine that counts as another one's.
func elsewhere(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but the loopback's")
	return ""
}

// csync is a CSYNC of a replica that has a vector.
func csync(id uint64, v tlv.Vector, more ...string) []string {
	return append([]string{"CSYNC", "4", fmt.Sprintf("%016x", id), "00000000000000aa", string(tlv.AppendVector(nil, v))}, more...)
}

// TestClientIsNoPeer: a client from elsewhere asks what peers ask, with and without a secret, and one on the same machine that has no secret.
func TestClientIsNoPeer(t *testing.T) {
	host := elsewhere(t)
	for _, secret := range []string{"", peerSecret} {
		args := []string{"--protected-mode", "no", "--bind", "127.0.0.1 " + host}
		if secret != "" {
			args = append(args, "--peer-secret", secret)
		}
		s := start(t, ours, args...)
		_, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		for _, addr := range []string{s.Addr, net.JoinHostPort(host, port)} {
			c := connect(t, addr)
			allowed := addr == s.Addr && secret == ""
			for _, args := range [][]string{{"CPEER", "ADD", "127.0.0.1:1"}, {"CPEER", "DEL", "127.0.0.1:1"}, {"CPEER", "LIST"}, csync(9, nil),
				{"CSNAP", "4", "0000000000000009", "00000000000000aa"}, {"CMERGE", "k", ""}, {"CFORGET", "0000000000000009"}, {"CBACKUP", "/nowhere/x"}} {
				r, err := c.do(args...)
				if err != nil || strings.HasPrefix(r.text, "NOPERM") == allowed {
					t.Errorf("secret %q, from %s: %s = %v, %v; allowed is %t", secret, addr, args[0], r, err, allowed)
				}
			}
			if r, err := c.do("INCR", "k"); err != nil || r.isError() {
				t.Errorf("from %s: INCR = %v, %v", addr, r, err)
			}
		}
	}
}

// TestForgedHistory: somebody says of a server that was just killed and started again that its history is another one. Nothing that was
// acknowledged is lost.
func TestForgedHistory(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.ok(0, "INCRBY", "k", "5000")
	c.sync()
	self, err := strconv.ParseUint(c.id(0), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	answer := c.ok(0, csync(9, nil)...)
	if len(answer.parts) != 12 {
		t.Fatalf("CSYNC = %v", answer)
	}
	vector, err := tlv.ParseVector([]byte(answer.parts[4].text))
	if err != nil {
		t.Fatal(err)
	}
	e := vector.Entry(tlv.ReplicaID(self))
	c.cut(0) // the peer does not vouch in time
	for range 1000 {
		c.ok(0, "INCR", "k")
	}
	c.kill(0)
	c.launch(0)
	c.listens(0)
	c.until("a forged CSYNC that is answered", func() error { // not LOADING
		if r := c.do(0, csync(self, nil)...); !strings.HasPrefix(r.text, "DUPLICATE") {
			return errors.New(r.text)
		}
		return nil
	})
	forged := func(change func(e *tlv.VectorEntry)) tlv.Vector {
		f := e
		change(&f)
		return tlv.Vector{f}
	}
	for _, v := range []tlv.Vector{
		forged(func(e *tlv.VectorEntry) { e.Stamp++ }),
		forged(func(e *tlv.VectorEntry) { e.Stamp += 1 << 40; e.Life++ }),
		forged(func(e *tlv.VectorEntry) { e.Stamp = 1<<64 - 2 }),
		forged(func(e *tlv.VectorEntry) { e.Hash++ }),
		forged(func(e *tlv.VectorEntry) { e.Stamp--; e.Life = 7; e.Hash = 0 }),
		{{Replica: 77, End: e.Stamp + 1000, Of: e.Replica}},
		{{Replica: 77, End: 1<<64 - 2, Of: e.Replica}},
	} {
		for _, id := range []uint64{self, 9, 10} {
			conn := connect(t, c.members[0].Addr) // which speaks for one replica
			if r, err := conn.do(csync(id, v)...); err != nil {
				t.Errorf("CSYNC = %v, %v", r, err)
			}
			if r, err := conn.do(csync(id+1, v)...); err != nil || !strings.Contains(r.text, "speaks for replica") {
				t.Errorf("CSYNC as another replica = %v, %v", r, err)
			}
		}
	}
	c.ready(0)
	c.expect(0, "6000", "GET", "k")
	c.heal()
	c.lead(0)
	c.sync()
	c.expect(0, "6000", "GET", "k")
	c.expect(1, "6000", "GET", "k")
}

// TestManyPullers: replicas that are none pull, as many as there can be numbers.
func TestManyPullers(t *testing.T) {
	s := start(t, ours)
	c := connect(t, s.Addr)
	refused := 0
	for id := range uint64(200) {
		conn := connect(t, s.Addr)
		for range 2 {
			r, err := conn.do(csync(id+1, nil)...)
			if err != nil {
				t.Fatal(err)
			}
			if r.isError() {
				refused++
				if !strings.Contains(r.text, "CFORGET") {
					t.Errorf("CSYNC = %v", r)
				}
			}
		}
	}
	if refused != 2*(200-64) {
		t.Errorf("%d of 400 requests were refused; want those of all but 64 replicas", refused)
	}
	info, err := c.do("INFO", "replication")
	if err != nil || len(info.text) > 64<<10 {
		t.Errorf("INFO replication has %d bytes, %v", len(info.text), err)
	}
}

// TestAcknowledgedByNobody: replicas that come once say that they have everything.
func TestAcknowledgedByNobody(t *testing.T) {
	s := start(t, ours)
	c := connect(t, s.Addr)
	self := uint64(0)
	all := func() tlv.Vector {
		r, err := connect(t, s.Addr).do(csync(999, nil)...)
		if err != nil || len(r.parts) != 12 {
			t.Fatalf("CSYNC = %v, %v", r, err)
		}
		v, err := tlv.ParseVector([]byte(r.parts[4].text))
		if err != nil {
			t.Fatal(err)
		}
		if self, err = strconv.ParseUint(r.parts[1].text, 16, 64); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if r, err := c.do("INCR", "k"); err != nil || r.isError() {
		t.Fatal(r, err)
	}
	var v tlv.Vector
	until(t, "the write is published", func() bool {
		v = all()
		return v.Entry(tlv.ReplicaID(self)).Stamp != 0
	})
	for id := range uint64(6) {
		if r, err := connect(t, s.Addr).do(csync(id+1, v)...); err != nil || r.isError() {
			t.Fatal(r, err)
		}
	}
	if r, err := c.do("WAIT", "6", "100"); err != nil || r.text != "0" {
		t.Errorf("WAIT 6 = %v, %v; want 0", r, err)
	}
}

// TestTransfersOfOthers: replicas begin to fetch the state and do not go on; one that needs it gets it.
func TestTransfersOfOthers(t *testing.T) {
	s := start(t, ours)
	for id := range uint64(20) {
		if r, err := connect(t, s.Addr).do("CSNAP", "4", fmt.Sprintf("%016x", id+1), "00000000000000aa"); err != nil || r.isError() {
			t.Errorf("CSNAP of replica %d = %v, %v", id+1, r, err)
		}
	}
	if _, err := connect(t, s.Addr).do("INCR", "k"); err != nil {
		t.Fatal(err)
	}
	p := launchIn(t, ours, t.TempDir(), "--peer", s.Addr)
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	if r, err := connect(t, p.Addr).do("GET", "k"); err != nil || r.text != "1" {
		t.Errorf("GET = %v, %v; want 1", r, err)
	}
}
