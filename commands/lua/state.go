package lua

import (
	"errors"

	lua "github.com/yuin/gopher-lua"
)

// Bounds of one state. Depths are about those of Lua 5.1.
const (
	stackDepth      = 8000    // calls within calls
	registers       = 4 << 10 // at first
	mostRegisters   = 64 << 10
	threadDepth     = 200 // of a coroutine
	threadRegisters = 256
	maxNested       = 200 // calls of functions by builtins, coroutines within coroutines: Lua's C stack
)

// stateSize is how many bytes a state takes before a script runs in it, about, measured.
const stateSize = 848 << 10

// state is an interpreter with the sandbox in it. One script at a time runs in it; since scripts cannot change anything
// that is global, the next one finds it as new.
type state struct {
	vm      *VM
	lua     *lua.LState
	globals *lua.LTable                 // what is behind the protected table that scripts see
	env     *lua.LTable                 // that table
	hidden  map[*lua.LTable]*lua.LTable // what is behind each protected table
	shown   map[*lua.LTable]lua.LValue  // what getmetatable says of it; missing: nil
	null    *lua.LUserData
	handler *lua.LFunction // located
	main    *lua.LFunction // the script
	keys    given          // KEYS
	argv    given          // ARGV
	numbers numbers
	call    *Call // in progress
	watch   watch
	nth     uint64        // of all runs, the call
	over    chan struct{} // closed at its end; nil: it has not run for long
	resp    int           // of redis.setresp
	dice    uint64
	json    jsonOptions
	depth   int      // of such calls
	spent   int      // work of builtins since the last check
	used    bool     // as no script leaves it: it is not used again
	fault   any      // panic of a command
	args    [][]byte // of the command that is run
	digits  []byte   // of those of them that are numbers
}

func (vm *VM) newState() *state {
	s := &state{
		vm: vm,
		lua: lua.NewState(lua.Options{SkipOpenLibs: true, CallStackSize: stackDepth, RegistrySize: registers,
			RegistryMaxSize: mostRegisters, RegistryGrowStep: registers}),
		hidden: make(map[*lua.LTable]*lua.LTable),
		shown:  make(map[*lua.LTable]lua.LValue),
		null:   &lua.LUserData{Metatable: lua.LNil},
	}
	s.lua.G = &(&global{Global: *s.lua.G, state: s}).Global
	s.globals = s.lua.NewTable()
	s.env = s.protect(s.globals)
	s.openBase()
	s.openString()
	s.openTable()
	s.openMath()
	s.openCoroutine()
	s.openRedis()
	s.openJSON()
	s.openMsgpack()
	s.openBit()
	s.openStruct()
	s.strict()
	s.handler = s.lua.NewFunction(s.located)
	s.main = &lua.LFunction{Env: s.globals}
	s.keys.table, s.argv.table = s.lua.CreateTable(0, 0), s.lua.CreateTable(0, 0)
	s.globals.RawSetString("KEYS", s.keys.table)
	s.globals.RawSetString("ARGV", s.argv.table)
	s.lua.Env = s.globals // for reads; what writes is refused
	return s
}

// protect gives a table that shows what is in t and cannot be changed.
func (s *state) protect(t *lua.LTable) *lua.LTable {
	p, meta := s.lua.CreateTable(0, 0), s.lua.CreateTable(0, 2)
	meta.RawSetString("__index", t)
	meta.RawSetString("__newindex", s.lua.NewFunction(func(L *lua.LState) int {
		raise(L, errReadonly)
		return 0
	}))
	p.Metatable = meta
	s.hidden[p] = t
	return p
}

const errReadonly = "Attempt to modify a readonly table"

// behind gives the table that is meant: what is behind it if it is protected.
func (s *state) behind(t *lua.LTable) *lua.LTable {
	if t.Metatable == lua.LNil {
		return t
	}
	if real, ok := s.hidden[t]; ok {
		return real
	}
	return t
}

// strict makes the read of a global that does not exist an error.
func (s *state) strict() {
	meta := s.lua.NewTable()
	meta.RawSetString("__index", s.lua.NewFunction(func(L *lua.LState) int {
		name, _ := asText(L.Get(2))
		raise(L, "Script attempted to access nonexistent global variable '"+name+"'")
		return 0
	}))
	s.globals.Metatable = meta
	s.shown[s.env] = s.protect(meta)
}

type builtin = lua.LGFunction

// library makes a protected global table of functions, and gives what is behind it.
func (s *state) library(name string, functions map[string]builtin) *lua.LTable {
	t := s.lua.NewTable()
	for name, f := range functions {
		t.RawSetString(name, s.lua.NewFunction(f))
	}
	s.globals.RawSetString(name, s.protect(t))
	return t
}

// reset makes the state as new before a script.
func (s *state) reset() {
	s.resp, s.depth = 2, 1
	s.json = defaultJSON
	s.lua.G.CurrentThread = s.lua
	s.keys.fill(s.call.Keys)
	s.argv.fill(s.call.Args)
}

// check ends the script if it is to be stopped.
func (s *state) check(L *lua.LState) {
	if err := s.watch.heed(); err != nil {
		throw(L, lua.LString(err.Error()))
	}
}

// spendToCheck is about how many bytes or values a builtin goes through between two checks.
const spendToCheck = 4096

// spend counts what a builtin goes through, and checks now and then.
func (s *state) spend(L *lua.LState, n int) {
	if s.spent += n; s.spent >= spendToCheck {
		s.spent = 0
		s.check(L)
	}
}

var errNested = errors.New("C stack overflow") //lint:ignore ST1005 Redis's words

// maxString bounds the strings that scripts build, in bytes.
const maxString = 64 << 20

// room stops a script before it builds a string that is too long.
func room(L *lua.LState, n int) {
	if n < 0 || n > maxString {
		throw(L, lua.LString(errMemory.Error()))
	}
}
