package commands

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// TestWhatUsesAKey: the idle time begins anew after the same commands as in Redis. Only the last key of a round is noted, so a command
// that only asks must not take the place of one that used its key.
func TestWhatUsesAKey(t *testing.T) {
	real := dialRedis(t, startRedis(t))
	real.do(t, "SET", "k", "5")
	dump, ok := reparse(t, real.do(t, "DUMP", "k")).(string)
	if !ok {
		t.Fatalf("DUMP = %q; want a string", dump)
	}
	for _, line := range []string{"PING", "TTL k", "PTTL k", "EXPIRETIME k", "PEXPIRETIME k", "TYPE k", "EXISTS k", "EXISTS k k", "EXPIRE k 1000", "EXPIRE k 1000 NX", "PERSIST k", "GETEX k", "SETNX k 1", "KEYS *", "SCAN 0", "SET k 1 NX", "OBJECT ENCODING k",
		"OBJECT REFCOUNT k", "OBJECT IDLETIME k", "MEMORY USAGE k", "WATCH k", "TOUCH k", "GET k", "STRLEN k", "INCR k", "MGET k", "GETRANGE k 0 0",
		"TTL k,GET k", "GET k,TTL k", "INCR k,EXISTS k,TYPE k"} {
		idle := make([]bool, 2)
		real.do(t, "RESTORE", "k", "0", dump, "REPLACE", "IDLETIME", "1000")
		now := int64(1e12)
		ours := connect(t, newServerWith(t, engine.Options{Now: func() int64 { return now }, Disk: enginetest.NewDisk(rand.Uint64)}))
		now -= 1000e3 // when the key was made
		do(t, ours, "SET", "k", "5")
		now = 1e12
		for call := range strings.SplitSeq(line, ",") {
			real.do(t, strings.Fields(call)...)
			ours.Run(words(strings.Fields(call)...))
		}
		if _, err := ours.Pipe.Commit(); err != nil {
			t.Fatal(err)
		}
		for i, reply := range []string{do(t, ours, "OBJECT", "IDLETIME", "k"), real.do(t, "OBJECT", "IDLETIME", "k")} {
			n, err := strconv.Atoi(strings.Trim(reply, ":\r\n"))
			if err != nil {
				t.Fatalf("OBJECT IDLETIME after %s = %q; want a number", line, reply)
			}
			idle[i] = n >= 1000
		}
		if idle[0] != idle[1] {
			t.Errorf("after %s idle as before = %t; want %t", line, idle[0], idle[1])
		}
	}
}
