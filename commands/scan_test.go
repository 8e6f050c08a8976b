package commands

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestScanGivesEveryKey goes on until the cursor is 0 again, which stays below 2^53 for clients with floating-point numbers.
func TestScanGivesEveryKey(t *testing.T) {
	c := newContext(t)
	const n = 500
	for i := range n {
		do(t, c, "INCR", fmt.Sprintf("key:%d", i))
	}
	do(t, c, "INCR", "other")
	seen, calls := make(map[string]bool), 0
	for cursor := "0"; ; {
		reply := reparse(t, do(t, c, "SCAN", cursor, "MATCH", "key:*", "COUNT", "7")).([]any)
		for _, key := range reply[1].([]any) {
			seen[key.(string)] = true
		}
		calls++
		if cursor = reply[0].(string); cursor == "0" {
			break
		}
		if v, err := strconv.ParseUint(cursor, 10, 64); err != nil || v >= 1<<53 {
			t.Fatalf("cursor = %s, %v; want less than 2^53", cursor, err)
		}
		if calls > 10*n {
			t.Fatal("SCAN does not end")
		}
	}
	if len(seen) != n || seen["other"] {
		t.Errorf("SCAN gave %d keys; want %d", len(seen), n)
	}
	if calls < n/100 {
		t.Errorf("SCAN took %d calls; want COUNT to be heeded", calls)
	}
}

func TestKeysInRESP3AndMidPipeline(t *testing.T) {
	c := newContext(t)
	do(t, c, "HELLO", "3")
	c.Out.Buf = c.Out.Buf[:0]
	for _, line := range []string{"INCR a", "INCR b", "KEYS a", "SCAN 0 MATCH b", "DBSIZE", "FLUSHDB", "INCR a", "RANDOMKEY", "DBSIZE"} {
		c.Run(words(strings.Fields(line)...))
	}
	commit(t, c)
	got := strings.ReplaceAll(string(c.Out.Buf), "\r\n", "|")
	if want := ":1|:1|*1|$1|a|*2|$1|0|*1|$1|b|:2|+OK|:1|$1|a|:1|"; got != want {
		t.Errorf("pipeline = %q; want %q", got, want)
	}
}
