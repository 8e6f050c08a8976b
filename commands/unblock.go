package commands

import "sync/atomic"

// waitState says whether a client's command waits, and how another client has it end. The zero value does not wait.
type waitState struct{ is atomic.Uint32 }

const (
	waitsNot uint32 = iota
	waits
	unblockTimeout // as if its time were over
	unblockError
)

// BeginWait is called when a command of the client begins to wait.
func (c *Client) BeginWait() { c.wait.is.Store(waits) }

// EndWait is called when it waits no more.
func (c *Client) EndWait() { c.wait.is.Store(waitsNot) }

// Blocked says that a command of the client waits.
func (c *Client) Blocked() bool { return c.wait.is.Load() != waitsNot }

// Unblock takes the wish of another client to end this one's wait into account, and says whether there is one.
func (w *Wait) Unblock(cl *Client) bool {
	how := cl.wait.is.Load()
	if how != unblockTimeout && how != unblockError {
		return false
	}
	w.Expired, w.refused = true, how == unblockError
	return true
}

// clientUnblock ends the wait of another client's command.
func clientUnblock(c *Context, args [][]byte) {
	how := unblockTimeout
	switch {
	case len(args) > 4:
		c.Out.Error(wrongSubcommand(args))
		return
	case len(args) == 3, same(args[3], "timeout"):
	case same(args[3], "error"):
		how = unblockError
	default:
		c.Out.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	}
	id, ok := c.integer(args[2])
	if !ok {
		return
	}
	cl := c.Server.Clients.find(id)
	done := cl != nil && cl.Wake != nil && cl.wait.is.CompareAndSwap(waits, how)
	if done {
		cl.Wake()
	}
	c.Out.Bool(done)
}
