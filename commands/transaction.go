package commands

import (
	"errors"
	"strings"
	"sync/atomic"

	"atomiccounter/engine"
)

// transaction is what a connection has queued since MULTI.
type transaction struct {
	open  bool
	dirty bool // a command was refused: EXEC does nothing
	calls []call
	flags Flags // of all of them
	size  int   // bytes that they take, about

	args [][]byte // memory for those of the calls
	text []byte   // memory for those of args
}

// maxKeptQueue is how large a transaction is, by size, whose memory the next one of the connection uses again.
const maxKeptQueue = 2 << 10

// emptied is the transaction with nothing queued, and no MULTI.
func (t *transaction) emptied() transaction {
	if t.size > maxKeptQueue {
		return transaction{}
	}
	clear(t.calls)
	clear(t.args)
	return transaction{calls: t.calls[:0], args: t.args[:0], text: t.text[:0]}
}

// add queues a call, of which it keeps a copy.
func (t *transaction) add(cmd *Command, args [][]byte) {
	from := len(t.args)
	for _, arg := range args {
		at := len(t.text)
		t.text = append(t.text, arg...)
		t.args = append(t.args, t.text[at:len(t.text):len(t.text)])
	}
	t.calls = append(t.calls, call{cmd, t.args[from:len(t.args):len(t.args)]})
	t.size += callSize + sizeOf(args)
}

// queueFigures are what other connections ask of a client's transaction.
type queueFigures struct {
	queued   atomic.Int32 // commands since MULTI, and one more; 0: there was no MULTI
	bytes    atomic.Int64
	watching atomic.Int32 // keys of WATCH
	touched  func() bool  // one of those has changed; NewContext sets it
}

func (q *queueFigures) broken() bool { return q.touched != nil && q.touched() }

// watches is how many keys the client watches: none any more once one has changed, as in Redis.
func (q *queueFigures) watches() int32 {
	if q.broken() {
		return 0
	}
	return q.watching.Load()
}

// call is a command with its arguments, a copy.
type call struct {
	cmd  *Command
	args [][]byte
}

const (
	errNoMulti   = "ERR Command not allowed inside a transaction"
	abortedBy    = "EXECABORT Transaction discarded because of: "
	abortedAtAll = "EXECABORT Transaction discarded because of previous errors."
)

var errTransactionSize = errors.New("its commands take more than 64 MiB")

func multi(c *Context, _ [][]byte) {
	if c.multi.open {
		c.Out.Error("ERR MULTI calls can not be nested")
		return
	}
	c.multi.open = true
	c.Client.queue.queued.Store(1)
	c.Out.OK()
}

func discard(c *Context, _ [][]byte) {
	if !c.multi.open {
		c.Out.Error("ERR DISCARD without MULTI")
		return
	}
	c.discard()
	c.Out.OK()
}

func watch(c *Context, args [][]byte) {
	if c.multi.open {
		c.Out.Error("ERR WATCH inside MULTI is not allowed")
		return
	}
	if err := c.Pipe.Watch(args[1:]); err != nil {
		c.fail(err)
		return
	}
	c.Client.queue.watching.Store(int32(c.Pipe.Watched()))
	c.countQueued()
	c.Out.OK()
}

func unwatch(c *Context, _ [][]byte) {
	c.unwatch()
	c.Out.OK()
}

// discard ends the transaction, if there is one, and the watches.
func (c *Context) discard() {
	c.multi = c.multi.emptied()
	c.Client.queue.queued.Store(0)
	c.Client.queue.bytes.Store(0)
	c.unwatch()
}

func (c *Context) unwatch() {
	c.Pipe.Unwatch()
	c.Client.queue.watching.Store(0)
	c.countQueued()
}

// Close lets go of what others know of the connection.
func (c *Context) Close() { c.discard() }

func (c *Context) countQueued() { c.Client.holds(queuedCalls, int64(c.Queued())) }

// Queued is how many bytes are kept until EXEC, about, watches included.
func (c *Context) Queued() int { return c.multi.size + c.Pipe.WatchSize() }

// spoil has EXEC do nothing, because a command was refused.
func (c *Context) spoil() {
	if c.multi.open {
		c.multi.dirty = true
	}
}

