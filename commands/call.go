package commands

import (
	"time"

	"atomiccounter/commands/stats"
)

// Reasons why calls need more attention than to be counted: bits of Server.attention, which the short way reads once.
const (
	payMonitors = 1 << iota // a client watches all commands
	payTime                 // each command is timed: what counts as slow is less than what fast commands always are
	payTracking             // a client caches keys
	payPause                // clients are paused
)

// pay sets or clears a reason.
func (s *Server) pay(reason uint32, on bool) {
	if on {
		s.attention.Or(reason)
	} else {
		s.attention.And(^reason)
	}
}

// call runs a command and takes note of it. Every command goes through here, those of transactions and scripts too.
//
// A fast command is counted and not timed, unless it was held up: it shares the time of its round. One that another
// command calls is timed.
func (c *Context) call(cmd *Command, args [][]byte) {
	if c.Server.attention.Load() != 0 || cmd.Flags&Fast == 0 || c.inside {
		c.attend(cmd, args)
		return
	}
	if c.round.Begins() {
		c.round.Begin(c.now())
	}
	before, errors, changes := len(c.Out.Buf), c.Out.Errors, c.Pipe.Changes()
	c.run(cmd, args)
	if c.Pipe.Changes() != changes && c.Server.tracks() {
		c.invalidate(cmd, args)
	}
	c.round.Count(c.Server.Stats.Calls.Row(cmd.id))
	if c.Out.Errors != errors {
		c.noteError(cmd, before)
	}
	if d := c.Pipe.Delay(); d != 0 {
		c.noteSlow(cmd, args, d)
	}
}

// A command of more than manyArgs arguments is counted as if each were a key, which takes so many bytes while the command runs, about.
const (
	manyArgs = 1000
	keyCost  = 600
)

func (c *Context) run(cmd *Command, args [][]byte) {
	if len(args) > manyArgs {
		if err := c.takes(int64(len(args)) * keyCost); err != nil {
			c.fail(err)
			return
		}
	}
	if cmd.Flags&onlyAsks == 0 {
		cmd.Run(c, args)
		return
	}
	c.Pipe.NoTouch(func() { cmd.Run(c, args) })
}

// attend runs a command that is timed, and that others may want to know of.
func (c *Context) attend(cmd *Command, args [][]byte) {
	why := c.Server.attention.Load()
	if why&payPause != 0 && c.postpone(cmd, args) {
		return
	}
	if why&payTracking != 0 {
		c.remember(cmd, args)
	}
	if why&payMonitors != 0 && cmd.Flags&SkipMonitor != 0 {
		c.showMonitors(cmd, args)
	}
	if !c.inside && cmd.Flags&(Fast|Write|sections) == 0 { // others wait for what this connection has not yet journaled
		c.Pipe.Pause()
	}
	before, changes := c.start(), c.Pipe.Changes()
	begun := c.now()
	c.run(cmd, args)
	if c.Wait != nil && c.Wait.works {
		kept := cloneArgs(args)
		c.Wait.note = func(before replyStart) { c.note(cmd, kept, before, c.now()-begun) }
		return
	}
	took := c.now() - begun
	if c.Pipe.Changes() != changes && c.Server.tracks() {
		c.invalidate(cmd, args)
	}
	if why&payTracking != 0 {
		c.rememberExpiry(cmd, args)
	}
	c.Pipe.Delay()
	if !c.inside {
		c.round.Apart += took
	}
	c.note(cmd, args, before, took)
	if c.Server.attention.Load()&payMonitors != 0 && cmd.Flags&SkipMonitor == 0 {
		c.showMonitors(cmd, args)
	}
}

// replyStart is where a reply begins.
type replyStart struct {
	at     int   // in Out.Buf
	errors int64 // Out.Errors before it
}

func (c *Context) start() replyStart { return replyStart{len(c.Out.Buf), c.Out.Errors} }

// note takes note of a command that was timed.
func (c *Context) note(cmd *Command, args [][]byte, before replyStart, took time.Duration) {
	c.Server.Stats.Calls.Row(cmd.id).Add(1, int64(took))
	if c.Out.Errors != before.errors {
		c.noteError(cmd, before.at)
	}
	c.noteSlow(cmd, args, took)
}

// noteError counts a call that replied an error.
func (c *Context) noteError(cmd *Command, before int) {
	c.Server.Stats.Calls.Row(cmd.id).Failed.Add(1)
	c.countError(before)
}

// countError counts the error that stands in Out from before on.
func (c *Context) countError(before int) {
	if c.passedOn {
		c.passedOn = false
		return
	}
	if before < len(c.Out.Buf) {
		c.Server.Stats.Fail(c.Out.Buf[before:])
	}
}

// RefuseProtocol replies to what is no request. As in Redis its error counts, whether or not the client wants replies.
func (c *Context) RefuseProtocol(err error) {
	before := len(c.Out.Buf)
	c.Out.Error("ERR " + err.Error())
	c.countError(before)
	if c.Client.Reply != ReplyOn {
		c.Out.Buf = c.Out.Buf[:before]
	}
}

// reject replies an error instead of running the command, if it is known.
func (c *Context) reject(cmd *Command, line string) {
	before := len(c.Out.Buf)
	c.Out.Error(line)
	c.countError(before)
	if cmd != nil {
		c.Server.Stats.Calls.Row(cmd.id).Rejected.Add(1)
	}
}

// noteSlow logs a command that took long, and its event of LATENCY.
func (c *Context) noteSlow(cmd *Command, args [][]byte, took time.Duration) {
	config := &c.Server.Config
	if at := config.SlowerThan(); at >= 0 && took >= at && cmd.Flags&SkipSlowlog == 0 {
		e := stats.SlowEntry{At: time.Now().Unix(), Took: took, Addr: c.Client.Addr, Name: c.Client.identity.Name()}
		c.Server.Stats.Slow.Add(e, redacted(cmd, args), config.SlowLogLen())
	}
	if at := config.LatencyThreshold(); at > 0 && took >= at {
		event := "command"
		if cmd.Flags&Fast != 0 {
			event = "fast-command"
		}
		c.Server.Stats.Latency.Add(event, took, time.Now())
	}
}

// EndRound counts what the commands since it was last called took, together, up to now.
func (c *Context) EndRound(now time.Time) { c.round.End(&c.Server.Stats, now.Sub(c.Server.Started)) }

// now is a clock that only goes on.
func (c *Context) now() time.Duration { return time.Since(c.Server.Started) }
