// Package lua runs Lua 5.1 as Redis does: EVAL and its relatives. It knows no command and no engine: whoever runs a
// script hands it a function that runs a call, and gets the reply in RESP.
//
// # Sandbox
//
// A script has the libraries that Redis gives it (string, table, math, coroutine, cjson, cmsgpack, bit, struct, redis), and no
// way to files, to the system or to other scripts. All that is global is read-only, so that a state can be used for one
// script after another; KEYS and ARGV are new each time.
//
// # Interpreter
//
// The interpreter is gopher-lua. Where it differs from Lua 5.1 in what scripts of Redis rely on, it is repaired: how numbers are
// written (%.14g) and read, strings as bytes, patterns, table.sort, C's formats. What remains: the texts of syntax errors and of the
// errors of operators (they name no variables), and pairs, which gives the keys of a table in the order in which they came.
//
// # Limits
//
// A script runs for as long as it likes, but whoever runs it is told when that is too long (Call.Alarm), and can stop it at any
// instruction, and in a builtin that goes through much (Call.Kill). One that keeps more memory than Options.Memory, or builds a string of more
// than 64 MiB, fails. Calls nest about 8,000 deep, those that go through builtins, and coroutines, 200, syntax 2,000.
package lua

import (
	"slices"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Options of New. A zero field means its default.
type Options struct {
	// Memory is by how many bytes the heap may grow while a script runs, default 256 MiB. What others allocate meanwhile counts, too.
	Memory int64
	// Evaluated is how many scripts are kept that only EVAL has brought, default 500, as in Redis 7.4.
	Evaluated int
	// Scripts is how many bytes all that are kept may take, about, default 64 MiB.
	Scripts int64
}

// VM compiles scripts, keeps them, and runs them. All its methods may be called at the same time.
type VM struct {
	options Options
	cache   cache

	mu      sync.Mutex
	dice    uint64 // of math.random, when the last script ended
	runs    uint64 // that have begun
	idle    []*state
	running []*state
	patrol  patrol
	closed  bool
}

// maxIdle is how many states are kept for the next scripts.
const maxIdle = 4

// New gives a VM without scripts.
func New(o Options) *VM {
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Evaluated == 0 {
		o.Evaluated = 500
	}
	if o.Scripts == 0 {
		o.Scripts = 64 << 20
	}
	adaptInterpreter()
	return &VM{options: o, dice: firstDice, cache: cache{most: o.Evaluated, mostBytes: o.Scripts}}
}

// adaptInterpreter has t[67108863] = 1 not allocate a gigabyte at once: beyond this an index of a table is hashed. And goto is a
// name, as in Lua 5.1.
var adaptInterpreter = sync.OnceFunc(func() {
	lua.MaxArrayIndex = 1 << 22
	delete(reservedWords, "goto")
	checkContents()
	heedTheEnd()
	refuseGlobals()
})

// Call is one run of a script. After it, it may be another's.
type Call struct {
	Keys, Args [][]byte
	RESP       int // protocol of the client, 2 or 3
	// Do runs a command and gives its reply, in the protocol that the script has chosen; valid until the next call.
	Do func(args [][]byte, resp int) []byte
	// Known says whether there is such a command.
	Known func(args [][]byte) bool
	// Log writes a message of a script, at a level from 0 (debug) to 3 (warning).
	Log func(level int, msg string)
	// Slow is called once, from another goroutine, when the script takes more than a few milliseconds, and Alarm later, when it has
	// run for Busy; 0: never. Neither is after Run has returned.
	Slow, Alarm func()
	Busy        time.Duration

	watch *watch
}

// Kill stops the script. It may be called from when Slow is called on, until another is run.
func (c *Call) Kill() { c.watch.stop(errKilled) }

// Stopped says whether the script is to end at once. Do may call it.
func (c *Call) Stopped() bool { return c.watch.Err() != nil }

// Run runs a script and appends its reply.
func (vm *VM) Run(sc *Script, c *Call, out []byte) []byte {
	s := vm.enter(c)
	defer vm.leave(s)
	s.reset()
	return s.execute(sc, out)
}

func (vm *VM) enter(c *Call) *state {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	var s *state
	if n := len(vm.idle); n > 0 {
		s, vm.idle = vm.idle[n-1], vm.idle[:n-1]
	} else {
		s = vm.newState()
	}
	vm.runs++
	s.nth, s.dice = vm.runs, vm.dice
	s.call, c.watch = c, &s.watch
	s.watch.reset()
	if vm.closed {
		s.watch.stop(errClosed)
	}
	vm.running = append(vm.running, s)
	vm.alert()
	return s
}

func (vm *VM) leave(s *state) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	i := slices.Index(vm.running, s)
	vm.running = slices.Delete(vm.running, i, i+1)
	if s.over != nil {
		close(s.over)
		s.over = nil
	}
	vm.dice = s.dice
	if !s.used && len(vm.idle) < maxIdle {
		s.forget()
		vm.idle = append(vm.idle, s)
	}
}

// Close stops the scripts that run, and all that are run later.
func (vm *VM) Close() {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	vm.closed = true
	for _, s := range vm.running {
		s.watch.stop(errClosed)
	}
}
