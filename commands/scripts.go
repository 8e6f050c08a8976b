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
	kept sync.Pool // of evaluations that have ended

	slow atomic.Pointer[slowScript] // that runs, once it has run for a few milliseconds; nil: no command need look out
	mu   sync.Mutex                 // held while slow is killed, or ends
}

// slowScript is a script that others wait for. A section makes it the only one.
type slowScript struct {
	e    *evaluation
	over chan struct{} // closed at its end
	busy chan struct{} // closed when it has run for longer than others should wait
}

func (s *Scripts) machine() *lua.VM {
	s.once.Do(func() { s.vm = lua.New(lua.Options{}) })
	return s.vm
}

// find gives a script by its SHA-1, in any case; nil: there is none.
func (s *Scripts) find(sha []byte) *lua.Script {
	var lower [40]byte
	if len(sha) != len(lower) {
		return nil
	}
	for i, b := range sha {
		if 'A' <= b && b <= 'F' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return s.machine().Find(lower[:])
}

func (s *Scripts) newEvaluation() *evaluation {
	if e, ok := s.kept.Get().(*evaluation); ok {
		return e
	}
	return newEvaluation()
}

// end lets others go on that have waited for a script, and keeps what it was run with for the next.
func (s *Scripts) end(e *evaluation) {
	if e.slow != nil {
		s.mu.Lock()
		s.slow.Store(nil)
		s.mu.Unlock()
		close(e.slow.over)
	}
	e.c, e.slow, e.failure = nil, nil, ""
	e.call.Keys, e.call.Args = nil, nil
	e.fate.Store(undecided)
	s.kept.Put(e)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.slow.Load()
	switch {
	case run == nil:
		return "NOTBUSY No scripts in execution right now.", false
	case !run.e.fate.CompareAndSwap(undecided, isKilled) && run.e.fate.Load() == hasWritten:
		return "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the " +
			"script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.", false
	}
	run.e.call.Kill()
	return "", true
}

const errBusyScript = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."

// giveWay has a command wait for a script that takes its time, and says whether it may run. What was done before it is
// journaled: the script may wait for that.
func (c *Context) giveWay(cmd *Command, run *slowScript) bool {
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
