package commands

import (
	"fmt"
	"strings"
	"testing"

	"atomiccounter/engine"
)

func TestCIncrBy(t *testing.T) {
	c := newContext(t)
	const life = "-ERR a token lives for 1 to 86400 seconds|"
	for _, proto := range []string{"2", "3"} {
		do(t, c, "HELLO", proto)
		do(t, c, "FLUSHALL")
		for _, step := range [][2]string{
			{"CINCRBY k 5 TOKEN a", ":5|"},
			{"CINCRBY k 5 TOKEN b ex 86400", ":10|"},
			{"CINCRBY k 5 token a", ":5|"},
			{"CINCRBY k 5 EX 1 TOKEN a", ":5|"},
			{"CINCRBY k 6 TOKEN a", "-ERR the token was used for another increment of this key|"},
			{"CINCRBY j 6 TOKEN a", ":6|"},
			{"GET k", "$2|10|"},
			{"DEL k", ":1|"},
			{"CINCRBY k 5 TOKEN b", ":10|"},
			{"EXISTS k", ":0|"},
			{"DBSIZE", ":1|"},
			{"KEYS *", "*1|$1|j|"},
			{"CINCRBY k x TOKEN c", "-ERR value is not an integer or out of range|"},
			{"CINCRBY k 05 TOKEN c", "-ERR value is not an integer or out of range|"},
			{"CINCRBY k 5 TOKEN", "-ERR wrong number of arguments for 'cincrby' command|"},
			{"CINCRBY k 5", "-ERR wrong number of arguments for 'cincrby' command|"},
			{"CINCRBY k 5 EX 10", "-ERR syntax error|"},
			{"CINCRBY k 5 TOKEN c EX", "-ERR syntax error|"},
			{"CINCRBY k 5 TOKEN c TOKEN d", "-ERR syntax error|"},
			{"CINCRBY k 5 TOKEN c EX 1 EX 1", "-ERR syntax error|"},
			{"CINCRBY k 5 TOKEN c PX 1", "-ERR syntax error|"},
			{"CINCRBY k 5 TOKEN c EX 0", life},
			{"CINCRBY k 5 TOKEN c EX -1", life},
			{"CINCRBY k 5 TOKEN c EX 86401", life},
			{"CINCRBY k 5 TOKEN c EX 9223372036854775807", life},
			{"CINCRBY k 5 TOKEN c EX x", "-ERR value is not an integer or out of range|"},
			{"EXISTS k", ":0|"},
			{"SET text words", "+OK|"},
			{"CINCRBY text 1 TOKEN c", "-ERR value is not an integer or out of range|"},
			{"SET text 1", "+OK|"},
			{"CINCRBY text 1 TOKEN c", ":2|"},
			{"HSET h f 1", ":1|"},
			{"CINCRBY h 1 TOKEN c", "-WRONGTYPE Operation against a key holding the wrong kind of value|"},
			{"SET top 9223372036854775807", "+OK|"},
			{"CINCRBY top 1 TOKEN c", "-ERR increment or decrement would overflow|"},
		} {
			want(t, c, step[0], step[1])
		}
	}
}

func TestCIncrByToken(t *testing.T) {
	c := newContext(t)
	for token, want := range map[string]string{
		"": "-ERR a token has 1 to 128 bytes", strings.Repeat("t", engine.MaxToken+1): "-ERR a token has 1 to 128 bytes",
		"\x00\r\n": ":1", strings.Repeat("\xff", engine.MaxToken): ":1",
	} {
		if got := do(t, c, "CINCRBY", fmt.Sprintf("k%d", len(token)), "1", "TOKEN", token); got != want+"\r\n" {
			t.Errorf("CINCRBY with a token of %d bytes = %q; want %q", len(token), got, want)
		}
	}
}

// TestCIncrByEvents: who counts nothing tells nobody.
func TestCIncrByEvents(t *testing.T) {
	s := newServer(t)
	c, listener := connect(t, s), connect(t, s)
	do(t, listener, "PSUBSCRIBE", "__key*")
	do(t, c, "CONFIG", "SET", "notify-keyspace-events", "EAn")
	do(t, c, "CINCRBY", "k", "5", "TOKEN", "t")
	do(t, c, "CINCRBY", "k", "5", "TOKEN", "t")
	do(t, c, "CINCRBY", "k", "6", "TOKEN", "t")
	if got, want := events(listener), "new k, incrby k"; got != want {
		t.Errorf("events: %s; want %s", got, want)
	}
}

// TestCIncrByInTransaction: it is queued and counts as elsewhere.
func TestCIncrByInTransaction(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"MULTI", "+OK|"},
		{"CINCRBY k 5 TOKEN a", "+QUEUED|"},
		{"CINCRBY k 5 TOKEN a", "+QUEUED|"},
		{"INCR k", "+QUEUED|"},
		{"CINCRBY k 6 TOKEN a", "+QUEUED|"},
		{"CINCRBY k 1 TOKEN b", "+QUEUED|"},
		{"EXEC", "*5|:5|:5|:6|-ERR the token was used for another increment of this key|:7|"},
		{"CINCRBY k 1 TOKEN b", ":7|"},
	} {
		want(t, c, step[0], step[1])
	}
}
