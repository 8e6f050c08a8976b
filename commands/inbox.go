package commands

import (
	"sync"
	"sync/atomic"
	"time"

	"atomiccounter/engine"
)

// inbox holds what others send to a client: messages, notifications, invalidations, lines of MONITOR. Who sends never
// waits; the client's own connection takes them and writes them between two replies. What it does not take in time is
// bounded: the connection ends. The zero value is empty.
type inbox struct {
	some atomic.Bool // there is something to take

	mu     sync.Mutex
	proto  int32 // of the client, as pushes are written; 3 if it is that, else 2
	queue  [][]byte
	pos    engine.Position // that what was sent depends on
	size   int64           // bytes in queue and in the piece that is being sent
	taken  int64           // those of that piece
	soft   time.Time
	closed bool // the bound is exceeded: nothing more is kept
}

// pieceSize is how much is taken at once, about.
const pieceSize = 64 << 10

// limit is one class of client-output-buffer-limit: bytes that end a connection at once, and bytes that do after some time.
// 0: no limit.
type limit struct {
	hard, soft int64
	patience   int64 // s
}

// push queues a message, in the protocol that the client speaks, and wakes its connection. What the message says depends on
// pos. False: the client has too many waiting, and its connection ends.
func (cl *Client) push(resp2, resp3 []byte, l limit, pos engine.Position) bool {
	b := &cl.inbox
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return true
	}
	msg := resp2
	if b.proto == 3 {
		msg = resp3
	}
	if msg == nil { // what cannot be said in this protocol
		b.mu.Unlock()
		return true
	}
	b.append(msg)
	b.pos = max(b.pos, pos)
	b.closed = b.over(l, time.Now)
	full := b.closed
	b.some.Store(true)
	b.mu.Unlock()
	if full {
		cl.Kill()
	} else if cl.Wake != nil {
		cl.Wake()
	}
	return !full
}

func (b *inbox) append(msg []byte) {
	if n := len(b.queue); n > 0 && len(b.queue[n-1])+len(msg) <= pieceSize {
		b.queue[n-1] = append(b.queue[n-1], msg...)
	} else {
		b.queue = append(b.queue, append([]byte(nil), msg...))
	}
	b.size += int64(len(msg))
}

// over says whether more waits than may.
func (b *inbox) over(l limit, now func() time.Time) bool {
	switch {
	case l.hard > 0 && b.size >= l.hard:
		return true
	case l.soft == 0 || b.size < l.soft:
		b.soft = time.Time{}
		return false
	case b.soft.IsZero():
		b.soft = now()
		return false
	}
	return now().Sub(b.soft) > time.Duration(l.patience)*time.Second
}

// take gives the oldest messages, whole ones, or nil, and what they depend on. What was taken before is taken for sent.
func (b *inbox) take() ([]byte, engine.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size -= b.taken
	b.taken = 0
	if len(b.queue) == 0 {
		b.queue = nil
		b.some.Store(false)
		return nil, 0
	}
	piece := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.taken = int64(len(piece))
	return piece, b.pos
}

// speak changes the protocol after what is queued is moved to out: it was written in the other one.
func (b *inbox) speak(proto int, out []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.proto = int32(proto)
	return b.moveTo(out)
}

// drain appends all that is queued to out.
func (b *inbox) drain(out []byte) []byte {
	if !b.some.Load() {
		return out
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moveTo(out)
}

func (b *inbox) moveTo(out []byte) []byte {
	for _, piece := range b.queue {
		out = append(out, piece...)
	}
	b.queue, b.size, b.taken = nil, 0, 0
	b.some.Store(false)
	return out
}

// depends is the position that all that was ever sent depends on.
func (b *inbox) depends() engine.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pos
}

// waiting is how many bytes, in how many pieces, wait to be sent.
func (b *inbox) waiting() (size int64, pieces int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size, len(b.queue)
}

// Mail says whether there is something that others have sent.
func (c *Context) Mail() bool { return c.Client.inbox.some.Load() }

// Deliver appends some of what others have sent to Out, whole messages, between two replies. It is called again until Mail
// says that there is no more: what it gave before counts as sent then. It may not be sent before pos is durable, in the mode
// Always; what Pipe.Commit gives later includes that.
func (c *Context) Deliver() (pos engine.Position) {
	piece, pos := c.Client.inbox.take()
	c.Out.Buf = append(c.Out.Buf, piece...)
	c.Pipe.DependOn(pos)
	return pos
}
