package tests

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

// TestFewFiles: with a low limit on open files some clients are served, and the others told that there are too many; the store
// goes on. It starts in the middle of such a storm, too.
func TestFewFiles(t *testing.T) {
	if *self {
		t.Skip("redis-server divides its files otherwise")
	}
	limited := limitFiles(t, ours, 128)
	s := startIn(t, limited, t.TempDir())
	for range 2 {
		served, refused := crowd(t, s.Addr, 140)
		if served < 16 || refused == 0 || served+refused != 140 {
			t.Errorf("of 140 clients %d are served and %d refused; want 16 or more, and the others", served, refused)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	c, err := dial(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := c.do("INCR", "k"); err != nil || v.mark != ':' {
		t.Errorf("INCR = %v, %v", v, err)
	}
	v, err := c.do("CONFIG", "SET", "maxclients", "10000")
	if err != nil || !strings.Contains(v.text, "not able to handle the specified number of clients") {
		t.Errorf("CONFIG SET maxclients 10000 = %v, %v; want an error", v, err)
	}
}

// limitFiles is the program with ulimit -n.
func limitFiles(t *testing.T, p process.Program, files int) process.Program {
	t.Helper()
	path := t.TempDir() + "/limited"
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec '%s' \"$@\"\n", files, p.Path)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Path = path
	return p
}

// crowd has clients come, stay, and write, and gives how many could.
func crowd(t *testing.T, addr string, count int) (served, refused int) {
	t.Helper()
	for i := range count {
		c, err := dial(addr)
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		defer c.Close()
		v, err := c.do("INCR", fmt.Sprintf("k%d", i))
		switch {
		case err == nil && v.mark == ':':
			served++
		case err != nil || v.text == "ERR max number of clients reached":
			refused++ // the reply may be lost when the connection is reset under what was sent
		default:
			t.Errorf("client %d: %v", i, v)
		}
	}
	return served, refused
}
