package commands

import (
	"strings"
	"sync/atomic"
	"testing"
)

// TestOneClockPerRound: commands that are committed together go by one time, however slowly they run.
func TestOneClockPerRound(t *testing.T) {
	var clock atomic.Int64
	clock.Store(1_800_000_000_000)
	c := connect(t, newServerAt(t, func() int64 { return clock.Add(10) }))
	for _, args := range []string{"SET k 1", "EXPIRE k 0", "EXISTS k", "PSETEX k 5 1", "GET k", "PTTL k"} {
		c.Run(words(strings.Fields(args)...))
	}
	if _, err := c.Pipe.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
	if got, want := string(c.Out.Buf), "+OK\r\n:1\r\n:0\r\n+OK\r\n$1\r\n1\r\n:5\r\n"; got != want {
		t.Errorf("replies %q; want %q", got, want)
	}
}
