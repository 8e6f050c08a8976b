package tests

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"atomiccounter/tests/process"
	"atomiccounter/tests/proxy"
)

// convergence bounds the waits for what replicas tell each other, faults and back-off included.
const convergence = 60 * time.Second

// cluster is servers that replicate. There is a proxy on each link, which belongs to the member that pulls over it, and
// one before each member for clients that are to suffer.
type cluster struct {
	t       *testing.T
	args    []string // of every member
	secret  string   // the --peer-secret among them; "": there is none
	members []*member
}

// member is one server through its lives.
type member struct {
	*process.Server
	dir   string
	args  []string // besides the cluster's
	front *proxy.Proxy
	links map[int]*proxy.Proxy // to the members it pulls from
	conn  *conn                // for do, to the server that runs now
}

// topology tells whether i pulls from j.
type topology func(i, j int) bool

func mesh(i, j int) bool     { return i != j }
func chain(i, j int) bool    { return i-j == 1 || j-i == 1 }
func detached(i, j int) bool { return false }

// newCluster starts n servers, until the test ends.
func newCluster(t *testing.T, n int, linked topology, args ...string) *cluster {
	t.Helper()
	if *self {
		t.Skip("redis-server does not replicate both ways")
	}
	c := &cluster{t: t, args: args}
	if at := slices.Index(args, "--peer-secret"); at >= 0 {
		c.secret = args[at+1]
	}
	for range n {
		c.add()
	}
	for i, m := range c.members {
		for j := range c.members {
			if linked(i, j) {
				m.args = append(m.args, "--peer", c.link(i, j).Addr)
			}
		}
		c.launch(i)
	}
	for i := range c.members {
		c.lead(i)
	}
	for i := range c.members { // which wait for one another
		c.ready(i)
	}
	return c
}

// add makes a member with an empty store, which is not started, and gives its number.
func (c *cluster) add() int {
	c.t.Helper()
	c.members = append(c.members, &member{dir: c.t.TempDir(), front: listen(c.t), links: make(map[int]*proxy.Proxy)})
	return len(c.members) - 1
}

func listen(t *testing.T) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// link is the way from i to j. It exists from the first time that somebody asks for it.
func (c *cluster) link(i, j int) *proxy.Proxy {
	c.t.Helper()
	m := c.members[i]
	if m.links[j] == nil {
		m.links[j] = listen(c.t)
		if to := c.members[j].Server; to != nil {
			m.links[j].Retarget(to.Addr)
		}
	}
	return m.links[j]
}

// start runs a member, anew if it has ended, waits until it answers, and leads all links to it.
func (c *cluster) start(i int) {
	c.t.Helper()
	c.launch(i)
	c.ready(i)
	c.lead(i)
}

// launch is start without the rest: a member with an empty store answers when it has what its peers have.
func (c *cluster) launch(i int) {
	c.t.Helper()
	m := c.members[i]
	m.Server = launchIn(c.t, ours, m.dir, slices.Concat(c.args, m.args)...)
	m.conn = nil
}

// ready waits until a member answers, and lets its clients in.
func (c *cluster) ready(i int) {
	c.t.Helper()
	m := c.members[i]
	if err := m.Ready(); err != nil {
		c.t.Fatal(err)
	}
	m.front.Retarget(m.Addr)
}

// lead leads all links to a member.
func (c *cluster) lead(i int) {
	for _, from := range c.members {
		if l := from.links[i]; l != nil {
			l.Retarget(c.members[i].Addr)
		}
	}
}

