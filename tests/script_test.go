package tests

import (
	"strings"
	"testing"
	"time"
)

// A script that never ends keeps nobody from being told so, is killed by whoever asks, and leaves the server as it was.
func TestScriptThatNeverEnds(t *testing.T) {
	s := start(t, ours, "--appendfsync", "everysec")
	other := connect(t, s.Addr)
	wantText(t, other, "OK", "CONFIG", "SET", "busy-reply-threshold", "20")
	wantText(t, other, "1", "INCR", "k")
	stuck := connect(t, s.Addr)
	if err := stuck.send(appendCommand(nil, "EVAL", "while true do pcall(redis.call, 'get', 'k') end", "0")); err != nil {
		t.Fatal(err)
	}
	until(t, "BUSY", func() bool {
		r, err := other.do("INCR", "k")
		return err == nil && strings.HasPrefix(r.text, "BUSY ")
	})
	for range 3 { // others, who have just come
		if r, err := connect(t, s.Addr).do("GET", "k"); err != nil || !strings.HasPrefix(r.text, "BUSY ") {
			t.Errorf("GET = %v, %v; want BUSY", r, err)
		}
	}
	wantText(t, other, "OK", "SCRIPT", "KILL")
	if r, err := stuck.read(); err != nil || !strings.Contains(r.text, "Script killed by user with SCRIPT KILL") {
		t.Errorf("the script's reply = %v, %v; want that it was killed", r, err)
	}
	if r, err := stuck.do("EVAL", "return redis.call('exists', 'k')", "0"); err != nil || r.text != "1" {
		t.Errorf("the next script = %v, %v; want 1", r, err)
	}
}

// A script that eats memory fails, and others go on.
func TestScriptThatEatsMemory(t *testing.T) {
	s := start(t, ours)
	c, other := connect(t, s.Addr), connect(t, s.Addr)
	wantText(t, other, "OK", "CONFIG", "SET", "busy-reply-threshold", "0") // it takes seconds on a slow machine
	if err := c.send(appendCommand(nil, "EVAL", "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end", "0")); err != nil {
		t.Fatal(err)
	}
	wantText(t, other, "1", "INCR", "k")
	if r, err := c.read(); err != nil || !strings.Contains(r.text, "not enough memory") {
		t.Errorf("EVAL = %v, %v; want not enough memory", r, err)
	}
	wantText(t, c, "2", "INCR", "k")
}

// The end of a server does not wait for a script.
func TestShutdownWithAScriptThatNeverEnds(t *testing.T) {
	s := start(t, ours)
	other := connect(t, s.Addr)
	wantText(t, other, "OK", "CONFIG", "SET", "busy-reply-threshold", "20")
	stuck := connect(t, s.Addr)
	if err := stuck.send(appendCommand(nil, "EVAL", "redis.call('incr', 'k') while true do end", "0")); err != nil {
		t.Fatal(err)
	}
	until(t, "BUSY", func() bool {
		r, err := other.do("GET", "k")
		return err == nil && strings.HasPrefix(r.text, "BUSY ")
	})
	if r, err := other.do("SCRIPT", "KILL"); err != nil || !strings.HasPrefix(r.text, "UNKILLABLE ") {
		t.Errorf("SCRIPT KILL = %v, %v; want UNKILLABLE", r, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatalf("the server's end = %v", err)
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("no %s", what)
		}
	}
}

func wantText(t *testing.T, c *conn, text string, args ...string) {
	t.Helper()
	if r, err := c.do(args...); err != nil || r.text != text {
		t.Errorf("%s = %v, %v; want %s", quote(args), r, err, text)
	}
}
