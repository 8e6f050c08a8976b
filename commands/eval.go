package commands

import (
	"bytes"
	"context"
	"sync/atomic"

	"atomiccounter/commands/config"
	"atomiccounter/commands/lua"
	"atomiccounter/commands/resp"
)

func eval(c *Context, args [][]byte) { c.eval(args, false) }

func evalRO(c *Context, args [][]byte) { c.eval(args, true) }

func evalSHA(c *Context, args [][]byte) { c.evalSHA(args, false) }

func evalSHARO(c *Context, args [][]byte) { c.evalSHA(args, true) }

func (c *Context) eval(args [][]byte, readOnly bool) {
	keys, rest, ok := c.scriptKeys(args)
	if !ok || c.refuseDebugging() {
		return
	}
	s, err := c.Server.Scripts.machine().Eval(args[1])
	if err != nil {
		c.Out.Error("ERR " + err.Error())
		return
	}
	c.runScript(s, keys, rest, readOnly)
}

const errNoScript = "NOSCRIPT No matching script. Please use EVAL."

func (c *Context) evalSHA(args [][]byte, readOnly bool) {
	if len(args[1]) != 40 {
		c.Out.Error(errNoScript)
		return
	}
	keys, rest, ok := c.scriptKeys(args)
	if !ok || c.refuseDebugging() {
		return
	}
	s := c.Server.Scripts.find(args[1])
	if s == nil {
		c.Out.Error(errNoScript)
		return
	}
	c.runScript(s, keys, rest, readOnly)
}

// refuseDebugging refuses the script after a SCRIPT DEBUG that was refused: it would be run for good, where Redis takes back
// what it has done.
func (c *Context) refuseDebugging() bool {
	refused := c.Client.debugs
	if refused {
		c.Client.debugs = false
		c.Out.Error("ERR SCRIPT DEBUG: there is no debugger here, and so this script has not been run")
	}
	return refused
}

// scriptKeys parts the keys from the other arguments.
func (c *Context) scriptKeys(args [][]byte) (keys, rest [][]byte, ok bool) {
	n, ok := ParseInt(args[2])
	switch {
	case !ok:
		c.notInteger()
	case n > int64(len(args)-3):
		c.Out.Error("ERR Number of keys can't be greater than number of args")
	case n < 0:
		c.Out.Error("ERR Number of keys can't be negative")
	default:
		return args[3 : 3+n], args[3+n:], true
	}
	return nil, nil, false
}

// evaluation is a script that runs for a client. Later it is another.
type evaluation struct {
	c        *Context
	call     lua.Call
	fate     atomic.Int32 // undecided, or what has happened first
	slow     *slowScript  // nil: it has not run for long
	readOnly bool
	buf      []byte // replies of its commands
	failure  string // the last error that one of them replied
}

// A script that has written is not killed: only a part of what it was to do would have happened.
const (
	undecided = iota
	hasWritten
	isKilled
)

func newEvaluation() *evaluation {
	e := new(evaluation)
	e.call = lua.Call{Do: e.do, Known: e.known, Log: e.log, Slow: e.isSlow, Alarm: e.isBusy}
	return e
}

// isSlow has others look out for the script.
func (e *evaluation) isSlow() {
	e.slow = &slowScript{e: e, over: make(chan struct{}), busy: make(chan struct{})}
	e.c.Server.Scripts.slow.Store(e.slow)
}

// isBusy has others wait no longer.
func (e *evaluation) isBusy() {
	close(e.slow.busy)
	e.c.Pipe.Alarm()()
}

// runScript runs a script while no other command runs, and replies what it returns. All it does is one record of the journal.
func (c *Context) runScript(s *lua.Script, keys, args [][]byte, readOnly bool) {
	if !c.Pipe.InSection() {
		if err := c.Pipe.Begin(s.Flushes && !readOnly); err != nil {
			c.fail(err)
			return
		}
		defer c.endSection()
	}
	e := c.Server.Scripts.newEvaluation()
	e.c, e.readOnly = c, readOnly || s.ReadOnly
	e.call.Keys, e.call.Args, e.call.RESP, e.call.Busy = keys, args, c.Out.Proto, c.Server.Config.BusyReply()
	c.Out = e.run(s)
	c.Server.Scripts.end(e)
}

