package commands

import (
	"fmt"
	"sync/atomic"
	"time"

	"atomiccounter/commands/push"
)

// Client is what the commands know of one connection. Its session owns it and fills the first group before it adds the
// client to the registry; the fields that other connections read or write are atomic or guard themselves.
type Client struct {
	ID              int64  // given by ClientRegistry.Add
	Addr, LocalAddr string // as in CLIENT LIST: ip:port, or the socket's path with :0
	Unix            bool   // connected through a Unix socket
	Created         time.Time
	Kill            func()                 // ends the connection; any goroutine may call it, it does not block
	Wake            func()                 // has the connection look at its inbox soon, likewise; nil: it never waits
	Local           bool                   // from this machine
	Channel         func() ([]byte, error) // what only the two ends of its TLS connection know (handshake.Transcript); nil: there is no TLS

	Ended atomic.Bool // the connection is to end now; the session sets it

	// Authenticated is set from the start if there is no password then, as in Redis: a password that is set later is asked of later
	// clients only.
	Authenticated atomic.Bool

	// Only the session's goroutine uses these.
	Reply      ReplyMode
	Close      bool // close the connection once what has been replied is sent (QUIT, SHUTDOWN, CLIENT KILL of itself)
	credential credential
	debugs     bool // it wants its next script to be debugged

	Active atomic.Int64 // last command, ns since the Unix epoch; the session sets it
	DB     atomic.Int32 // copies for CLIENT LIST of what the context has; the commands set them
	Proto  atomic.Int32

	last     atomic.Pointer[Command]
	server   *Server        // NewContext sets it
	push     *push.Receiver // likewise
	memory   clientMemory
	queue    queueFigures // of its transaction
	wait     waitState
	identity identity
}

// ReplyMode is that of CLIENT REPLY.
type ReplyMode uint8

// With SkipNext the reply of the next command is left out, with Skip that of the present one.
const (
	ReplyOn ReplyMode = iota
	ReplyOff
	SkipNext
	Skip
)

// LastCommand is the full name of the command that runs or ran last, "NULL" before the first.
func (c *Client) LastCommand() string {
	if cmd := c.last.Load(); cmd != nil {
		return cmd.FullName
	}
	return "NULL"
}

// Line describes the client as CLIENT LIST does, without a line end.
func (c *Client) Line(now time.Time) string {
	c.identity.mu.Lock()
	defer c.identity.mu.Unlock()
	age, idle := now.Sub(c.Created), now.Sub(time.Unix(0, c.Active.Load()))
	if c.Active.Load() == 0 {
		idle = age
	}
	redir := int64(-1)
	if c.push.Tracks.Load() {
		redir = c.push.Redirect.Load()
	}
	waiting := c.Waiting()
	first := min(waiting, replyChunk)
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=-1 name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d "+
		"multi=%d watch=%d qbuf=%d qbuf-free=0 argv-mem=0 multi-mem=%d rbs=0 rbp=0 obl=%d oll=%d omem=%d tot-mem=%d events=r "+
		"cmd=%s user=default redir=%d resp=%d lib-name=%s lib-ver=%s",
		c.ID, c.Addr, c.LocalAddr, c.identity.name, seconds(age), seconds(idle), c.flags(), c.DB.Load(),
		c.push.Listens[push.Plain].Load(), c.push.Listens[push.Pattern].Load(), c.push.Listens[push.Shard].Load(),
		c.queue.queued.Load()-1, c.queue.watches(), c.memory.query.Load(), c.queue.bytes.Load(), first, (waiting-first+replyChunk-1)/replyChunk, waiting-first, clientSize+c.memory.total(), c.LastCommand(), redir, c.Proto.Load(), c.identity.libName, c.identity.libVer)
}

// replyChunk is how much Redis keeps of what waits for a client in one piece, the first of which is apart.
const replyChunk = 16 << 10

func (c *Client) flags() string {
	f := ""
	if c.push.Monitors.Load() {
		f += "O"
	}
	if c.push.ListensToAny() {
		f += "P"
	}
	if c.queue.queued.Load() > 0 {
		f += "x"
	}
	if c.Blocked() {
		f += "b"
	}
	if c.push.Tracks.Load() {
		f += "t"
	}
	if c.push.BrokenRedirect.Load() {
		f += "R"
	}
	if c.push.Broadcasts.Load() {
		f += "B"
	}
	if c.queue.broken() {
		f += "d"
	}
	if c.Unix {
		f += "U"
	}
	if c.identity.noEvict {
		f += "e"
	}
	if c.identity.noTouch {
		f += "T"
	}
	if f == "" {
		return "N"
	}
	return f
}

func seconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// Waits says that the client waits for a reply, or for what others send.
func (c *Client) Waits() bool {
	return c.Blocked() || c.push.ListensToAny() || c.push.Monitors.Load()
}
