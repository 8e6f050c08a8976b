package commands

import (
	"bytes"
	"sync"
	"time"

	"atomiccounter/commands/lua"
)

// pause is that of CLIENT PAUSE. The zero value is none.
type pause struct {
	mu    sync.Mutex
	until time.Time
	all   bool          // reads too
	over  chan struct{} // closed when it is lifted; nil: there is none
}

func clientPause(c *Context, args [][]byte) {
	all := true
	switch {
	case len(args) == 3:
	case len(args) > 4 || !same(args[3], "write") && !same(args[3], "all"):
		if len(args) > 4 {
			c.Out.Error(wrongSubcommand(args))
		} else {
			c.Out.Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
		}
		return
	default:
		all = same(args[3], "all")
	}
	ms, ok := ParseInt(args[2])
	switch {
	case !ok:
		c.Out.Error("ERR timeout is not an integer or out of range")
		return
	case ms < 0:
		c.Out.Error("ERR timeout is negative")
		return
	}
	c.Server.beginPause(time.Now().Add(time.Duration(min(ms, maxWaitMillis))*time.Millisecond), all)
	c.Out.OK()
}

// beginPause pauses clients; a pause that is on already becomes the longer and the stricter of the two.
func (s *Server) beginPause(until time.Time, all bool) {
	p := &s.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		p.over = make(chan struct{})
	}
	p.all = all || p.all && p.until.After(time.Now())
	if until.After(p.until) {
		p.until = until
	}
	s.holdExpiries()
	s.pay(payPause, true)
}

// holdExpiries has nothing be written to carry out an expiry during a pause, also one that began while the store loaded. The caller holds
// the pause's mutex.
func (s *Server) holdExpiries() {
	if !s.Loading() {
		s.Engine.HoldExpiries(s.pause.until)
	}
}

func clientUnpause(c *Context, _ [][]byte) {
	c.Server.pause.mu.Lock()
	defer c.Server.pause.mu.Unlock()
	c.Server.endPause()
	c.Out.OK()
}

// endPause lifts the pause, if there is one. The caller holds its mutex.
func (s *Server) endPause() {
	p := &s.pause
	if p.over != nil {
		close(p.over)
	}
	p.over, p.until, p.all = nil, time.Time{}, false
	s.holdExpiries()
	s.pay(payPause, false)
}

// paused says whether a pause concerns a command of such flags now, until when, and what is closed when it is lifted.
func (s *Server) paused(flags Flags, now time.Time) (over chan struct{}, until time.Time, held bool) {
	p := &s.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.until.After(now) {
		s.endPause()
	}
	held = p.until.After(now) && (p.all || flags&(Write|mayWrite) != 0)
	return p.over, p.until, held
}

// flagsOf are those of a call, and of what it would run.
func (c *Context) flagsOf(cmd *Command, args [][]byte) Flags {
	switch {
	case cmd.Name == "exec":
		return cmd.Flags | c.multi.flags
	case cmd.Flags&mayWrite != 0 && c.runsReadOnly(cmd, args):
		return cmd.Flags &^ mayWrite
	}
	return cmd.Flags
}

// runsReadOnly says whether a call is one of a script that says of itself that it only reads.
func (c *Context) runsReadOnly(cmd *Command, args [][]byte) bool {
	var s *lua.Script
	switch {
	case cmd.Name == "evalsha":
		s = c.Server.Scripts.find(args[1])
	case cmd.Name == "eval" && bytes.HasPrefix(args[1], []byte("#!")):
		s, _ = c.Server.Scripts.machine().Eval(args[1]) // an error is for the call itself to reply
	}
	return s != nil && s.ReadOnly
}

// postpone has a command wait for the end of a pause. It comes back here then: there may be a new one.
func (c *Context) postpone(cmd *Command, args [][]byte) bool {
	over, until, held := c.Server.paused(c.flagsOf(cmd, args), time.Now())
	if !held || c.inside {
		return false
	}
	kept := cloneArgs(args) // args are in a buffer that is gone when the pause is
	c.wait(over, until, func(bool) { c.call(cmd, kept) })
	return true
}
