package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

// steps is the length of one random stream.
const steps = 300

func TestDifferential(t *testing.T) { compareStreams(t, *streams, "") }

// TestDifferentialPassword has clients that are not authenticated, too.
func TestDifferentialPassword(t *testing.T) { compareStreams(t, (*streams+3)/4, "secret") }

// TestFixedStreams plays what random streams seldom say.
func TestFixedStreams(t *testing.T) {
	w := startTwins(t, "")
	for name, stream := range fixedStreams {
		if err := w.run(stream); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var fixedStreams = map[string][]step{
	"as many replies as commands, but not one for each": {
		{commands: [][]string{{"CLIENT", "REPLY", "OFF"}, {"RESET"}, {"CONFIG", "GET", "*"}, {"INFO"}}},
	},
	"what RESET replies": {
		{commands: [][]string{{"CLIENT", "REPLY", "SKIP"}, {"RESET"}, {"PING", "1"}}},
		{commands: [][]string{{"CLIENT", "REPLY", "OFF"}, {"RESET"}, {"PING", "2"}}},
		{commands: [][]string{{"CLIENT", "REPLY", "SKIP"}, {"CLIENT", "REPLY", "OFF"}, {"RESET"}, {"PING", "3"}}},
		{commands: [][]string{{"CLIENT", "REPLY", "SKIP"}, {"CLIENT", "REPLY", "SKIP"}, {"RESET"}, {"PING", "4"}}},
	},
	"a transaction that turns replies off and on": {
		{commands: [][]string{{"MULTI"}, {"PING", "1"}, {"CLIENT", "REPLY", "SKIP"}, {"PING", "2"}, {"EXEC"}, {"PING", "3"}, {"PING", "4"}}},
		{commands: [][]string{{"CLIENT", "REPLY", "OFF"}, {"MULTI"}, {"PING", "1"}, {"CLIENT", "REPLY", "ON"}, {"PING", "2"}, {"EXEC"}}},
		{commands: [][]string{{"CLIENT", "REPLY", "SKIP"}, {"MULTI"}, {"PING", "1"}, {"CLIENT", "REPLY", "SKIP"}, {"EXEC"}, {"PING", "2"}}},
	},
	"what ends a transaction": {
		{commands: [][]string{{"MULTI"}, {"INCR", "a"}, {"RESET"}, {"EXEC"}, {"GET", "a"}}},
		{commands: [][]string{{"WATCH", "a"}, {"INCR", "a"}, {"RESET"}, {"MULTI"}, {"EXEC"}}},
		{commands: [][]string{{"WATCH", "a"}, {"INCR", "a"}, {"UNWATCH"}, {"MULTI"}, {"EXEC"}}},
		{commands: [][]string{{"WATCH", "a"}, {"INCR", "a"}, {"MULTI"}, {"DISCARD"}, {"MULTI"}, {"EXEC"}}},
		{commands: [][]string{{"WATCH", "a"}, {"INCR", "a"}, {"MULTI"}, {"INCR"}, {"EXEC"}, {"MULTI"}, {"EXEC"}}},
		{commands: [][]string{{"HELLO", "3"}, {"WATCH", "a"}, {"INCR", "a"}, {"MULTI"}, {"EXEC"}, {"MULTI"}, {"HELLO", "2"}, {"GET", "no"}, {"EXEC"}}},
		{commands: [][]string{{"MULTI"}, {"WAIT", "0", "100"}, {"WAIT", "1", "0"}, {"SELECT", "5"}, {"INCR", "a"}, {"SELECT", "0"}, {"EXEC"}, {"QUIT"}}},
	},
	"a refused value that is also a key, under a key that is too long": {
		{commands: [][]string{{"SET", "a", "5"}}},
		{commands: [][]string{{"GETSET", strings.Repeat("k", 65537), "a"}}},
		{commands: [][]string{{"GET", "a"}}},
	},
}

// maxFailures is how many streams are reported: one may hide another.
const maxFailures = 4

func compareStreams(t *testing.T, n int, password string) {
	w := startTwins(t, password)
	failures := 0
	for i := 0; i < n && failures < maxFailures; i++ {
		g := generator{rand.New(rand.NewPCG(*seed, uint64(i))), password}
		stream := g.stream(steps)
		if err := w.run(stream); err != nil {
			failures++
			t.Errorf("stream %d, -seed %d: %v", i, *seed, err)
			t.Log(w.explain(stream))
		}
	}
}

// explain looks for the least that fails of a stream that has failed.
func (w *twins) explain(stream []step) string {
	if w.run(stream) == nil {
		return "it did not happen again: it depends on time"
	}
	least := shrink(stream, func(s []step) bool { return w.run(s) != nil })
	return fmt.Sprintf("the least that still fails:\n%s\n%v", listing(least), w.run(least))
}

func startTwins(t *testing.T, password string) *twins {
	t.Helper()
	args := []string{"--appendfsync", "everysec"}
	if password != "" {
		args = append(args, "--requirepass", password)
	}
	return &twins{
		servers:  [2]*process.Server{start(t, redis(t), args...), start(t, ours, args...)},
		password: password,
	}
}

// listing writes steps so that they can be typed into redis-cli.
func listing(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		for i, args := range s.commands {
			mark := ">"
			if i > 0 {
				mark = "|" // in the same burst
			}
			fmt.Fprintf(&b, "  %d%s %s\n", s.client, mark, quote(args))
		}
	}
	return b.String()
}
