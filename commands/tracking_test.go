package commands

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// cacher is a connection in RESP3 that tracks keys.
func cacher(t *testing.T, s *Server, options string) *Context {
	t.Helper()
	c := connect(t, s)
	do(t, c, "HELLO", "3")
	want(t, c, "CLIENT TRACKING ON "+options, "+OK|")
	return c
}

// invalidated takes the keys that a client was told of, * for all.
func invalidated(c *Context) string {
	got := strings.ReplaceAll(sent(c), ">2|$10|invalidate|_|", "* ")
	got = regexp.MustCompile(`>2\|\$10\|invalidate\|\*1\|\$\d+\|`).ReplaceAllString(got, "")
	return strings.TrimSpace(strings.ReplaceAll(got, "|", " "))
}

func wantInvalidated(t *testing.T, c *Context, want string) {
	t.Helper()
	if got := invalidated(c); got != want {
		t.Errorf("invalidated %q; want %q", got, want)
	}
}

// TestTrackingOfScripts: a client caches what the commands of its script read, and not what keys the script names.
func TestTrackingOfScripts(t *testing.T) {
	s := newServer(t)
	w := connect(t, s)
	c := cacher(t, s, "")
	for _, command := range []string{"EVAL", "EVAL_RO"} {
		for script, want := range map[string]string{"return 1": "", "return redis.call('get', KEYS[1])": "k"} {
			do(t, c, command, script, "1", "k")
			do(t, w, "INCR", "k")
			wantInvalidated(t, c, want)
		}
	}
	do(t, c, "EVALSHA_RO", strings.Repeat("0", 40), "1", "k")
	do(t, w, "INCR", "k")
	wantInvalidated(t, c, "")
}

func TestTracking(t *testing.T) {
	s := newServer(t)
	w := connect(t, s)
	c := cacher(t, s, "")
	do(t, w, "SET", "a", "1")
	wantInvalidated(t, c, "") // nobody has read it
	for _, change := range []string{"INCR a", "SET a 1", "DEL a", "SET a 2 EX 100", "PERSIST a", "GETDEL a", "APPEND a x", "MSET a 1 b 2", "SETNX a 1", "DEL none"} {
		do(t, c, "GET", "a")
		do(t, w, strings.Fields(change)...)
		expected := "a"
		if change == "SETNX a 1" || change == "DEL none" {
			expected = "" // nothing has changed
		}
		wantInvalidated(t, c, expected)
		do(t, w, strings.Fields(change)...)
		wantInvalidated(t, c, "")
	}
	do(t, c, "GET", "b")
	do(t, w, "FLUSHALL")
	wantInvalidated(t, c, "*")
	do(t, w, "MULTI")
	do(t, w, "FLUSHDB")
	do(t, w, "FLUSHALL")
	wantInvalidated(t, c, "")
	do(t, w, "EXEC")
	wantInvalidated(t, c, "*")
	do(t, w, "EVAL", "return redis.call('flushall')", "0")
	wantInvalidated(t, c, "*")
	do(t, c, "MGET", "a", "b")
	do(t, c, "INCR", "a") // its own change, too
	wantInvalidated(t, c, "a")
	info := do(t, w, "INFO", "stats", "clients")
	for _, part := range []string{"tracking_total_keys:1\r\n", "tracking_total_items:1\r\n", "tracking_clients:1\r\n"} {
		if !strings.Contains(info, part) {
			t.Errorf("INFO = %q; want %q in it", info, part)
		}
	}
	want(t, c, "RESET", "+RESET|")
	if s.attention.Load() != 0 {
		t.Errorf("attention = %d after RESET; want 0", s.attention.Load())
	}
}

func TestTrackingModes(t *testing.T) {
	s := newServer(t)
	w := connect(t, s)
	optIn, optOut, noLoop, all := cacher(t, s, "OPTIN"), cacher(t, s, "OPTOUT"), cacher(t, s, "NOLOOP"), cacher(t, s, "BCAST PREFIX b PREFIX c")
	resp2 := connect(t, s)
	do(t, resp2, "CLIENT", "TRACKING", "ON")
	for _, c := range []*Context{optIn, optOut, noLoop, resp2} {
		do(t, c, "GET", "a")
	}
	do(t, w, "INCR", "a")
	wantInvalidated(t, optIn, "")
	wantInvalidated(t, optOut, "a")
	wantInvalidated(t, noLoop, "a")
	wantInvalidated(t, all, "")
	wantInvalidated(t, resp2, "") // as in Redis: a push would look like a reply
	do(t, optIn, "CLIENT", "CACHING", "YES")
	do(t, optIn, "GET", "a")
	do(t, optIn, "GET", "b") // not this one
	do(t, optOut, "CLIENT", "CACHING", "NO")
	do(t, optOut, "GET", "a")
	do(t, noLoop, "GET", "a")
	do(t, noLoop, "INCR", "a")
	wantInvalidated(t, optIn, "a")
	wantInvalidated(t, optOut, "")
	wantInvalidated(t, noLoop, "")
	do(t, w, "INCR", "b")
	wantInvalidated(t, optIn, "")
	wantInvalidated(t, all, "b")
	do(t, w, "MSET", "bz", "1", "d", "1", "ba", "1", "c", "1")
	if got := sent(all); !strings.Contains(got, "invalidate|*2|$2|ba|$2|bz|") || !strings.Contains(got, "invalidate|*1|$1|c|") {
		t.Errorf("BCAST is told %q; want a message for each prefix", got)
	}
}

