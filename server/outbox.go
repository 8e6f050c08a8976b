package server

import (
	"errors"
	"sync"
	"sync/atomic"

	"atomiccounter/commands"
	"atomiccounter/commands/resp"
	"atomiccounter/commands/stats"
	"atomiccounter/engine"
)

// Bounds of what one connection may have waiting for the journal before it reads no more.
const (
	maxWaitingBytes  = 256 << 10
	maxWaitingRounds = 256
)

// journal is what decides when a reply may be sent: the engine, or in tests one whose syncs are slow and fail.
type journal interface {
	Sync() engine.SyncMode
	Durable() engine.Position
	Notify(pos engine.Position, w engine.Waiter)
}

// outbox sends replies in order, each when what it depends on is durable. Nearly always that is at once, by the
// connection's own goroutine. In the mode Always replies wait for the journal's syncer, which sends them itself: no
// goroutine is woken for them.
type outbox struct {
	sock    *socket
	journal func() journal // there is one once a reply depends on it
	stats   *stats.Stats

	waiting atomic.Bool // there is something in the queue; while there is, only Durable writes to the socket

	mu      sync.Mutex
	changed *sync.Cond // the queue became shorter
	queue   []byte     // replies not yet sent, after those that are
	sent    int        // bytes of queue
	rounds  []int      // lengths of the replies in queue, each waiting for one call of Durable; oldest first
	err     error      // why nothing is sent any more
}

func newOutbox(sock *socket, j func() journal, stats *stats.Stats) *outbox {
	o := &outbox{sock: sock, journal: j, stats: stats}
	o.changed = sync.NewCond(&o.mu)
	return o
}

// send sends the replies of one round, which depend on pos, after those before them. It does not keep b.
func (o *outbox) send(b []byte, pos engine.Position) error {
	if len(b) == 0 {
		return nil
	}
	o.stats.Writes.Add(1)
	o.stats.OutputBytes.Add(int64(len(b)))
	if pos != 0 && o.durable(pos) {
		pos = 0
	}
	if pos == 0 && !o.waiting.Load() {
		return o.sock.write(b)
	}
	if err := o.enqueue(b); err != nil {
		return err
	}
	o.journal().Notify(pos, o)
	return nil
}

// durable says whether what depends on pos may be sent.
func (o *outbox) durable(pos engine.Position) bool {
	j := o.journal()
	return j.Sync() != engine.Always || pos <= j.Durable()
}

func (o *outbox) enqueue(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if o.sent > maxWaitingBytes {
		o.queue, o.sent = o.queue[:copy(o.queue, o.queue[o.sent:])], 0
	}
	o.queue = append(o.queue, b...)
	o.sock.wire.queued(int64(len(b)))
	o.rounds = append(o.rounds, len(b))
	o.waiting.Store(true)
	return nil
}

// Durable is called by the journal's syncer, once for every round in the queue.
func (o *outbox) Durable(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.rounds[0]
	o.rounds = append(o.rounds[:0], o.rounds[1:]...)
	o.sock.wire.queued(-int64(n))
	switch {
	case o.err != nil:
	case err != nil:
		o.giveUp(err)
	default:
		if err := o.sock.write(o.queue[o.sent : o.sent+n]); err != nil {
			o.abandon(err)
		}
	}
	if o.sent += n; o.sent == len(o.queue) {
		o.queue, o.sent = o.queue[:0], 0
		if cap(o.queue) > bufferSize {
			o.queue = nil
		}
		o.waiting.Store(false)
	}
	o.changed.Broadcast()
}

// giveUp tells the client that what it waits for will never be durable, and disconnects it.
func (o *outbox) giveUp(err error) {
	var reply resp.Reply
	reply.Error(commands.ErrorLine(err))
	o.abandon(errors.Join(err, o.sock.write(reply.Buf)))
}

// abandon disconnects. The connection's goroutine is blocked in a read, or will be, and finds out.
func (o *outbox) abandon(err error) {
	o.err = errors.Join(err, o.sock.end())
}

// waitRoom waits until there is room for the replies of another round.
func (o *outbox) waitRoom() error {
	if !o.waiting.Load() {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && (len(o.queue)-o.sent >= maxWaitingBytes || len(o.rounds) >= maxWaitingRounds) {
		o.changed.Wait()
	}
	return o.err
}

// finish waits until nothing is waiting any more, and everything is sent or given up: o is not used after that.
func (o *outbox) finish() error {
	err := o.finishRounds()
	if e := o.sock.wire.flush(); err == nil {
		err = e
	}
	return err
}

func (o *outbox) finishRounds() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.rounds) > 0 {
		o.changed.Wait()
	}
	return o.err
}
