package tests

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// transaction makes a whole one: whatever follows is outside.
func (g generator) transaction() [][]string {
	most := 6
	if g.password != "" {
		most = 2 // see step
	}
	commands := [][]string{{g.pick("MULTI", "multi")}}
	for n := g.IntN(most + 1); n > 0; {
		if args := g.command(); queueable(args) {
			commands = append(commands, args)
			n--
		}
	}
	switch g.IntN(12) {
	case 0:
		return append(commands, []string{"DISCARD"})
	case 1:
		return append(commands, []string{"DISCARD", "x"}, []string{"EXEC"})
	case 2:
		return append(commands, []string{"EXEC", "x"})
	case 3:
		return append(commands, []string{"MULTI"}, []string{"EXEC"})
	}
	return append(commands, []string{"EXEC"})
}

// queueable commands can be compared as a part of a reply of EXEC, and leave both servers' data equal. A CLIENT PAUSE before a write in
// a transaction ends Redis 7.0, by an assertion.
func queueable(args []string) bool {
	f, _ := formOf(args)
	pauses := len(args) > 1 && oneOf(args[0], "client") && oneOf(args[1], "pause")
	return !pauses && !f.asks && designed(args) == nil && !setsReplies(args) && !oneOf(args[0], "quit", "reset")
}

// queue is what one connection has queued since MULTI, by the replies.
type queue [][]string

// see takes in a command and its reply.
func (q *queue) see(args []string, reply reply) {
	switch {
	case reply.text == "QUEUED":
		*q = append(*q, args)
	case oneOf(args[0], "exec"), oneOf(args[0], "discard", "reset") && !reply.isError():
		*q = nil
	}
}

// compareExec compares what a transaction replied, each part as the command's own reply.
func (w *twins) compareExec(client int, q queue, redis, ours reply) error {
	if redis.mark != '*' || len(redis.parts) != len(q) || len(ours.parts) != len(q) || redis.mark != ours.mark {
		return &mismatch{client, []string{"EXEC"}, redis.String(), ours.String()}
	}
	for i, args := range q {
		if err := w.compare(client, args, redis.parts[i], ours.parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// moves are counters that transactions move amounts between: their sum stays.
type moves struct {
	accounts int
	moved    []atomic.Int64 // by worker: how many moves were acknowledged
}

func account(i int) string { return "account:" + strconv.Itoa(i) }

// load moves until the server is gone. Each worker counts its moves in the same transaction.
func (m *moves) load(addr string, worker int, wrong chan<- error) {
	client := goredis.NewClient(&goredis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, PoolSize: 1})
	defer client.Close()
	rng, ctx := rand.New(rand.NewPCG(*seed, uint64(worker))), context.Background()
	for {
		from, to, n := rng.IntN(m.accounts), rng.IntN(m.accounts), rng.Int64N(100)
		_, err := client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			p.DecrBy(ctx, account(from), n)
			p.IncrBy(ctx, account(to), n)
			p.Incr(ctx, fmt.Sprint("moves:", worker))
			return nil
		})
		var refused goredis.Error
		if errors.As(err, &refused) {
			wrong <- err
			return
		} else if err != nil {
			return // the server is gone
		}
		m.moved[worker].Add(1)
	}
}

// look reads all accounts at one moment: nobody ever sees half of a move.
func (m *moves) look(client *goredis.Client) error {
	var keys []string
	for i := range m.accounts {
		keys = append(keys, account(i))
	}
	values, err := client.MGet(context.Background(), keys...).Result()
	if err != nil {
		return err
	}
	sum := int64(0)
	for _, v := range values {
		if s, ok := v.(string); ok {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return err
			}
			sum += n
		}
	}
	if sum != 0 {
		return fmt.Errorf("the accounts are %v, together %d; want 0", values, sum)
	}
	return nil
}

// TestCrashInTransactions kills the server while clients move amounts by MULTI and EXEC. After that every transaction is there
// whole or not at all, and those that were acknowledged are.
func TestCrashInTransactions(t *testing.T) {
	dir := t.TempDir()
	m := &moves{accounts: 5, moved: make([]atomic.Int64, 4)}
	for round := range 3 {
		mode := []string{"everysec", "always", "no"}[round]
		s := startIn(t, ours, dir, durability(mode)...)
		wrong := make(chan error, len(m.moved))
		var running sync.WaitGroup
		for worker := range m.moved {
			running.Go(func() { m.load(s.Addr, worker, wrong) })
		}
		client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
		before := m.total()
		for deadline := time.Now().Add(patience); m.total() < before+200 && time.Now().Before(deadline) && len(wrong) == 0; {
			if err := m.look(client); err != nil {
				t.Errorf("while clients move: %v", err)
			}
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		running.Wait()
		client.Close() // of a server that is gone
		if len(wrong) > 0 {
			t.Fatal(<-wrong)
		}
		m.check(t, dir, mode)
	}
}

func (m *moves) total() (n int64) {
	for i := range m.moved {
		n += m.moved[i].Load()
	}
	return n
}

func (m *moves) check(t *testing.T, dir, mode string) {
	t.Helper()
	s := startIn(t, ours, dir, durability(mode)...)
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer client.Close()
	if err := m.look(client); err != nil {
		t.Errorf("after a crash, %s: %v", mode, err)
	}
	for worker := range m.moved {
		n, err := client.Get(t.Context(), fmt.Sprint("moves:", worker)).Int64()
		acked := m.moved[worker].Load()
		if err != nil || n < acked || n > acked+1 {
			t.Errorf("after a crash, %s: worker %d moved %d times, %v; want %d or one more", mode, worker, n, err, acked)
		}
		m.moved[worker].Store(n)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}

// TestOptimisticLock is what go-redis's documentation does with WATCH, on eight connections: read, compute, set if nobody was faster.
func TestOptimisticLock(t *testing.T) {
	s := start(t, ours)
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer client.Close()
	ctx := t.Context()
	const workers, times = 8, 30
	increment := func() error {
		return client.Watch(ctx, func(tx *goredis.Tx) error {
			n, err := tx.Get(ctx, "counter").Int()
			if err != nil && !errors.Is(err, goredis.Nil) {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error {
				p.Set(ctx, "counter", n+1, 0)
				return nil
			})
			return err
		}, "counter")
	}
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for done := 0; done < times; {
				switch err := increment(); {
				case err == nil:
					done++
				case !errors.Is(err, goredis.TxFailedErr):
					t.Errorf("Watch = %v", err)
					return
				}
			}
		})
	}
	running.Wait()
	if n, err := client.Get(ctx, "counter").Int(); n != workers*times || err != nil {
		t.Errorf("counter = %d, %v; want %d", n, err, workers*times)
	}
}
