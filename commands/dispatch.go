package commands

import (
	"bytes"
	"fmt"
)

// Run runs one command, the name first, and writes its one reply, an error included, to Out; CLIENT REPLY may leave the
// reply out. There is at least one argument. The arguments are only read during the call. A command that has to wait sets
// Wait instead: no other runs before Resume has brought its reply.
func (c *Context) Run(args [][]byte) {
	c.table = byName
	before := len(c.Out.Buf)
	if c.Client.Reply == ReplyOn {
		c.dispatch(args)
	} else {
		c.runMuted(args)
	}
	if c.caching {
		c.forgetCaching()
	}
	if c.early != nil {
		c.sendEarly(before)
	}
}

// runMuted runs a command whose reply is perhaps not wanted. What counts is the mode after it, because CLIENT REPLY ON
// answers.
func (c *Context) runMuted(args [][]byte) {
	if c.Client.Reply == SkipNext {
		c.Client.Reply = Skip
	}
	before := len(c.Out.Buf)
	c.unmuted = false
	c.dispatch(args)
	c.mute(before)
}

// mute takes a reply away that is not wanted. A command that waits has none yet.
func (c *Context) mute(before int) {
	switch {
	case c.Wait != nil || c.Client.Reply == ReplyOn:
	case c.unmuted:
		if c.Client.Reply == Skip {
			c.Client.Reply = ReplyOn
		}
	case c.Client.Reply == ReplyOff:
		c.Out.Buf = c.Out.Buf[:before]
	case c.Client.Reply == Skip:
		c.Out.Buf = c.Out.Buf[:before]
		c.Client.Reply = ReplyOn
	}
}

func (c *Context) dispatch(args [][]byte) {
	c.ran = nil
	cmd, refusal := c.find(args)
	if refusal == errLoading && c.awaitOpen(args) {
		return
	}
	if refusal != "" {
		c.refuse(cmd, refusal)
		return
	}
	if run := c.Server.Scripts.slow.Load(); run != nil && !c.giveWay(cmd, run) {
		c.refuse(cmd, errBusyScript)
		return
	}
	c.ran = cmd
	c.Client.last.Store(cmd)
	if c.multi.open && cmd.Flags&AtOnce == 0 {
		c.enqueue(cmd, args)
		return
	}
	c.call(cmd, args)
	c.created = nil
}

// find gives the command that a call means, or says why it may not be called. The command is nil if there is no such.
func (c *Context) find(args [][]byte) (cmd *Command, refusal string) {
	cmd = c.table.lookup(args[0])
	if cmd == nil {
		return nil, unknownCommand(args)
	}
	if cmd.Sub != nil && len(args) > 1 {
		if cmd = cmd.sub(args[1]); cmd == nil {
			return nil, unknownSubcommand(args)
		}
	}
	switch {
	case !cmd.Fits(len(args)):
		return cmd, arityError(cmd)
	case cmd.Flags&protected != 0 && !c.mayDebug():
		return cmd, errNoDebug
	case cmd.Flags&replicates != 0 && !c.mayReplicate(): // a peer without the secret hears of that, not of a password
		return cmd, c.notAllowed(cmd)
	case !c.Client.Authenticated.Load() && cmd.Flags&NoAuth == 0 && c.Server.Config.Password() != "":
		return cmd, "NOAUTH Authentication required."
	case c.multi.open && cmd.Flags&NoMulti != 0:
		return cmd, errNoMulti
	case c.listensOnly(cmd):
		return cmd, "ERR Can't execute '" + cmd.FullName + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
	case !c.served && cmd.Flags&Loading == 0 && (cmd.Flags&whileJoining == 0 || !c.Pipe.Joined()):
		return cmd, errLoading
	}
	return cmd, ""
}

// refuse answers a call that find refuses. A transaction is spoilt by it.
func (c *Context) refuse(cmd *Command, why string) {
	if cmd != nil && cmd.Name == "exec" {
		c.discard()
		c.reject(cmd, aborted(why))
		return
	}
	c.spoil()
	c.reject(cmd, why)
}

func (c *Context) wrongArity(cmd *Command) { c.Out.Error(arityError(cmd)) }

func arityError(cmd *Command) string {
	return "ERR wrong number of arguments for '" + cmd.FullName + "' command"
}

// shown bounds how much an error repeats of words that mean nothing here, in bytes.
const shown = 128

func unknownCommand(args [][]byte) string {
	var rest []byte
	for _, arg := range args[1:] {
		if len(rest) >= shown {
			break
		}
		rest = fmt.Appendf(rest, "'%s' ", beginning(arg, shown-len(rest)))
	}
	return fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", beginning(args[0], shown), rest)
}

func unknownSubcommand(args [][]byte) string {
	return fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", beginning(args[1], shown), upper(args[0]))
}

// beginning is at most limit bytes of what an error repeats of an argument.
func beginning(b []byte, limit int) []byte { return cString(b[:min(len(b), limit)]) }

// cString is what Redis repeats of an argument in an error: all up to the first zero byte.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

func upper(word []byte) []byte {
	out := make([]byte, len(word))
	for i, b := range word {
		if 'a' <= b && b <= 'z' {
			b &^= 0x20
		}
		out[i] = b
	}
	return out
}
