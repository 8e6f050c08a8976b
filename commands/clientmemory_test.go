package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestClientMemory: whatever a client makes the server keep counts, until it is given back.
func TestClientMemory(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	text := strings.Repeat("x", 10_000)
	for _, step := range []struct {
		what, more, less string
		least            int64
	}{
		{"MULTI", "ECHO " + text, "DISCARD", 10_000}, {"PING", "WATCH " + text, "UNWATCH", 10_000}, {"PING", "SUBSCRIBE " + text, "UNSUBSCRIBE", 10_000},
		{"PING", "PSUBSCRIBE " + text, "PUNSUBSCRIBE", 10_000}, {"HELLO 3", "CLIENT TRACKING ON BCAST PREFIX " + text, "CLIENT TRACKING OFF", 10_000},
		{"MULTI", "PING", "RESET", 64},
	} {
		do(t, c, strings.Fields(step.what)...)
		before := s.clientMemory.Load()
		do(t, c, strings.Fields(step.more)...)
		if n := s.clientMemory.Load() - before; n < step.least || n > 2*step.least+1000 {
			t.Errorf("%.20s takes %d bytes; want about %d", step.more, n, step.least)
		}
		if line := c.Client.Line(time.Now()); !strings.Contains(line, fmt.Sprintf(" tot-mem=%d ", clientSize+s.clientMemory.Load())) {
			t.Errorf("CLIENT LIST = %q; want tot-mem=%d", line, clientSize+s.clientMemory.Load())
		}
		do(t, c, strings.Fields(step.less)...)
		if n := s.clientMemory.Load(); n != 0 {
			t.Errorf("after %s %d bytes are taken", step.less, n)
		}
	}
	c.Client.Received(100, 200)
	if n := s.clientMemory.Load(); n != 200 {
		t.Errorf("%d bytes are taken; want 200, of the input", n)
	}
	do(t, c, "SUBSCRIBE", text)
	if s.Forget(c.Client); s.clientMemory.Load() != 0 {
		t.Errorf("%d bytes are taken by nobody", s.clientMemory.Load())
	}
}

// TestEviction: the client that takes most goes, but for one that may stay.
func TestEviction(t *testing.T) {
	s := newServer(t)
	admin := connect(t, s)
	var killed []string
	clients := make(map[string]*Context)
	for _, name := range []string{"least", "most", "stays"} {
		c := connect(t, s)
		c.Client.Kill = func() { killed = append(killed, name) }
		clients[name] = c
		do(t, c, "MULTI")
	}
	do(t, clients["stays"], "DISCARD")
	do(t, clients["stays"], "CLIENT", "NO-EVICT", "on")
	do(t, clients["stays"], "MULTI")
	do(t, clients["stays"], "ECHO", strings.Repeat("x", 300_000))
	do(t, clients["most"], "ECHO", strings.Repeat("x", 200_000))
	do(t, clients["least"], "ECHO", strings.Repeat("x", 100_000))
	want(t, admin, "CONFIG SET maxmemory-clients 500000", "+OK|")
	if fmt.Sprint(killed) != "[most]" || s.Stats.Evicted.Load() != 1 {
		t.Errorf("%v are killed, %d counted; want the one that takes most", killed, s.Stats.Evicted.Load())
	}
	do(t, clients["least"], "ECHO", strings.Repeat("x", 200_000))
	if fmt.Sprint(killed) != "[most least]" {
		t.Errorf("%v are killed; want the other one too", killed)
	}
	do(t, clients["stays"], "ECHO", strings.Repeat("x", 500_000))
	if fmt.Sprint(killed) != "[most least]" {
		t.Errorf("%v are killed; want that one stays", killed)
	}
	for value, shows := range map[string]string{"0": "0", "1gb": "1073741824", "5%": "5%", "100%": "100%"} {
		want(t, admin, "CONFIG SET maxmemory-clients "+value, "+OK|")
		want(t, admin, "CONFIG GET maxmemory-clients", fmt.Sprintf("*2|$17|maxmemory-clients|$%d|%s|", len(shows), shows))
	}
	for _, value := range []string{"101%", "-1", "x", "-5%", "%"} {
		if got := do(t, admin, "CONFIG", "SET", "maxmemory-clients", value); !strings.HasPrefix(got, "-ERR CONFIG SET failed") {
			t.Errorf("CONFIG SET maxmemory-clients %s = %q; want an error", value, got)
		}
	}
}

// TestManyKeysAreAdmitted: a command that would take more than there is for clients does not run; what it takes is free when its replies are
// on their way.
func TestManyKeysAreAdmitted(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	do(t, c, "CONFIG", "SET", "maxmemory-clients", "3mb")
	do(t, c, "SET", "long", strings.Repeat("x", 1<<19))
	do(t, c, "HSET", "hash", "1", strings.Repeat("x", 1<<20), "2", strings.Repeat("x", 1<<20), "3", strings.Repeat("x", 1<<20), "4", strings.Repeat("x", 1<<20))
	many := func(name string, n int, key string) []string {
		args := []string{name}
		for range n {
			args = append(args, key)
		}
		return args
	}
	for _, line := range [][]string{many("DEL", 6000, "k"), many("MGET", 6000, "k"), many("EXISTS", 6000, "k"), many("MSET", 6000, "k"), many("MGET", 7, "long"), {"HGETALL", "hash"}} {
		if got := do(t, c, line...); !strings.HasPrefix(got, "-ERR the command takes more memory") {
			t.Errorf("%s of %d = %.100q; want an error", line[0], len(line)-1, got)
		}
	}
	c.Client.Sent()
	for _, line := range [][]string{many("DEL", 4000, "k"), many("MGET", 4000, "k"), many("MGET", 5, "long")} {
		got := do(t, c, line...)
		if got[0] == '-' || s.clientMemory.Load() == 0 {
			t.Errorf("%s of %d = %.100q, %d bytes taken", line[0], len(line)-1, got, s.clientMemory.Load())
		}
		if c.Client.Sent(); s.clientMemory.Load() != 0 {
			t.Errorf("after %s %d bytes are taken", line[0], s.clientMemory.Load())
		}
	}
}
