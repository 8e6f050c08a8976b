package commands

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"atomiccounter/commands/push"
)

// Client is what the commands know of one connection. Its session owns it and fills the first group before it adds the
// client to the registry; the fields that other connections read or write are atomic or under mu.
type Client struct {
	ID              int64  // given by ClientRegistry.Add
	Addr, LocalAddr string // as in CLIENT LIST: ip:port, or the socket's path with :0
	Unix            bool   // connected through a Unix socket
	Created         time.Time
	Kill            func()                 // ends the connection; any goroutine may call it, it does not block
	Wake            func()                 // has the connection look at its inbox soon, likewise; nil: nobody waits
	Local           bool                   // from this machine
	Channel         func() ([]byte, error) // what only the two ends of its TLS connection know (handshake.Transcript); nil: there is no TLS

	guest atomic.Bool // it has still to authenticate; others ask
	Ended atomic.Bool // the connection is to end now; the session sets it

	// Only the session's goroutine uses these. A session starts with Authenticated set if there is no password then, as
	// Redis does: a password that is set later asks only those who come later.
	Authenticated bool
	Reply         ReplyMode
	received      int64 // as Received was last told
	works         bool  // memory counts as taken by its commands
	Close         bool  // close the connection once what has been replied is sent (QUIT, SHUTDOWN, CLIENT KILL of itself)
	credential    credential
	debugs        bool // it wants its next script to be debugged

	Active atomic.Int64 // last command, ns since the Unix epoch; the session sets it
	DB     atomic.Int32 // copies for CLIENT LIST of what the context has; the commands set them
	Proto  atomic.Int32

	QueryBuffer atomic.Int64 // bytes received that are no whole command yet
	Blocked     atomic.Bool  // a command of it waits (Wait); whoever waits sets it

	last     atomic.Pointer[Command]
	server   *Server        // NewContext sets it
	push     *push.Receiver // likewise
	memory   clientMemory
	watching atomic.Int32  // keys of WATCH
	unblock  atomic.Uint32 // how another client wants its wait to end; 0: it does not

	queued      atomic.Int32 // commands since MULTI, and one more; 0: there was no MULTI
	queuedBytes atomic.Int64

	mu               sync.Mutex
	touched          func() bool // a key that it watches has changed
	name             string
	libName, libVer  string
	noEvict, noTouch bool
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

func (c *Client) setAuthenticated(on bool) {
	c.Authenticated = on
	c.guest.Store(!on)
}

// Name is that of CLIENT SETNAME; empty: none.
func (c *Client) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// SetName changes it; the caller has validated it.
func (c *Client) SetName(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.name = name
}

// setLibrary changes what CLIENT SETINFO knows; nil leaves that part.
func (c *Client) setLibrary(name, version *string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name != nil {
		c.libName = *name
	}
	if version != nil {
		c.libVer = *version
	}
}

func (c *Client) setTouched(ask func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched = ask
}

func (c *Client) setNoEvict(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noEvict = on
}

// mayStay says that CLIENT NO-EVICT is on.
func (c *Client) mayStay() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.noEvict
}

func (c *Client) setNoTouch(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noTouch = on
}

// reset forgets what RESET takes away.
func (c *Client) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.name, c.noEvict, c.noTouch = "", false, false
}

// LastCommand is the full name of the command that runs or ran last, "NULL" before the first.
func (c *Client) LastCommand() string {
	if cmd := c.last.Load(); cmd != nil {
		return cmd.FullName
	}
	return "NULL"
}

// Line describes the client as CLIENT LIST does, without a line end.
func (c *Client) Line(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
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
		c.ID, c.Addr, c.LocalAddr, c.name, seconds(age), seconds(idle), c.flags(), c.DB.Load(),
		c.push.Listens[push.Plain].Load(), c.push.Listens[push.Pattern].Load(), c.push.Listens[push.Shard].Load(),
		c.queued.Load()-1, c.watches(), c.QueryBuffer.Load(), c.queuedBytes.Load(), first, (waiting-first+replyChunk-1)/replyChunk, waiting-first, clientSize+c.memory.total(), c.LastCommand(), redir, c.Proto.Load(), c.libName, c.libVer)
}

// replyChunk is how much Redis keeps of what waits for a client in one piece, the first of which is apart.
const replyChunk = 16 << 10

// watches is how many keys the client watches: none any more once one has changed, as in Redis. It is called under mu.
func (c *Client) watches() int32 {
	if c.touched != nil && c.touched() {
		return 0
	}
	return c.watching.Load()
}

func (c *Client) flags() string {
	f := ""
	if c.push.Monitors.Load() {
		f += "O"
	}
	if c.push.ListensToAny() {
		f += "P"
	}
	if c.queued.Load() > 0 {
		f += "x"
	}
	if c.Blocked.Load() {
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
	if c.touched != nil && c.touched() {
		f += "d"
	}
	if c.Unix {
		f += "U"
	}
	if c.noEvict {
		f += "e"
	}
	if c.noTouch {
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
	return c.Blocked.Load() || c.push.ListensToAny() || c.push.Monitors.Load()
}
