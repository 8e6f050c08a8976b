package commands

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"atomiccounter/engine"
)

func TestIncrEx(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"INCREX k", "*2|:1|:1|"},
		{"INCREX k BYINT 5", "*2|:6|:5|"},
		{"INCREX k BYINT 5 UBOUND 10", "*2|:6|:0|"},
		{"INCREX k BYINT 5 UBOUND 10 SATURATE", "*2|:10|:4|"},
		{"INCREX k BYINT 5 UBOUND 10 SATURATE", "*2|:10|:0|"},
		{"INCREX k BYINT -50 LBOUND -3 SATURATE", "*2|:-3|:-13|"},
		{"INCREX k byint -1 lbound -3", "*2|:-3|:0|"},
		{"INCREX new BYINT 5 UBOUND 1 EX 100", "*2|:0|:0|"},
		{"EXISTS new", ":0|"},
		{"INCREX k EX 100", "*2|:-2|:1|"},
		{"TTL k", ":100|"},
		{"INCREX k EX 200 ENX", "*2|:-1|:1|"},
		{"TTL k", ":100|"},
		{"INCREX k", "*2|:0|:1|"},
		{"TTL k", ":100|"},
		{"INCREX k UBOUND 0 PERSIST", "*2|:0|:0|"},
		{"TTL k", ":100|"},
		{"INCREX k PERSIST", "*2|:1|:1|"},
		{"TTL k", ":-1|"},
		{"INCREX k ENX PX 100000", "*2|:2|:1|"},
		{"TTL k", ":100|"},
		{"INCREX k BYINT", "-ERR syntax error|"},
		{"INCREX k BYINT x", "-ERR Increment is not an integer or out of range|"},
		{"INCREX k LBOUND 1.5", "-ERR LBOUND is not an integer or out of range|"},
		{"INCREX k UBOUND 9223372036854775808", "-ERR UBOUND is not an integer or out of range|"},
		{"INCREX k BYINT 1 BYINT 1", "-ERR syntax error|"},
		{"INCREX k LBOUND 2 UBOUND 1", "-ERR LBOUND can't be greater than UBOUND|"},
		{"INCREX k UBOUND 5 UBOUND 5", "-ERR syntax error|"},
		{"INCREX k SATURATE SATURATE", "-ERR syntax error|"},
		{"INCREX k ENX EX 10 ENX", "-ERR syntax error|"},
		{"INCREX k EX 10 EX 10", "-ERR syntax error|"},
		{"INCREX k PERSIST PERSIST", "-ERR syntax error|"},
		{"INCREX k ENX", "-ERR ENX flag requires an expiration|"},
		{"INCREX k ENX PERSIST", "-ERR syntax error|"},
		{"INCREX k PERSIST EX 1", "-ERR syntax error|"},
		{"INCREX k EX 1 PX 1", "-ERR syntax error|"},
		{"INCREX k EX 0", "-ERR invalid expire time in 'increx' command|"},
		{"INCREX k FOO", "-ERR syntax error|"},
		{"INCREX", "-ERR wrong number of arguments for 'increx' command|"},
		{"GET k", "$1|2|"},
		{"INCREX k UBOUND -5 SATURATE", "*2|:-5|:-7|"},
		{"SET k 9223372036854775807", "+OK|"},
		{"INCREX k UBOUND -2 SATURATE", "-ERR applied increment would overflow|"},
	} {
		want(t, c, step[0], step[1])
	}
}

// TestIncrExEvents: what INCREX tells is what it has done.
func TestIncrExEvents(t *testing.T) {
	s := newServer(t)
	c, listener := connect(t, s), connect(t, s)
	do(t, listener, "PSUBSCRIBE", "__key*")
	do(t, c, "CONFIG", "SET", "notify-keyspace-events", "EA")
	for _, step := range [][2]string{
		{"INCREX k EX 100", "incrby k, expire k"},
		{"INCREX k EX 200 ENX", "incrby k"},
		{"INCREX k UBOUND 1 EX 200", ""},
		{"INCREX k PERSIST", "incrby k, persist k"},
		{"INCREX k PERSIST", "incrby k"},
		{"INCREX k UBOUND 4 SATURATE", "incrby k"},
		{"INCREX k UBOUND 4 SATURATE", "incrby k"},
		{"INCREX k EXAT 1", "del k"},
	} {
		do(t, c, strings.Fields(step[0])...)
		if got := events(listener); got != step[1] {
			t.Errorf("events of %s: %s; want %s", step[0], got, step[1])
		}
	}
}

