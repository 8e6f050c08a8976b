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
