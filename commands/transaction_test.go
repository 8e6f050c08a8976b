package commands

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"

	"atomiccounter/engine"
)

// TestTransaction: each line is a conversation from its beginning; TestTextsAreThoseOfRedis and the differential test
// compare with Redis.
func TestTransaction(t *testing.T) {
	for name, steps := range map[string][][2]string{
		"whole":     {{"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"GET k", "+QUEUED|"}, {"EXEC", "*2|:1|$1|1|"}, {"EXEC", "-ERR EXEC without MULTI|"}},
		"empty":     {{"MULTI", "+OK|"}, {"EXEC", "*0|"}},
		"discarded": {{"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"DISCARD", "+OK|"}, {"GET k", "$-1|"}, {"DISCARD", "-ERR DISCARD without MULTI|"}},
		"nested":    {{"MULTI", "+OK|"}, {"MULTI", "-ERR MULTI calls can not be nested|"}, {"WATCH k", "-ERR WATCH inside MULTI is not allowed|"}, {"INCR k", "+QUEUED|"}, {"EXEC", "*1|:1|"}},
		"a wrong arity": {{"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"INCR", "-ERR wrong number of arguments for 'incr' command|"},
			{"EXEC", "-EXECABORT Transaction discarded because of previous errors.|"}, {"GET k", "$-1|"}},
		"EXEC with a wrong arity": {{"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"},
			{"EXEC now", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|"}, {"EXEC", "-ERR EXEC without MULTI|"}},
		"not allowed": {{"MULTI", "+OK|"}, {"CTOKEN", "-ERR Command not allowed inside a transaction|"}, {"EXEC", "-EXECABORT Transaction discarded because of previous errors.|"}},
		"an error within": {{"MULTI", "+OK|"}, {"SET k x", "+QUEUED|"}, {"INCR k", "+QUEUED|"}, {"SET j 1", "+QUEUED|"},
			{"EXEC", "*3|+OK|-ERR value is not an integer or out of range|+OK|"}, {"GET j", "$1|1|"}},
		"what would wait": {{"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"WAIT 1 0", "+QUEUED|"}, {"WAIT 0 100", "+QUEUED|"}, {"EXEC", "*3|:1|:0|:0|"}},
		"database and protocol": {{"MULTI", "+OK|"}, {"SELECT 3", "+QUEUED|"}, {"INCR k", "+QUEUED|"}, {"HELLO 4", "+QUEUED|"},
			{"EXEC", "*3|+OK|:1|-NOPROTO unsupported protocol version|"}, {"GET k", "$1|1|"}, {"SELECT 0", "+OK|"}, {"GET k", "$-1|"}},
		"reset":   {{"WATCH k", "+OK|"}, {"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"RESET", "+RESET|"}, {"EXEC", "-ERR EXEC without MULTI|"}, {"GET k", "$-1|"}},
		"flushed": {{"SET a 1", "+OK|"}, {"MULTI", "+OK|"}, {"FLUSHALL", "+QUEUED|"}, {"DBSIZE", "+QUEUED|"}, {"INCR a", "+QUEUED|"}, {"EXEC", "*3|+OK|:0|:1|"}},
		"watched": {{"WATCH k j", "+OK|"}, {"GET k", "$-1|"}, {"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"EXEC", "*1|:1|"}, {"MULTI", "+OK|"}, {"EXEC", "*0|"}},
		"changed": {{"WATCH k", "+OK|"}, {"INCR k", ":1|"}, {"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"EXEC", "*-1|"}, {"MULTI", "+OK|"}, {"EXEC", "*0|"}, {"GET k", "$1|1|"}},
		"another mode": {{"MULTI", "+OK|"}, {"INCR k", "+QUEUED|"}, {"CONFIG SET appendfsync always", "+QUEUED|"}, {"INCR k", "+QUEUED|"},
			{"CONFIG SET appendfsync no", "+QUEUED|"}, {"INCR k", "+QUEUED|"}, {"EXEC", "*5|:1|+OK|:2|+OK|:3|"}, {"GET k", "$1|3|"}},
		"unwatched": {{"WATCH k", "+OK|"}, {"INCR k", ":1|"}, {"UNWATCH", "+OK|"}, {"MULTI", "+OK|"}, {"UNWATCH", "+QUEUED|"}, {"EXEC", "*1|+OK|"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContext(t)
			for _, s := range steps {
				want(t, c, s[0], s[1])
			}
		})
	}
}

// TestWatchAgainstAppendOfNothing, which is a write where it is not refused.
func TestWatchAgainstAppendOfNothing(t *testing.T) {
	c := newContext(t)
	for _, s := range []struct{ make, reply, exec string }{{"SET k 5", ":1\r\n", "*-1|"}, {"HSET h f 5", "-WRONGTYPE ", "*0|"}} {
		do(t, c, strings.Fields(s.make)...)
		key := strings.Fields(s.make)[1]
		want(t, c, "WATCH "+key, "+OK|")
		if got := do(t, c, "APPEND", key, ""); !strings.HasPrefix(got, s.reply) {
			t.Errorf("APPEND of nothing after %s = %q; want %q", s.make, got, s.reply)
		}
		want(t, c, "MULTI", "+OK|")
		want(t, c, "EXEC", s.exec)
	}
}

// TestWatchOfTwo: what another connection does between WATCH and EXEC.
func TestWatchOfTwo(t *testing.T) {
	s := newServer(t)
	a, b := connect(t, s), connect(t, s)
	do(t, a, "HELLO", "3")
	for _, c := range []struct{ other, reply string }{{"GET k", "*1|:1|"}, {"INCR j", "*1|:2|"}, {"INCR k", "_|"}, {"FLUSHALL", "_|"}, {"DEL k", "*1|:1|"}, {"EXPIRE k 0", "_|"}} {
		want(t, a, "WATCH k", "+OK|")
		want(t, a, "MULTI", "+OK|")
		want(t, a, "INCR k", "+QUEUED|")
		do(t, b, strings.Fields(c.other)...)
		if flags := flagsOf(t, b, a); strings.Contains(flags, "d") != (c.reply == "_|") || !strings.Contains(flags, "x") {
			t.Errorf("after %s: CLIENT LIST has flags=%s; want x, and d if the watch is broken", c.other, flags)
		}
		want(t, a, "EXEC", c.reply)
	}
	if flags := flagsOf(t, b, a); flags != "N" {
		t.Errorf("at the end flags=%s; want N", flags)
	}
	want(t, a, "WATCH k", "+OK|")
	a.Close()
	want(t, b, "INCR k", ":1|")
	if a.Pipe.Touched() {
		t.Error("a connection that is closed watches on")
	}
}

func flagsOf(t *testing.T, c, of *Context) string {
	t.Helper()
	line := of.Client.Line(time.Now())
	_, rest, _ := strings.Cut(line, " flags=")
	flags, _, ok := strings.Cut(rest, " ")
	if list := do(t, c, "CLIENT", "LIST"); !ok || !strings.Contains(list, "flags="+flags+" ") {
		t.Errorf("CLIENT LIST = %q; want flags=%s", list, flags)
	}
	return flags
}

func TestClientListShowsTransactions(t *testing.T) {
	c := newContext(t)
	for _, s := range []struct{ line, want string }{{"PING", "multi=-1 "}, {"MULTI", "multi=0 "}, {"PING", "multi=1 "}, {"DISCARD", "multi=-1 "}} {
		do(t, c, s.line)
		if line := c.Client.Line(time.Now()); !strings.Contains(line, s.want) {
			t.Errorf("after %s: %q; want %s", s.line, line, s.want)
		}
	}
}

// TestTransactionBeforeAuth: an error of a queued command's, or of EXEC itself, ends it.
func TestTransactionBeforeAuth(t *testing.T) {
	s := newServer(t)
	want(t, connect(t, s), "CONFIG SET requirepass secret", "+OK|")
	c := connect(t, s)
	want(t, c, "MULTI", "-NOAUTH Authentication required.|")
	want(t, c, "EXEC", "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.|")
	want(t, c, "AUTH secret", "+OK|")
	want(t, c, "EXEC", "-ERR EXEC without MULTI|")
}

// TestEveryCommandInATransaction: none waits for what the transaction holds up, and each gives one reply.
func TestEveryCommandInATransaction(t *testing.T) {
	c := newContext(t)
	queued := 0
	eachCommand(func(cmd *Command, name []string) {
		if cmd.Flags&AtOnce != 0 || cmd.Flags&PubSub != 0 && cmd.Name != "publish" || cmd.FullName == "monitor" || cmd.FullName == "client|reply" || cmd.FullName == "client|kill" || cmd.FullName == "hello" {
			return
		}
		for _, args := range everyFilling(cmd, name) {
			want(t, c, "MULTI", "+OK|")
			do(t, c, "INCR", "1") // so that something is pending
			if do(t, c, args...) == "+QUEUED\r\n" {
				queued++
			}
			reply := do(t, c, "EXEC")
			if strings.HasPrefix(reply, "-EXECABORT") {
				continue
			}
			whole, err := readReply(bufio.NewReader(strings.NewReader(reply)))
			if !strings.HasPrefix(reply, "*2\r\n") || len(whole) != len(reply) || err != nil {
				t.Errorf("EXEC of INCR and %q = %q; want two replies", args, reply)
			}
		}
	})
	if queued < 500 {
		t.Errorf("%d calls were queued; want hundreds", queued)
	}
}

// everyFilling are calls whose number of arguments is right, and which do not end anything or change how replies look.
func everyFilling(cmd *Command, name []string) (calls [][]string) {
	least := max(cmd.Arity, -cmd.Arity)
	for n := least; n <= least+2 && cmd.Fits(n); n++ {
		for _, filler := range fillers {
			args := append([]string(nil), name...)
			for len(args) < n {
				args = append(args, filler)
			}
			calls = append(calls, args)
		}
	}
	return calls
}

// TestTransactionTooLarge: nothing of it runs.
func TestTransactionTooLarge(t *testing.T) {
	c := newContext(t)
	want(t, c, "MULTI", "+OK|")
	want(t, c, "INCR k", "+QUEUED|")
	for range 64 {
		do(t, c, "SET", "big", strings.Repeat("x", engine.MaxText))
	}
	want(t, c, "EXEC", "-EXECABORT Transaction discarded because of: its commands take more than 64 MiB|")
	want(t, c, "GET k", "$-1|")
}

// TestTransactionWithoutRoom: writes are refused when they are queued, and EXEC if they were queued before.
func TestTransactionWithoutRoom(t *testing.T) {
	s := newServerWith(t, engine.Options{Reserve: 1 << 60})
	early, c := connect(t, s), connect(t, s)
	early.multi = transaction{open: true, flags: Write} // as if it had been queued while there was room
	for deadline := time.Now().Add(patience); !errors.Is(c.Pipe.Writable(), engine.ErrNoSpace); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("writes go on without room")
		}
	}
	const misconf = "MISCONF no space left on device: writes are refused until there is room|"
	want(t, early, "EXEC", "-EXECABORT Transaction discarded because of: "+misconf)
	want(t, c, "MULTI", "+OK|")
	want(t, c, "INCR k", "-"+misconf)
	want(t, c, "EXEC", "-EXECABORT Transaction discarded because of previous errors.|")
	want(t, c, "MULTI", "+OK|")
	want(t, c, "GET k", "+QUEUED|")
	want(t, c, "EXEC", "*1|$-1|")
}
