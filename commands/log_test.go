package commands

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLimitedLog: of each kind one line a second is logged, which says how many were held back.
func TestLimitedLog(t *testing.T) {
	var l Log
	now := time.Unix(1000, 0)
	for _, step := range []struct {
		kind  string
		after time.Duration
		held  int64
		ok    bool
	}{{"a", 0, 0, true}, {"a", 0, 0, false}, {"b", 0, 0, true}, {"a", 999 * time.Millisecond, 0, false}, {"a", time.Millisecond, 2, true}, {"a", time.Second, 0, true}, {"b", 0, 0, true}} {
		now = now.Add(step.after)
		if held, ok := l.take(slog.LevelWarn, step.kind, now); held != step.held || ok != step.ok {
			t.Errorf("take(%s) after %v = %d, %v; want %d, %v", step.kind, step.after, held, ok, step.held, step.ok)
		}
	}
	l.take(slog.LevelWarn, "b", now)
	if list := l.due(now); len(list) != 0 {
		t.Errorf("at once %v are due; want none", list)
	}
	if list := l.due(now.Add(time.Second)); len(list) != 1 || list["b"].held != 1 {
		t.Errorf("after a second %v are due; want one line of b", list)
	}
	if list := l.due(now.Add(9 * time.Second)); len(list) != 0 {
		t.Errorf("later %v are due; want none", list)
	}
}

// TestFailedAuth: it is logged who it was, and no password.
func TestFailedAuth(t *testing.T) {
	s := newServer(t)
	var log bytes.Buffer
	s.Log.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := connect(t, s)
	do(t, c, "CONFIG", "SET", "requirepass", "right")
	for range 100 {
		do(t, c, "AUTH", "eve\n"+strings.Repeat("x", 1000), "secret")
		do(t, c, "HELLO", "3", "AUTH", "default", "secret")
	}
	s.Sample(time.Now().Add(time.Minute))
	text := log.String()
	if n := strings.Count(text, "AUTH failed"); n < 2 || n > 20 || strings.Count(text, "\n") != n {
		t.Errorf("%d lines are logged; want a few: %s", n, text)
	}
	if !strings.Contains(text, "addr=127.0.0.1:1 user=\"eve\\nxx") || strings.Contains(text, "secret") || len(text) > 20*300 || !strings.Contains(text, "suppressed=") {
		t.Errorf("what is logged is %s", text)
	}
}
