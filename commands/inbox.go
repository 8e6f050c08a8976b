package commands

import (
	"slices"
	"sync"
	"sync/atomic"

	"atomiccounter/engine"
)

// inbox holds what others send to a client: messages, notifications, invalidations, lines of MONITOR. Who sends never
// waits; the client's own connection takes them and writes them between two replies. The zero value is empty.
type inbox struct {
	some atomic.Bool // there is something to take

	mu    sync.Mutex
	proto int32 // of the client, as pushes are written; 3 if it is that, else 2
	queue [][]byte
	pos   engine.Position // that what was sent depends on
}

// pieceSize is how much is taken at once, about.
const pieceSize = 64 << 10

// push queues a message, in the protocol that the client speaks, and wakes its connection. What the message says depends on
// pos.
func (cl *Client) push(resp2, resp3 []byte, pos engine.Position) {
	if cl.memory.ended() {
		return
	}
	n := cl.inbox.add(resp2, resp3, pos)
	if n == 0 {
		return
	}
	cl.Queued(int64(n))
	if cl.Wake != nil {
		cl.Wake()
	}
}

// add gives the length of what it has queued: nothing of what cannot be said in the client's protocol.
func (b *inbox) add(resp2, resp3 []byte, pos engine.Position) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	msg := resp2
	if b.proto == 3 {
		msg = resp3
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

// Mail says whether there is something that others have sent.
func (c *Context) Mail() bool { return c.Client.inbox.some.Load() }

// Deliver appends some of what others have sent to Out, whole messages, between two replies. It is called again until Mail
// says that there is no more. It may not be sent before pos is durable, in the mode Always; what Pipe.Commit gives later includes
// that.
func (c *Context) Deliver() (pos engine.Position) { return c.deliver(c.Client.inbox.take()) }

func (c *Context) deliver(messages []byte, pos engine.Position) engine.Position {
	c.Client.Queued(-int64(len(messages)))
	c.Out.Buf = append(c.Out.Buf, messages...)
	c.Pipe.DependOn(pos)
	return pos
}
