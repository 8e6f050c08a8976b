package tests

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"atomiccounter/tests/process"
)

// held is a server that goes on loading until it is let go: what it reads first of its store is a pipe.
type held struct {
	*process.Server
	pipe    *os.File
	content []byte
}

// hold starts a server that loads. The store is from a process that was killed.
func hold(t *testing.T, p process.Program, args ...string) *held {
	t.Helper()
	dir := t.TempDir()
	first := startIn(t, p, dir, args...)
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "FORMAT")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := p.Launch(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	h := &held{Server: s, content: content}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	if h.pipe, err = os.OpenFile(name, os.O_WRONLY, 0); err != nil { // once the server reads it
		t.Fatal(err)
	}
	t.Cleanup(func() { h.pipe.Close() })
	if err := errors.Join(os.Remove(name), os.WriteFile(name, content, 0o600)); err != nil { // for whoever opens it again
		t.Fatal(err)
	}
	return h
}

// release lets the server load on.
func (h *held) release(t *testing.T) {
	t.Helper()
	if _, err := h.pipe.Write(h.content); err != nil {
		t.Fatal(err)
	}
	if err := h.pipe.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLoadingFlags: while the server loads it answers what COMMAND flags so, and nothing else; afterwards all.
func TestLoadingFlags(t *testing.T) {
	if *self {
		t.Skip("it is our store that is held")
	}
	s := hold(t, ours)
	const loading = "-LOADING Redis is loading the dataset in memory\r\n"
	table, err := connect(t, s.Addr).do("COMMAND")
	if err != nil || len(table.parts) == 0 {
		t.Fatalf("COMMAND = %v, %v; want the table", table, err)
	}
	for _, cmd := range table.parts {
		rows := cmd.parts[9].parts // its subcommands
		if len(rows) == 0 {
			rows = []reply{cmd}
		}
		for _, row := range rows {
			call := callOf(t, row)
			if call[0] == "shutdown" {
				continue
			}
			r, err := connect(t, s.Addr).do(call...)
			if err != nil {
				t.Fatalf("%q: %v", call, err)
			}
			if flags := row.parts[2].texts(); slices.Contains(flags, "loading") == (string(r.raw) == loading) {
				t.Errorf("%q, flagged %q, = %v", call, flags, r)
			}
		}
	}
	c := connect(t, s.Addr)
	s.release(t)
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	if r, err := c.do("INCR", "k"); err != nil || r.text != "1" {
		t.Errorf("INCR on a connection of before = %v, %v; want 1", r, err)
	}
}

// TestShutdownWhileLoading: neither SHUTDOWN nor SIGTERM waits for the store, and the next start finds it.
func TestShutdownWhileLoading(t *testing.T) {
	if *self {
		t.Skip("it is our store that is held")
	}
	for name, end := range map[string]func(s *held) error{
		"SHUTDOWN": func(s *held) error {
			c := connect(t, s.Addr)
			if r, err := c.do("SHUTDOWN"); !errors.Is(err, io.EOF) {
				t.Errorf("SHUTDOWN = %v, %v; want the end", r, err)
			}
			return nil
		},
		"SIGTERM": func(s *held) error { return syscall.Kill(s.PID(), syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			s := hold(t, ours)
			idle := connect(t, s.Addr)
			if _, err := idle.do("ECHO", "hi"); err != nil {
				t.Fatal(err)
			}
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			if r, err := idle.read(); !errors.Is(err, io.EOF) { // the server has closed all connections
				t.Errorf("read %v, %v; want the end", r, err)
			}
			s.release(t)
			if err := s.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

// callOf is a call of a row of COMMAND that has as many arguments as it must.
func callOf(t *testing.T, row reply) []string {
	t.Helper()
	call := strings.Split(row.parts[0].text, "|")
	arity, err := strconv.Atoi(row.parts[1].text)
	if err != nil {
		t.Fatal(err)
	}
	for len(call) < max(arity, -arity) {
		call = append(call, "1")
	}
	return call
}
