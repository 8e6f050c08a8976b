// Package push is what is sent to a client without its asking: messages of channels, invalidations of keys that it caches, and the
// commands that others run. A Receiver is a client as others see it. Channels, Tracking and Monitors know which receivers want what, and
// put it into their inboxes. Each client's own connection takes it from there, and writes it between two replies.
//
// Invariant: a sender never waits for a receiver. The memory that an inbox takes counts as the client's, which bounds it.
package push

import (
	"slices"
	"sync"
	"sync/atomic"

	"atomiccounter/engine"
)

// inbox holds messages until the client's connection takes them. The zero value is empty.
type inbox struct {
	some atomic.Bool // there is something to take

	mu    sync.Mutex
	proto int32 // of the client, as pushes are written; 3 if it is that, else 2
	queue [][]byte
	pos   engine.Position // that what was sent depends on
}

// pieceSize is how much is taken at once, about.
const pieceSize = 64 << 10

// Receiver is a client as others send to it. NewReceiver makes one.
type Receiver struct {
	inbox  inbox
	closed func() bool   // nothing is sent any more
	queued func(n int64) // counts n bytes more that wait
	wake   func()        // has the connection look at its inbox soon; it does not wait

	Gone atomic.Bool // its connection has ended

	Listens    [Kinds]atomic.Int64 // to so many channels
	subscribed [Kinds]map[string]struct{}
	bytes      int64 // of the names in subscribed, about; the mutex of Channels guards both

	Monitors atomic.Bool // it watches all commands

	Tracks         atomic.Bool  // it caches keys
	Broadcasts     atomic.Bool  // it is told of keys that it has not read
	Redirect       atomic.Int64 // the client that is told instead, if it caches keys; 0: none
	BrokenRedirect atomic.Bool  // that one was gone when there was something to tell
}

// NewReceiver makes the receiver of a connection. Any goroutine may call the functions, which do not wait.
func NewReceiver(closed func() bool, queued func(n int64), wake func()) *Receiver {
	return &Receiver{closed: closed, queued: queued, wake: wake}
}

// Send queues a message, in the protocol that the client speaks, and wakes its connection. What the message says depends on
// pos.
func (r *Receiver) Send(m Message, pos engine.Position) {
	if r.closed() {
		return
	}
	if n := r.inbox.add(m, pos); n > 0 {
		r.queued(int64(n))
		r.wake()
	}
}

// ListensToAny says whether the client waits for messages.
func (r *Receiver) ListensToAny() bool {
	return r.Listens[Plain].Load()+r.Listens[Pattern].Load()+r.Listens[Shard].Load() > 0
}

// HasMail says whether there is something that others have sent.
func (r *Receiver) HasMail() bool { return r.inbox.some.Load() }

// Take gives the oldest messages, whole ones, or nil, and what they depend on.
func (r *Receiver) Take() ([]byte, engine.Position) { return r.inbox.take() }

// TakeAll gives all that there is. After that the client speaks another protocol or, if proto is 0, the same.
func (r *Receiver) TakeAll(proto int) ([]byte, engine.Position) { return r.inbox.takeAll(proto) }

// add gives the length of what it has queued: nothing of what cannot be said in the client's protocol.
func (b *inbox) add(m Message, pos engine.Position) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	msg := m.RESP2
	if b.proto == 3 {
		msg = m.RESP3
	}
	if len(msg) > 0 {
		b.append(msg)
		b.pos = max(b.pos, pos)
		b.some.Store(true)
	}
	return len(msg)
}

func (b *inbox) append(msg []byte) {
	if n := len(b.queue); n > 0 && len(b.queue[n-1])+len(msg) <= pieceSize {
		b.queue[n-1] = append(b.queue[n-1], msg...)
	} else {
		b.queue = append(b.queue, append([]byte(nil), msg...))
	}
}

// take gives the oldest messages, whole ones, or nil, and what they depend on.
func (b *inbox) take() ([]byte, engine.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.queue = nil
		b.some.Store(false)
		return nil, 0
	}
	piece := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	return piece, b.pos
}

// takeAll is take of all that there is, after which the client speaks another protocol or, if proto is 0, the same.
func (b *inbox) takeAll(proto int) (all []byte, pos engine.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if proto != 0 {
		b.proto = int32(proto)
	}
	all = slices.Concat(b.queue...)
	b.queue = nil
	b.some.Store(false)
	return all, b.pos
}