// run runs a script, and gives the client's reply with what the script has replied. The context is the script's meanwhile.
func (e *evaluation) run(s *lua.Script) resp.Reply {
	c := e.c
	out, mode, db := c.Out, c.Client.Reply, c.Pipe.DB
	c.Client.Reply, c.script, c.declared = ReplyOn, &e.call, e.call.Keys
	mark := len(out.Buf)
	out.Buf = c.Server.Scripts.machine().Run(s, &e.call, out.Buf)
	if len(out.Buf) > mark && out.Buf[mark] == '-' {
		out.Errors++
		c.passedOn = e.failure != "" && bytes.HasPrefix(out.Buf[mark:], []byte(e.failure))
	}
	c.Client.Reply, c.Pipe.DB, c.script = mode, db, nil
	c.declared = nil
	c.Client.DB.Store(int32(db))
	return out
}

// do runs a command of the script, if it may run there, and gives its reply.
func (e *evaluation) do(args [][]byte, proto int) []byte {
	c := e.c
	c.Out = resp.Reply{Buf: e.buf[:0], Proto: proto}
	if cmd, refusal := e.allowed(args); refusal != "" {
		c.reject(cmd, refusal)
	} else {
		c.within(cmd, args)
	}
	if len(c.Out.Buf) > 0 && c.Out.Buf[0] == '-' {
		e.failure = string(bytes.TrimRight(c.Out.Buf, "\r\n"))
	}
	if e.buf = c.Out.Buf; cap(e.buf) > maxScriptReply {
		e.buf = nil
	}
	return c.Out.Buf
}

// maxScriptReply is how large a buffer is kept for the next command.
const maxScriptReply = 64 << 10

// allowed says which command is meant, or why it does not run.
func (e *evaluation) allowed(args [][]byte) (cmd *Command, refusal string) {
	cmd = e.c.table.find(args)
	switch {
	case cmd == nil:
		return nil, refusalOfUnknown(args)
	case !cmd.Fits(len(args)):
		return cmd, errScriptArity
	case cmd.Flags&(NoScript|NoMulti) != 0:
		return cmd, errNotInScript
	case e.readOnly && cmd.Flags&(Write|mayWrite) != 0:
		return cmd, "ERR Write commands are not allowed from read-only scripts."
	case cmd.Flags&Write == 0:
		return cmd, ""
	case !e.fate.CompareAndSwap(undecided, hasWritten) && e.fate.Load() == isKilled:
		return cmd, "ERR Script killed by user with SCRIPT KILL."
	}
	return cmd, ""
}

// notInScripts are commands of Redis that are none here and that it refuses in scripts, and how many arguments they have, at
// least if that is negative.
var notInScripts = map[string]int{"blmove": 6, "blpop": -3, "brpop": -3, "brpoplpush": 4, "bzpopmax": -3, "bzpopmin": -3,
	"failover": -1, "fcall": -3, "fcall_ro": -3, "psync": -3, "replconf": -1, "slaveof": 3, "sync": 1}

// refusalOfUnknown refuses a command that there is not.
func refusalOfUnknown(args [][]byte) string {
	arity, known := notInScripts[string(bytes.ToLower(args[0]))]
	switch {
	case !known:
		return "ERR Unknown Redis command called from script"
	case !(&Command{Arity: arity}).Fits(len(args)):
		return errScriptArity
	}
	return errNotInScript
}

const (
	errScriptArity = "ERR Wrong number of args calling Redis command from script"
	errNotInScript = "ERR This Redis command is not allowed from script"
)

func (e *evaluation) known(args [][]byte) bool { return e.c.table.find(args) != nil }

// log writes a message of the script, at Redis's levels.
func (e *evaluation) log(level int, msg string) {
	e.c.Server.Log.Log(context.Background(), config.Levels[level], msg, "from", "script", "client", e.c.Client.ID)
}
