package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// peers are the peers that INFO replication tells of, each by the names of its fields.
func (c *cluster) peers(i int) []map[string]string {
	c.t.Helper()
	var all []map[string]string
	for n := 0; ; n++ {
		line := field(c.ok(i, "INFO", "replication").text, fmt.Sprintf("peer%d", n))
		if line == "" {
			return all
		}
		fields := make(map[string]string)
		for pair := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(pair, "=")
			fields[name] = value
		}
		all = append(all, fields)
	}
}

// peer is the peer of an address.
func (c *cluster) peer(i int, addr string) map[string]string {
	c.t.Helper()
	for _, p := range c.peers(i) {
		if p["addr"] == addr {
			return p
		}
	}
	return nil
}

// id is a member's replica ID.
func (c *cluster) id(i int) string {
	c.t.Helper()
	return field(c.ok(i, "INFO").text, "replica_id")
}

// addrs are what CPEER LIST lists.
func (c *cluster) addrs(i int) []string {
	c.t.Helper()
	var all []string
	for _, p := range c.ok(i, "CPEER", "LIST").parts {
		fields := p.texts()
		if at := slices.Index(fields, "addr"); at >= 0 {
			all = append(all, fields[at+1])
		}
	}
	slices.Sort(all)
	return all
}

// waitState waits until a member's link to an address is in a state.
func (c *cluster) waitState(i int, addr, state string) {
	c.t.Helper()
	c.until(fmt.Sprintf("server %d: its link to %s is %s", i, addr, state), func() error {
		if p := c.peer(i, addr); p["state"] != state {
			return fmt.Errorf("it is %v", p)
		}
		return nil
	})
}

// waitLog waits until a member has written a line with all of these words.
func (c *cluster) waitLog(i int, words ...string) {
	c.t.Helper()
	c.until(fmt.Sprintf("server %d: a line with %q in its log", i, words), func() error {
		for line := range strings.Lines(c.members[i].Log()) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return nil
			}
		}
		return fmt.Errorf("it is\n%s", c.members[i].Log())
	})
}

// TestPeers: peers come and go at run time, and are remembered.
func TestPeers(t *testing.T) {
	c := newCluster(t, 2, detached)
	there, back := c.link(0, 1).Addr, c.link(1, 0).Addr
	c.ok(0, "INCRBY", "k", "5")
	c.expect(1, "1", "CPEER", "ADD", back)
	c.eventually(1, "5", "GET", "k")
	if got := c.addrs(1); !slices.Equal(got, []string{back}) {
		t.Errorf("CPEER LIST lists %q; want %q", got, back)
	}
	c.expect(1, "0", "CPEER", "ADD", back) // it is there already
	c.ok(1, "INCRBY", "k", "2")
	c.ok(0, "CPEER", "ADD", there)
	c.sync()
	c.expect(0, "7", "GET", "k")

	c.stop(1) // the peers are remembered, after a stop and after a crash
	c.ok(0, "INCR", "k")
	c.start(1)
	c.sync()
	c.expect(1, "8", "GET", "k")
	c.kill(1)
	c.ok(0, "INCR", "k")
	c.start(1)
	c.sync()
	c.expect(1, "9", "GET", "k")

	c.expect(1, "1", "CPEER", "DEL", back)
	c.expect(1, "0", "CPEER", "DEL", back)
	c.ok(0, "INCR", "k")
	c.ok(1, "INCRBY", "k", "100")
	c.reach(1, 0) // this way goes on
	c.expect(0, "110", "GET", "k")
	c.kill(1)
	c.start(1)
	if got := c.addrs(1); slices.Contains(got, back) {
		t.Errorf("CPEER LIST lists %q after CPEER DEL and a restart", got)
	}
	c.expect(1, "109", "GET", "k")
}

// TestPeerIsSelf: all servers may be given the same list, themselves included.
func TestPeerIsSelf(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.ok(0, "CPEER", "ADD", c.link(0, 0).Addr)
	c.waitState(0, c.link(0, 0).Addr, "self")
	c.ok(0, "INCR", "k")
	c.sync()
	c.expect(1, "1", "GET", "k")
}

// TestPeerIsOther: a peer that is no replica is told apart, and harms nothing.
func TestPeerIsOther(t *testing.T) {
	c := newCluster(t, 2, mesh)
	other := start(t, redis(t))
	c.ok(0, "CPEER", "ADD", other.Addr)
	c.ok(0, "INCR", "k")
	c.sync()
	c.expect(1, "1", "GET", "k")
	c.until("an error of the peer that is none", func() error {
		if p := c.peer(0, other.Addr); p["errors"] == "0" || p["errors"] == "" {
			return fmt.Errorf("it is %v", p)
		}
		return nil
	})
}

// TestPeerPassword: links authenticate as any client does.
func TestPeerPassword(t *testing.T) {
	c := newCluster(t, 2, detached, "--requirepass", "sesame")
	for i, j := range []int{1, 0} {
		c.stop(i)
		c.members[i].args = []string{"--peer", c.link(i, j).Addr}
	}
	c.start(0)
	c.members[1].args = append(c.members[1].args, "--peer-user", "default", "--peer-password", "sesame")
	c.start(1)
	for i := range c.members {
		c.ok(i, "AUTH", "sesame")
	}
	c.ok(0, "INCR", "k")
	c.eventually(1, "1", "GET", "k")
	c.waitLog(0, c.link(0, 1).Addr, "NOAUTH") // it has no password, and says so
	c.expect(0, "(nil)", "GET", "other")

	c.stop(0)
	c.members[0].args = append(c.members[0].args, "--peer-password", "sesame")
	c.start(0)
	c.ok(0, "AUTH", "sesame")
	c.ok(1, "INCR", "k")
	c.sync()
	c.expect(0, "2", "GET", "k")
}

