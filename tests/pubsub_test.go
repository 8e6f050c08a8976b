package tests

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMessagesDifferential has connections listen and publish on both servers: all get the same, in the same order.
func TestMessagesDifferential(t *testing.T) {
	w := startTwins(t, "")
	for i := range uint64(3) {
		g := generator{rand.New(rand.NewPCG(*seed, i)), ""}
		if err := w.chat(g, 150); err != nil {
			t.Errorf("chat %d, -seed %d: %v", i, *seed, err)
		}
	}
}

// chat plays commands about channels. After each of them every connection says PING, and what it reads up to its reply is
// compared: connection 0 speaks RESP2, the others RESP3.
func (w *twins) chat(g generator, n int) error {
	if err := w.reset(); err != nil {
		return err
	}
	defer w.close()
	for client := range clients {
		if client > 0 {
			if _, _, err := w.both(client, [][]string{{"HELLO", "3"}}, false); err != nil {
				return err
			}
		}
	}
	for i := range n {
		client, args := g.IntN(clients), listening(g)
		redis, ours, err := w.both(client, [][]string{args}, false)
		if err != nil {
			return err
		}
		if err := sameReplies(client, args, redis, ours); err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
		for other := range clients {
			redis, ours, err := w.both(other, [][]string{{"PING"}}, false)
			if err != nil {
				return err
			}
			if err := sameReplies(other, args, redis, ours); err != nil {
				return fmt.Errorf("after command %d of client %d: %w", i, client, err)
			}
		}
	}
	return nil
}

func sameReplies(client int, args []string, redis, ours []reply) error {
	same := len(redis) == len(ours)
	for i := 0; same && i < len(redis); i++ {
		same = sameBytes(redis[i], ours[i])
	}
	if same {
		return nil
	}
	return &mismatch{client, args, fmt.Sprint(redis), fmt.Sprint(ours)}
}

// listening makes a command about channels. A client leaves one channel at a time: Redis leaves many in no order, and one
// that many patterns match is met in no order.
func listening(g generator) []string {
	channel := g.pick("a", "b", "c")
	switch g.IntN(12) {
	case 0, 1:
		return []string{g.pick("SUBSCRIBE", "SSUBSCRIBE"), channel}
	case 2:
		return []string{"SUBSCRIBE", "a", "b", "a"}
	case 3:
		return []string{"PSUBSCRIBE", g.pick("a*", "[bc]")}
	case 4:
		return []string{g.pick("UNSUBSCRIBE", "SUNSUBSCRIBE"), channel}
	case 5:
		return []string{"PUNSUBSCRIBE", g.pick("a*", "[bc]")}
	case 6:
		return []string{"PUBSUB", g.pick("NUMSUB", "SHARDNUMSUB"), "a", "b", "c"}
	case 7:
		return g.oneLine("PUBSUB NUMPAT", "GET a", "PING hello", "PUBSUB CHANNELS b", "NOSUCH")
	default:
		return []string{g.pick("PUBLISH", "PUBLISH", "SPUBLISH"), channel, g.word()}
	}
}
