package commands

import (
	"sync"
	"sync/atomic"

	"atomiccounter/commands/lua"
)

// Scripts are those of a server: what they are run by, and which one runs. The zero value is ready.
type Scripts struct {
	once sync.Once
	vm   *lua.VM
	slow atomic.Pointer[scriptRun] // that runs, once it has run for a few milliseconds; nil: nobody need look out
}

// scriptRun is a script while it runs. A section makes it the only one.
type scriptRun struct {
	over chan struct{} // closed at its end
	busy chan struct{} // closed when it has run for longer than others should wait
	fate atomic.Int32  // undecided, or what has happened first
	call *lua.Call
}

// A script that has written is not killed: only a part of what it was to do would have happened.
const (
	undecided = iota
	hasWritten
	isKilled
)

func (s *Scripts) machine() *lua.VM {
	s.once.Do(func() { s.vm = lua.New(lua.Options{}) })
	return s.vm
}

// Stop ends the script that runs, whatever it has done, and lets no other begin: the server is to end.
func (s *Scripts) Stop() { s.machine().Close() }

// Busy says whether a script has run for longer than others should wait.
func (s *Scripts) Busy() bool {
	run := s.slow.Load()
	if run == nil {
		return false
	}
	select {
	case <-run.busy:
		return true
	default:
		return false
	}
}

// kill stops the script that runs; its reply line.
func (s *Scripts) kill() (reply string, ok bool) {
	run := s.slow.Load()
	switch {
	case run == nil:
		return "NOTBUSY No scripts in execution right now.", false
	case !run.fate.CompareAndSwap(undecided, isKilled) && run.fate.Load() == hasWritten:
		return "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the " +
			"script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.", false
	}
	run.call.Kill()
	return "", true
}

const errBusyScript = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."

// giveWay has a command wait for a script that takes its time, and says whether it may run. What was done before it is
// journaled: the script may wait for that.
func (c *Context) giveWay(cmd *Command, run *scriptRun) bool {
	if cmd.Flags&AllowBusy != 0 {
		return true
	}
	c.Pipe.Pause()
	select {
	case <-run.over:
		return true
	case <-run.busy:
		select {
		case <-run.over:
			return true
		default:
		}
		return false
	}
}