func TestKinds(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"CNEW n NATURAL", ":1|"},
		{"CNEW n natural", ":0|"},
		{"CNEW n ZCOUNTER", "-ERR key already exists with another kind|"},
		{"CNEW z ZCOUNTER", ":1|"},
		{"CNEW z OTHER", "-ERR syntax error|"},
		{"GET n", "$1|0|"},
		{"INCRBY n 5", ":5|"},
		{"DECR n", "-ERR a natural counter only grows|"},
		{"SET n -1", "-ERR a natural counter only grows|"},
		{"INCREX n BYINT -1", "-ERR a natural counter only grows|"},
		{"INCREX n UBOUND 3 SATURATE EX 100", "*2|:5|:0|"},
		{"TTL n", ":100|"},
		{"GET n", "$1|5|"},
		{"DECR z", ":-1|"},
		{"CINFO nokey", "*-1|"},
	} {
		want(t, c, step[0], step[1])
	}
}

func TestCInfo(t *testing.T) {
	c := newContext(t)
	do(t, c, "HELLO", "3")
	do(t, c, "SET", "k", "40", "PXAT", "33177117420000")
	do(t, c, "INCRBY", "k", "2")
	got := do(t, c, "CINFO", "k")
	for _, part := range []string{
		"%5\r\n$4\r\nkind\r\n$8\r\nzcounter\r\n$5\r\nvalue\r\n:42\r\n", "expire-at-ms\r\n:33177117420000\r\n",
		"contributions\r\n*1\r\n%10\r\n", "net\r\n$1\r\n2\r\n", "assigned\r\n:40\r\n", "own\r\n:1\r\n", "live\r\n:1\r\n",
		fmt.Sprintf("replica\r\n$16\r\n%016x\r\n", uint64(c.Server.Engine.ReplicaID())),
	} {
		if !strings.Contains(got, part) {
			t.Errorf("CINFO k = %q; want %q in it", got, part)
		}
	}
}

func TestErrorLine(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{engine.ErrOverflow, "ERR increment or decrement would overflow"},
		{engine.ErrNegative, "ERR a natural counter only grows"},
		{fmt.Errorf("new %q: %w", "k", engine.ErrKindFixed), "ERR key already exists with another kind"},
		{engine.ErrKeyTooLong, "ERR key is longer than 64 KiB"},
		{engine.ErrClosed, "ERR server is shutting down"},
		{engine.ErrNoSpace, "MISCONF no space left on device: writes are refused until there is room"},
		{errors.New("other"), "ERR other"},
		{fmt.Errorf("%w: %w", engine.ErrBusy, engine.ErrPartly), errBusyScript + ": a part of it is done"},
		{fmt.Errorf("%w: %w", errors.New("other"), engine.ErrPartly), "ERR other: a part of it is done"},
	} {
		if got := ErrorLine(test.err); got != test.want {
			t.Errorf("ErrorLine(%v) = %q; want %q", test.err, got, test.want)
		}
	}
	failed := fmt.Errorf("%w: %w", engine.ErrFailed, errors.New("disk on fire"))
	if got := ErrorLine(failed); !strings.HasPrefix(got, "MISCONF ") || !strings.Contains(got, "disk on fire") {
		t.Errorf("ErrorLine(%v) = %q; want MISCONF with the reason", failed, got)
	}
}

func TestKeyTooLong(t *testing.T) {
	c := newContext(t)
	long := strings.Repeat("k", engine.MaxKey+1)
	for _, call := range [][]string{{"INCR", long}, {"GET", long}, {"MSET", "a", "1", long, "1"}, {"DEL", long}} {
		if got := do(t, c, call...); got != "-ERR key is longer than 64 KiB\r\n" {
			t.Errorf("%s of a long key = %q; want an error", call[0], got)
		}
	}
	want(t, c, "EXISTS a", ":0|")
}