const peerSecret = "correct horse battery staple"

// TestPeerSecret: replicas that have the same secret replicate, whatever they do besides, and no others do; all logs say so.
func TestPeerSecret(t *testing.T) {
	c := newCluster(t, 2, detached, "--peer-secret", peerSecret, "--requirepass", "sesame")
	c.ok(1, "CPEER", "ADD", c.link(1, 0).Addr)
	c.ok(0, "CPEER", "ADD", c.link(0, 1).Addr)
	c.ok(0, "INCR", "k")
	c.eventually(1, "1", "GET", "k")
	c.kill(1)
	c.ok(0, "INCR", "k")
	c.start(1)
	c.ok(1, "INCR", "k")
	c.sync()
	c.expect(0, "3", "GET", "k")
	c.ok(0, "CPEER", "ADD", c.link(0, 0).Addr)
	c.waitState(0, c.link(0, 0).Addr, "self")

	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("another secret, as long\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, other := range [][]string{{"--peer-secret-file", file}, {}} {
		i := c.add()
		c.secret, c.args = "", nil
		c.members[i].args = append(other, "--join-serve", "yes", "--peer", c.link(i, 0).Addr)
		c.start(i)
		c.secret, c.args = peerSecret, []string{"--peer-secret", peerSecret, "--requirepass", "sesame"}
		if len(other) > 0 {
			c.waitLog(i, c.link(i, 0).Addr, "does not know the peer secret")
		} else {
			c.waitLog(i, c.link(i, 0).Addr, "--peer-secret")
			c.waitLog(0, "a command of the replication is refused", "csync")
		}
		c.ok(0, "CPEER", "ADD", c.link(0, i).Addr)
		c.until("the link is refused", func() error {
			if p := c.peer(0, c.link(0, i).Addr); p["state"] != "refused" {
				return fmt.Errorf("it is %v", p)
			}
			return nil
		})
	}
	c.waitLog(0, c.link(0, 2).Addr, "does not know the peer secret")
	c.waitLog(0, c.link(0, 3).Addr, "has no --peer-secret")
	c.ok(1, "INCR", "k")
	c.reach(1, 0)
	c.expect(0, "4", "GET", "k")
}

// TestPeerWithoutSecret: a server that has had another ID asks for more than a client may who has not authenticated. It hears all the same
// that it has no secret.
func TestPeerWithoutSecret(t *testing.T) {
	c := newCluster(t, 2, mesh, "--peer-secret", peerSecret, "--requirepass", "sesame")
	c.ok(1, "INCR", "k")
	c.sync()
	c.stop(1)
	c.secret, c.args = "", []string{"--requirepass", "sesame"}
	c.start(1)
	c.waitLog(1, "it is another replica from now on") // nobody lets it ask about the one that it was
	there := c.link(1, 0).Addr
	c.ok(1, "AUTH", "sesame")
	c.ok(1, "CPEER", "DEL", there)
	c.ok(1, "CPEER", "ADD", there)
	c.until("the link says why", func() error {
		if p := c.peer(1, there); p["state"] != "refused" || !strings.Contains(p["error"], "--peer-secret") {
			return fmt.Errorf("it is %v", p)
		}
		return nil
	})
}

// TestPeerPasswordIsForPeers: it is not sent to an address before that has proven that it has the secret.
func TestPeerPasswordIsForPeers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		all := ""
		for range 13 { // CAUTH HELLO with four arguments
			line, err := r.ReadString('\n')
			if err != nil {
				break
			}
			all += line
		}
		_, _ = conn.Write([]byte("*4\r\n$16\r\n0123456789abcdef\r\n$16\r\n0123456789abcdef\r\n$32\r\n" + strings.Repeat("n", 32) + "\r\n$32\r\n" + strings.Repeat("p", 32) + "\r\n"))
		rest, _ := io.ReadAll(r)
		heard <- all + string(rest)
	}()
	c := newCluster(t, 1, detached, "--peer-secret", peerSecret, "--peer-user", "default", "--peer-password", "sesame")
	c.ok(0, "CPEER", "ADD", l.Addr().String())
	select {
	case got := <-heard:
		if !strings.Contains(got, "HELLO") || strings.Contains(got, "sesame") || strings.Contains(got, peerSecret) || strings.Contains(got, "PROOF") {
			t.Errorf("somebody without the secret has heard %q", got)
		}
	case <-time.After(convergence):
		t.Fatal("nobody has called")
	}
	c.waitState(0, l.Addr().String(), "refused")
}

// TestProtocolVersion: a peer of another version is refused in words, which both logs have.
func TestProtocolVersion(t *testing.T) {
	c := newCluster(t, 1, detached)
	r := c.do(0, "CSYNC", "7", "0123456789abcdef", "0123456789abcdef", "")
	if !r.isError() || !strings.Contains(r.text, "version 7") || !strings.Contains(r.text, "speaks 4") {
		t.Errorf("CSYNC 7 = %v; want an error about version 7, and that this replica speaks 4", r)
	}
	c.waitLog(0, "version", "7")
}
