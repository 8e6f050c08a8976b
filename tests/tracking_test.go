package tests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInvalidationsDifferential has two connections cache keys, in random modes, while a third one plays random commands.
func TestInvalidationsDifferential(t *testing.T) {
	w := startTwins(t, "")
	for i := range uint64(6) {
		g := generator{rand.New(rand.NewPCG(*seed, i)), ""}
		if err := w.cache(g, 200); err != nil {
			t.Errorf("stream %d, -seed %d: %v", i, *seed, err)
		}
	}
}

func (w *twins) cache(g generator, n int) error {
	if err := w.reset(); err != nil {
		return err
	}
	defer w.close()
	modes := []string{g.pick("", "NOLOOP", "OPTIN", "OPTOUT"), g.pick("BCAST", "BCAST PREFIX a PREFIX v", "BCAST NOLOOP", "")}
	for client, mode := range modes {
		track := strings.Fields("CLIENT TRACKING ON " + mode)
		if _, _, err := w.both(client, [][]string{{"HELLO", "3"}, track}, false); err != nil {
			return err
		}
	}
	for range n {
		client, args := g.IntN(clients), resolve(cacheable(g), time.Now())
		burst := [][]string{args}
		if g.IntN(3) == 0 && client == 0 && oneOf(modes[0], "OPTIN", "OPTOUT") {
			burst = [][]string{{"CLIENT", "CACHING", map[string]string{"OPTIN": "YES", "OPTOUT": "NO"}[modes[0]]}, args}
		}
		redis, ours, err := w.both(client, burst, false)
		if err != nil {
			return err
		}
		for other := range clients {
			redis2, ours2, err := w.both(other, [][]string{{"PING"}}, false)
			if err != nil {
				return err
			}
			if other == client { // Redis tells of broadcasts after the burst, which may be before or after the end of it
				redis2, ours2 = append(redis, redis2...), append(ours, ours2...)
			}
			if err := sameReplies(other, args, pushesLast(redis2), pushesLast(ours2)); err != nil {
				return fmt.Errorf("%q, after client %d: %w", modes, client, err)
			}
		}
	}
	return nil
}

// pushesLast puts the replies first, and the pushes in an order that does not depend on when they came.
func pushesLast(list []reply) []reply {
	var replies, pushes []reply
	for _, r := range list {
		if r.mark == '>' {
			pushes = append(pushes, r)
		} else {
			replies = append(replies, r)
		}
	}
	slices.SortFunc(pushes, func(a, b reply) int { return bytes.Compare(a.raw, b.raw) })
	return append(replies, pushes...)
}

// cacheable makes a command with replies that do not depend on the clock, of one key if it may change some but not all of
// them: then Redis tells of those that changed, and here of all that were named.
func cacheable(g generator) []string {
	for {
		args := eventful(g)
		if oneOf(args[0], "get", "set", "setnx", "getset", "getdel", "incr", "incrby", "decr", "append", "setrange", "persist", "expireat", "strlen", "mget", "exists",
			"getrange", "type", "flushall", "flushdb", "setex", "psetex") && len(args[len(args)-1]) < 10000 &&
			!(oneOf(args[0], "append") && len(args) == 3 && args[2] == "") { // which changes nothing, but Redis says that it does
			return args
		}
		if oneOf(args[0], "del", "unlink") && len(args) == 2 {
			return args
		}
	}
}

// TestScriptsThatReadDifferential: what a client caches that has a script read something.
func TestScriptsThatReadDifferential(t *testing.T) {
	w := startTwins(t, "")
	get, nothing := `return redis.call("GET", KEYS[1])`, "return 1"
	for _, script := range [][]string{
		{"EVAL", get, "2", "a", "b"}, {"EVAL_RO", get, "2", "a", "b"}, {"EVAL", nothing, "2", "a", "b"}, {"EVAL_RO", nothing, "1", "a"},
		{"EVAL", `return redis.call("GET", "b")`, "1", "a"}, {"EVAL", `return redis.call("SET", KEYS[1], 1)`, "2", "a", "b"},
		{"EVALSHA_RO", strings.Repeat("0", 40), "1", "a"},
	} {
		if err := w.reset(); err != nil {
			t.Fatal(err)
		}
		reads := [][]string{{"HELLO", "3"}, {"CLIENT", "TRACKING", "ON"}, script}
		if _, _, err := w.both(0, reads, false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.both(1, [][]string{{"SET", "a", "5"}, {"SET", "b", "5"}}, false); err != nil {
			t.Fatal(err)
		}
		redis, ours, err := w.both(0, [][]string{{"PING"}}, false)
		if err == nil {
			err = sameReplies(0, script, pushesLast(redis), pushesLast(ours))
		}
		if err != nil {
			t.Errorf("%s: %v", quote(script), err)
		}
		w.close()
	}
}