// TestTrackingInTransactions: CLIENT CACHING speaks of all of a transaction, and what that changes is told when it has replied.
func TestTrackingInTransactions(t *testing.T) {
	s := newServer(t)
	w, c := connect(t, s), cacher(t, s, "OPTIN")
	want(t, c, "CLIENT CACHING YES", "+OK|")
	want(t, c, "MULTI", "+OK|")
	want(t, c, "GET a", "+QUEUED|")
	want(t, c, "GET b", "+QUEUED|")
	want(t, c, "EXEC", "*2|_|_|")
	want(t, c, "GET d", "_|") // not this one
	do(t, w, "MSET", "a", "1", "b", "1", "d", "1")
	wantInvalidated(t, c, "a b")
	want(t, c, "CLIENT CACHING YES", "+OK|")
	want(t, c, "GET a", "$1|1|")
	for _, line := range []string{"MULTI", "INCR a", "GET a"} {
		do(t, w, strings.Fields(line)...)
		wantInvalidated(t, c, "")
	}
	want(t, w, "EXEC", "*2|:2|$1|2|")
	wantInvalidated(t, c, "a")
}

// TestTrackingIsBounded: beyond tracking-table-max-keys keys are forgotten, and who caches them is told.
func TestTrackingIsBounded(t *testing.T) {
	s := newServer(t)
	c := cacher(t, s, "")
	do(t, c, "CONFIG", "SET", "tracking-table-max-keys", "10")
	for i := range 30 {
		do(t, c, "GET", fmt.Sprint("key", i))
	}
	keys, _, _ := s.push.tracking.Counts()
	if n := strings.Count(sent(c), "invalidate"); n != 20 || keys != 10 {
		t.Errorf("%d keys are told of, %d known; want 20 and 10", n, keys)
	}
	s.Forget(c.Client)
	if keys, items, _ := s.push.tracking.Counts(); keys != 0 || items != 0 {
		t.Errorf("%d keys, %d items after the client has gone; want 0", keys, items)
	}
}

// TestTrackingOfForeignData: who caches a key is told when another replica's data shows, not when it arrives, and also when it expires.
func TestTrackingOfForeignData(t *testing.T) {
	now := int64(1e12)
	s := newServerWith(t, engine.Options{Now: func() int64 { return now }, Disk: enginetest.NewDisk(rand.Uint64)})
	c := cacher(t, s, "")
	stamp := tlv.Stamp(0)
	arrive := func(key string, total int64, expire int64) {
		t.Helper()
		next := tlv.Stamp(now<<tlv.StampShift) + tlv.Stamp(total)
		part := tlv.Contribution{Replica: 7, Birth: 1, Rev: next, Last: next, Kind: tlv.ZCounter, Total: tlv.FromInt64(total)}
		if expire != 0 {
			part.Expiry = tlv.Expiry{Stamp: next, At: expire}
		}
		state := tlv.State{Contributions: []tlv.Contribution{part}}
		b := tlv.Batch{Replica: 7, Life: 1, Prev: stamp, Stamp: next, Deltas: []tlv.Delta{{Key: append([]byte{0}, key...), State: state}}}
		stamp = next
		if err := s.Engine.Apply(&b); err != nil {
			t.Fatal(err)
		}
	}
	want(t, c, "GET k", "_|")
	want(t, c, "INCR k", ":1|")
	wantInvalidated(t, c, "k")
	want(t, c, "GET k", "$1|1|")
	arrive("k", 5, 0)
	wantInvalidated(t, c, "") // it does not show yet: who reads now gets the old value
	want(t, c, "GET k", "$1|1|")
	s.Engine.Refresh()
	wantInvalidated(t, c, "k")
	want(t, c, "GET k", "$1|6|")

	arrive("cold", 6, now+1000) // shows at once
	wantInvalidated(t, c, "")
	want(t, c, "GET cold", "$1|6|")
	arrive("cold", 7, now+1000)
	s.Engine.Refresh()
	wantInvalidated(t, c, "cold")
	want(t, c, "GET cold", "$1|7|")
	now += 999
	s.TellExpired()
	wantInvalidated(t, c, "")
	now++ // another replica's to carry out, but it reads as absent here
	s.TellExpired()
	wantInvalidated(t, c, "cold")
	want(t, c, "GET cold", "_|")
}

// TestTrackingBeginsWhileACommandRuns: the command saw that nobody tracked anything when it began.
func TestTrackingBeginsWhileACommandRuns(t *testing.T) {
	s := newServer(t)
	w, c := connect(t, s), connect(t, s)
	do(t, c, "HELLO", "3")
	late := Command{Name: "late", FullName: "late", Flags: Write | Fast, Keys: updateKey, Run: func(w *Context, args [][]byte) {
		want(t, c, "CLIENT TRACKING ON", "+OK|")
		want(t, c, "GET k", "_|")
		incr(w, args)
	}}
	w.call(&late, words("LATE", "k"))
	if _, err := w.Pipe.Commit(); err != nil {
		t.Fatal(err)
	}
	wantInvalidated(t, c, "k")
}
