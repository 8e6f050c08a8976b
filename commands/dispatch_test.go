package commands

import (
	"strings"
	"testing"
)

func TestLookupIgnoresCase(t *testing.T) {
	for i := range byName.all {
		cmd := &byName.all[i]
		mixed := strings.ToUpper(cmd.Name[:1]) + cmd.Name[1:]
		for _, name := range []string{cmd.Name, strings.ToUpper(cmd.Name), mixed} {
			if got := Lookup([]byte(name)); got != cmd {
				t.Errorf("Lookup(%q) = %v; want %s", name, got, cmd.Name)
			}
		}
	}
	for _, name := range []string{"", "ge", "gett", "g\xe5t", "\u212aeys", "@ET"} {
		if got := Lookup([]byte(name)); got != nil {
			t.Errorf("Lookup(%q) = %s; want nil", name, got.Name)
		}
	}
}

func TestLookupHasShortChains(t *testing.T) {
	for i, slot := range byName.slots {
		if len(slot) > 3 {
			t.Errorf("slot %d has %d commands; want at most 3", i, len(slot))
		}
	}
}

// TestHotPathDoesNotAllocate runs the commands that a busy server runs.
func TestHotPathDoesNotAllocate(t *testing.T) {
	c := newContext(t)
	for _, line := range []string{"INCR k", "INCRBY k 3", "GET k", "PING", "EXISTS k", "TTL k"} {
		args := words(strings.Fields(line)...)
		run := func() {
			c.Out.Buf = c.Out.Buf[:0]
			c.Run(args)
		}
		run()
		commit(t, c)
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s allocates %v times; want 0", line, n)
		}
		commit(t, c)
	}
}

func commit(t testing.TB, c *Context) {
	t.Helper()
	if _, err := c.Pipe.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
}

func BenchmarkLookup(b *testing.B) {
	name := []byte("INCRBY")
	b.ReportAllocs()
	for b.Loop() {
		if Lookup(name) == nil {
			b.Fatal("Lookup = nil")
		}
	}
}

// BenchmarkRun is one command with its reply, 64 to a Commit.
func BenchmarkRun(b *testing.B) {
	for _, line := range []string{"PING", "INCR k", "GET k", "SET k 1", "MGET a b c"} {
		b.Run(line, func(b *testing.B) {
			c := newContext(b)
			args := words(strings.Fields(line)...)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				c.Run(args)
				if n++; n%64 == 0 {
					commit(b, c)
					c.Out.Buf = c.Out.Buf[:0]
				}
			}
			commit(b, c)
		})
	}
}

func TestErrorRepliesAreCounted(t *testing.T) {
	c := newContext(t)
	do(t, c, "GET")
	do(t, c, "PING")
	do(t, c, "NOSUCH")
	if c.Out.Errors != 2 {
		t.Errorf("Errors = %d; want 2", c.Out.Errors)
	}
}
