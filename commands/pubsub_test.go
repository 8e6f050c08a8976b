package commands

import (
	"strings"
	"testing"
	"time"
)

func TestPublish(t *testing.T) {
	s := newServer(t)
	c, a, b := connect(t, s), connect(t, s), connect(t, s)
	do(t, b, "HELLO", "3")
	want(t, a, "SUBSCRIBE news other", "*3|$9|subscribe|$4|news|:1|*3|$9|subscribe|$5|other|:2|")
	want(t, b, "PSUBSCRIBE n*", ">3|$10|psubscribe|$2|n*|:1|")
	want(t, b, "SSUBSCRIBE news", ">3|$10|ssubscribe|$4|news|:1|")
	want(t, c, "PUBLISH news hi", ":2|")
	want(t, c, "SPUBLISH news shard", ":1|")
	want(t, c, "PUBLISH none hi", ":1|")
	if got, want := sent(a), "*3|$7|message|$4|news|$2|hi|"; got != want {
		t.Errorf("a gets %q; want %q", got, want)
	}
	if got, want := sent(b), ">4|$8|pmessage|$2|n*|$4|news|$2|hi|>3|$8|smessage|$4|news|$5|shard|>4|$8|pmessage|$2|n*|$4|none|$2|hi|"; got != want {
		t.Errorf("b gets %q; want %q", got, want)
	}
	want(t, c, "PUBSUB NUMSUB news none", "*4|$4|news|:1|$4|none|:0|")
	want(t, c, "PUBSUB CHANNELS n*", "*1|$4|news|")
	want(t, c, "PUBSUB SHARDCHANNELS", "*1|$4|news|")
	want(t, c, "PUBSUB NUMPAT", ":1|")
	if line := b.Client.Line(time.Now()); !strings.Contains(line, "flags=P ") || !strings.Contains(line, " sub=0 psub=1 ssub=1 ") {
		t.Errorf("CLIENT LIST = %q; want flag P and the subscriptions", line)
	}
	s.Forget(a.Client)
	s.Forget(b.Client)
	want(t, c, "PUBLISH news hi", ":0|")
	want(t, c, "PUBSUB CHANNELS", "*0|")
}

// What came before UNSUBSCRIBE goes before its confirmation, and a change of protocol does not change what is written.
func TestMessagesAndRepliesAreInOrder(t *testing.T) {
	s := newServer(t)
	c, a := connect(t, s), connect(t, s)
	do(t, a, "HELLO", "3")
	do(t, a, "SUBSCRIBE", "news")
	do(t, c, "PUBLISH", "news", "1")
	if got, want := do(t, a, "HELLO", "2"), ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n1\r\n*"; !strings.HasPrefix(got, want) {
		t.Errorf("HELLO 2 = %q; want %q first", got, want)
	}
	do(t, c, "PUBLISH", "news", "2")
	want(t, a, "UNSUBSCRIBE", "*3|$7|message|$4|news|$1|2|*3|$11|unsubscribe|$4|news|:0|")
	want(t, a, "UNSUBSCRIBE", "*3|$11|unsubscribe|$-1|:0|")
}

// TestSubscriptionsAreBounded: a client cannot make the server remember more names than it may send at once.
func TestSubscriptionsAreBounded(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	do(t, c, "CONFIG", "SET", "client-query-buffer-limit", "1mb")
	name := strings.Repeat("n", maxName-1)
	for i := range 18 { // each takes 128 bytes beside its name
		want := "*3\r\n"
		if i > 14 {
			want = "-ERR the names"
		}
		if got := do(t, c, "SUBSCRIBE", name+string(rune('a'+i))); !strings.HasPrefix(got, want) {
			t.Errorf("SUBSCRIBE %d = %.40q; want %q", i, got, want)
		}
	}
	if got := do(t, c, "SUBSCRIBE", name+"a"); !strings.HasPrefix(got, "*3\r\n") {
		t.Errorf("SUBSCRIBE again = %.40q; want it to be confirmed", got)
	}
	do(t, c, "UNSUBSCRIBE")
	if got := do(t, c, "PSUBSCRIBE", name); !strings.HasPrefix(got, "*3\r\n") {
		t.Errorf("PSUBSCRIBE after UNSUBSCRIBE = %.40q; want it to be confirmed", got)
	}
}

func TestClientTypes(t *testing.T) {
	s := newServer(t)
	c, listener := connect(t, s), connect(t, s)
	do(t, listener, "SUBSCRIBE", "news")
	for kind, id := range map[string]string{"normal": "id=1 ", "pubsub": "id=2 ", "replica": ""} {
		list := do(t, c, "CLIENT", "LIST", "TYPE", kind)
		if n := strings.Count(list, "id="); !strings.Contains(list, id) || id != "" && strings.Count(list, " addr=") != 1 || id == "" && n != 0 {
			t.Errorf("CLIENT LIST TYPE %s = %q; want %q alone", kind, list, id)
		}
	}
	want(t, c, "CLIENT KILL TYPE pubsub", ":1|")
	want(t, c, "CLIENT KILL TYPE replica", ":0|")
}

// TestPauseEnds by itself, and commands are no slower afterwards.
func TestPauseEnds(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	began := time.Now()
	want(t, c, "CLIENT PAUSE 20 WRITE", "+OK|")
	want(t, c, "GET k", "$-1|")
	want(t, c, "SET k 1", "+OK|")
	if d := time.Since(began); d < 20*time.Millisecond || s.attention.Load() != 0 {
		t.Errorf("SET in a pause took %v, attention is %d; want it to wait, and nothing left", d, s.attention.Load())
	}
}

// TestLongNames: patterns and names of channels have at most 64 KiB.
func TestLongNames(t *testing.T) {
	s := newServer(t)
	c, a := connect(t, s), connect(t, s)
	do(t, c, "HSET", "h", "f", "1")
	long, just := strings.Repeat("n", maxName+1), strings.Repeat("n", maxName)
	for _, line := range [][]string{{"PUBLISH", long, "x"}, {"SPUBLISH", long, "x"}, {"PSUBSCRIBE", long}, {"SUBSCRIBE", long}, {"SSUBSCRIBE", long},
		{"KEYS", long}, {"SCAN", "0", "MATCH", long}, {"HSCAN", "h", "0", "MATCH", long}, {"PUBSUB", "CHANNELS", long}} {
		if got := do(t, c, line...); !strings.HasPrefix(got, "-ERR a pattern, or the name of a channel, exceeds") {
			t.Errorf("%s = %.60q; want an error", line[0], got)
		}
	}
	do(t, a, "PSUBSCRIBE", just)
	for _, line := range [][]string{{"PUBLISH", just, "x"}, {"KEYS", just}, {"PUBSUB", "CHANNELS", just}} {
		if got := do(t, c, line...); got[0] == '-' {
			t.Errorf("%s of 64 KiB = %.60q", line[0], got)
		}
	}
}