// listens waits until a member that was launched lets clients in.
func (c *cluster) listens(i int) {
	c.t.Helper()
	c.until("a server that listens", func() error {
		conn, err := net.Dial("tcp", c.members[i].Addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func (c *cluster) kill(i int) {
	c.t.Helper()
	if err := c.members[i].Kill(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) stop(i int) {
	c.t.Helper()
	if err := c.members[i].Stop(); err != nil {
		c.t.Fatal(err)
	}
}

// cut takes all links to and from a member; heal gives all of all members back.
func (c *cluster) cut(i int) {
	c.eachLink(func(from, to int, l *proxy.Proxy) {
		if from == i || to == i {
			l.Cut()
		}
	})
}

func (c *cluster) heal() {
	c.eachLink(func(_, _ int, l *proxy.Proxy) { l.Heal() })
}

func (c *cluster) eachLink(f func(from, to int, l *proxy.Proxy)) {
	for i, m := range c.members {
		for j, l := range m.links {
			f(i, j, l)
		}
	}
}

// do runs a command on a member. Only the test's own goroutine may call it.
func (c *cluster) do(i int, args ...string) reply {
	c.t.Helper()
	m := c.members[i]
	if m.conn == nil {
		m.conn = connect(c.t, m.Addr)
		if c.secret != "" {
			if r, err := m.conn.do("CAUTH", "SECRET", c.secret); err != nil || r.isError() {
				c.t.Fatalf("server %d: CAUTH SECRET = %v, %v", i, r, err)
			}
		}
	}
	r, err := m.conn.do(args...)
	if err != nil {
		c.t.Fatalf("server %d: %s: %v\n%s", i, quote(args), err, m.Log())
	}
	return r
}

// ok is do for a command that must not fail.
func (c *cluster) ok(i int, args ...string) reply {
	c.t.Helper()
	r := c.do(i, args...)
	if r.isError() {
		c.t.Fatalf("server %d: %s = %v", i, quote(args), r)
	}
	return r
}

// expect is do for a command whose reply, as text, is known; null is "(nil)".
func (c *cluster) expect(i int, want string, args ...string) {
	c.t.Helper()
	r := c.do(i, args...)
	got := r.text
	if r.null {
		got = "(nil)"
	}
	if got != want {
		c.t.Errorf("server %d: %s = %s; want %s", i, quote(args), got, want)
	}
}

// eventually asks until the reply is as wanted.
func (c *cluster) eventually(i int, want string, args ...string) {
	c.t.Helper()
	c.until(fmt.Sprintf("server %d: %s = %s", i, quote(args), want), func() error {
		r := c.do(i, args...)
		if got := r.text; got != want && (!r.null || want != "(nil)") {
			return fmt.Errorf("it is %v", r)
		}
		return nil
	})
}

// until waits for a condition, which says what it lacks.
func (c *cluster) until(what string, condition func() error) {
	c.t.Helper()
	deadline := time.Now().Add(convergence)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("after %v still not %s: %v", convergence, what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reach waits until all that a member shows has reached another one, and shows there.
func (c *cluster) reach(from, to int) {
	c.t.Helper()
	token := c.ok(from, "CTOKEN").text
	c.until(fmt.Sprintf("what server %d shows, on server %d", from, to), func() error {
		if r := c.do(to, "CWAIT", token, "5000"); r.text != "1" {
			return fmt.Errorf("CWAIT = %v\n%s", r, c.do(to, "INFO", "replication").text)
		}
		return nil
	})
}

// sync waits until all members have what each has now.
func (c *cluster) sync() {
	c.t.Helper()
	for i := range c.members {
		for j := range c.members {
			if i != j {
				c.reach(i, j)
			}
		}
	}
}

// dump is every key of a member and its value.
func (c *cluster) dump(i int) map[string]int64 {
	c.t.Helper()
	all := make(map[string]int64)
	for cursor := "0"; ; {
		page := c.ok(i, "SCAN", cursor, "COUNT", "1000")
		cursor = page.parts[0].text
		keys := page.parts[1].texts()
		if len(keys) > 0 {
			for k, v := range c.ok(i, append([]string{"MGET"}, keys...)...).parts {
				if n, err := strconv.ParseInt(v.text, 10, 64); err == nil && !v.null { // null: it has expired meanwhile
					all[keys[k]] = n
				}
			}
		}
		if cursor == "0" {
			return all
		}
	}
}

// checkEqual compares all members, once they are in sync, and gives what all hold.
func (c *cluster) checkEqual() map[string]int64 {
	c.t.Helper()
	c.sync()
	first := c.dump(0)
	for i := range c.members[1:] {
		if err := unequal(first, c.dump(i+1)); err != nil {
			c.t.Errorf("server 0 and server %d differ: %v", i+1, err)
		}
	}
	for i := range c.members {
		c.eventually(i, strconv.Itoa(len(first)), "DBSIZE")
	}
	return first
}

// unequal names some keys that differ between two dumps.
func unequal(a, b map[string]int64) error {
	var all []error
	for key, n := range a {
		if m, ok := b[key]; !ok || m != n {
			all = append(all, fmt.Errorf("%s = %d here, %d (%v) there", key, n, m, ok))
		}
	}
	for key, m := range b {
		if _, ok := a[key]; !ok {
			all = append(all, fmt.Errorf("%s = absent here, %d there", key, m))
		}
	}
	if len(all) > 10 {
		all = append(all[:10], fmt.Errorf("and %d more", len(all)-10))
	}
	return errors.Join(all...)
}

// copyStore copies a store's directory as cp -r does.
func copyStore(t *testing.T, to, from string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestUnequal(t *testing.T) {
	a := map[string]int64{"x": 1, "y": 2}
	if err := unequal(a, map[string]int64{"x": 1, "y": 2}); err != nil {
		t.Error(err)
	}
	for _, b := range []map[string]int64{{"x": 1}, {"x": 1, "y": 3}, {"x": 1, "y": 2, "z": 0}} {
		if unequal(a, b) == nil {
			t.Errorf("no difference between %v and %v", a, b)
		}
	}
}