// enqueue keeps a call for EXEC.
func (c *Context) enqueue(cmd *Command, args [][]byte) {
	if cmd.Flags&Write != 0 {
		if err := c.Pipe.Writable(); err != nil {
			c.spoil()
			c.fail(err)
			return
		}
	}
	m := &c.multi
	if !m.dirty { // otherwise it is never run
		m.add(cmd, args)
		m.flags |= c.flagsOf(cmd, args)
	}
	c.Client.queue.queued.Store(int32(len(m.calls)) + 1)
	c.Client.queue.bytes.Store(int64(m.size))
	c.countQueued()
	c.Out.Status("QUEUED")
}

// callSize and argSize are what a queued call and each of its arguments take beside the arguments themselves.
const (
	callSize = 64
	argSize  = 24
)

func sizeOf(args [][]byte) (n int) {
	for _, arg := range args {
		n += argSize + len(arg)
	}
	return n
}

// cloneArgs copies arguments into memory of their own, all in one piece.
func cloneArgs(args [][]byte) [][]byte {
	buf := make([]byte, 0, sizeOf(args))
	list := make([][]byte, len(args))
	for i, arg := range args {
		at := len(buf)
		buf = append(buf, arg...)
		list[i] = buf[at:len(buf):len(buf)]
	}
	return list
}

// execute runs what is queued in a section of the engine, unless a watched key has changed.
func execute(c *Context, _ [][]byte) {
	m := c.multi
	if !m.open {
		c.Out.Error("ERR EXEC without MULTI")
		return
	}
	if m.dirty {
		c.discard()
		c.Out.Error(abortedAtAll)
		return
	}
	if err := c.beginExec(&m); err != nil {
		c.abort(ErrorLine(err))
		return
	}
	defer c.endSection()
	if c.Pipe.Broken() {
		c.discard()
		c.Out.NullArray()
		return
	}
	c.multi = transaction{} // while it runs
	c.discard()
	errors := c.Out.Errors
	c.runQueued(m.calls)
	c.Out.Errors = errors // each command has counted its own: EXEC has not failed
	c.multi = m.emptied()
}

// beginExec begins the section, if all of the transaction may run.
func (c *Context) beginExec(m *transaction) error {
	if m.flags&Write != 0 {
		if m.size > engine.MaxSection {
			return errTransactionSize
		}
		if err := c.Pipe.Writable(); err != nil {
			return err
		}
	}
	wipes := false
	for i := range m.calls {
		wipes = wipes || m.calls[i].cmd.Flags&Wipes != 0
	}
	return c.Pipe.Begin(wipes)
}

// abort answers an EXEC that cannot run.
func (c *Context) abort(why string) {
	c.discard()
	c.Out.Error(aborted(why))
}

func aborted(why string) string { return abortedBy + strings.TrimPrefix(why, "ERR ") }

func (c *Context) runQueued(calls []call) {
	begin := len(c.Out.Buf)
	c.Out.Array(len(calls))
	c.cutMuted(begin)
	for i := range calls {
		before := len(c.Out.Buf)
		if calls[i].cmd.Flags&ReadOnly != 0 && c.stopped() {
			c.fail(errStopped)
			continue
		}
		c.within(calls[i].cmd, calls[i].args)
		c.cutMuted(before)
		if calls[i].cmd.Flags&Write == 0 { // what GETDEL returns is nowhere else
			c.boundReply(begin, before)
		}
	}
}

// boundReply puts an error in place of the reply that begins at before if those from begin on are longer together than a reply
// may be: a small transaction could ask for a great value ever again.
func (c *Context) boundReply(begin, before int) {
	if size := len(c.Out.Buf); int64(size-begin) > c.Server.Config.ProtoMaxBulk() && size-before > smallReply {
		c.Out.Buf = c.Out.Buf[:before]
		c.fail(errReplyTooLong)
	}
}

const smallReply = 1 << 10 // bytes

// within runs a command inside another, in a transaction or a script, in a section of the engine. It has its reply when this
// returns: what would wait replies as at the end of its time.
func (c *Context) within(cmd *Command, args [][]byte) {
	was := c.inside
	c.inside = true
	c.call(cmd, args)
	for c.Wait != nil {
		w := c.Wait
		c.Wait = nil
		w.again(true)
	}
	c.inside, c.created = was, nil
}

// cutMuted takes away what was written since before, a part of a reply, if CLIENT REPLY says so at this moment.
func (c *Context) cutMuted(before int) {
	if c.Client.Reply == ReplyOff || c.Client.Reply == Skip {
		c.Out.Buf = c.Out.Buf[:before]
	}
}
