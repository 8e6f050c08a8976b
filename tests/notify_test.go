package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestEventsDifferential has one connection listen to all keyspace events while another one plays random commands.
func TestEventsDifferential(t *testing.T) {
	w := startTwins(t, "")
	for i := range uint64(4) {
		g := generator{rand.New(rand.NewPCG(*seed, i)), ""}
		if err := w.watchEvents(g, 400); err != nil {
			t.Errorf("stream %d, -seed %d: %v", i, *seed, err)
		}
	}
}

func (w *twins) watchEvents(g generator, n int) error {
	if err := w.reset(); err != nil {
		return err
	}
	defer w.close()
	const player, listener = 0, 1
	if _, _, err := w.both(player, [][]string{{"CONFIG", "SET", "notify-keyspace-events", g.pick("KEA", "KEAnm", "EAnm", "K$g", "E$nm")}}, false); err != nil {
		return err
	}
	if _, _, err := w.both(listener, [][]string{{"HELLO", "3"}, {"PSUBSCRIBE", "__key*"}}, false); err != nil {
		return err
	}
	for range n {
		args := resolve(eventful(g), time.Now())
		if _, _, err := w.both(player, [][]string{args}, false); err != nil {
			return err
		}
		redis, ours, err := w.both(listener, [][]string{{"PING"}}, false)
		if err != nil {
			return err
		}
		if err := sameReplies(listener, args, redis, ours); err != nil {
			return fmt.Errorf("after %s: %w", quote(args), err)
		}
	}
	return nil
}

// eventful makes a command that changes or reads keys in a way that both servers do alike.
func eventful(g generator) []string {
	for {
		args := g.command()
		if designed(args) == nil && !oneOf(args[0], "quit", "reset", "hello", "client", "config", "auth", "shutdown", "randomkey", "scan", "keys", "publish", "debug",
			"unsubscribe", "punsubscribe", "sunsubscribe") && !past(args) {
			return args
		}
	}
}

// past: a SET or GETEX with a time that has passed. Redis keeps the key until somebody looks.
func past(args []string) bool {
	for i, a := range args {
		if oneOf(a, "EXAT", "PXAT") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "{") {
			return true
		}
	}
	return false
}
