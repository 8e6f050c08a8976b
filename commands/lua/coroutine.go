package lua

import lua "github.com/yuin/gopher-lua"

// openCoroutine takes the interpreter's library, but makes coroutines that have small stacks.
func (s *state) openCoroutine() {
	L := s.lua
	L.Push(L.NewFunction(lua.OpenCoroutine))
	L.Call(0, 1)
	theirs := L.Get(-1).(*lua.LTable)
	L.Pop(1)
	of := func(name string) builtin { return theirs.RawGetString(name).(*lua.LFunction).GFunction }
	create, wrap, resume, yield := of("create"), of("wrap"), of("resume"), of("yield")
	s.library("coroutine", map[string]builtin{
		"create": func(L *lua.LState) int {
			checkScripted(L)
			return s.small(L, create)
		},
		"wrap": func(L *lua.LState) int {
			checkScripted(L)
			s.small(L, wrap)
			f := L.Get(-1).(*lua.LFunction)
			wrapped := f.GFunction
			f.GFunction = func(L *lua.LState) int {
				if s.depth >= maxNested {
					raise(L, errNested.Error())
				}
				return s.within(L, wrapped)
			}
			return 1
		},
		"resume": func(L *lua.LState) int {
			if th := L.ToThread(1); th == nil {
				argError(L, 1, "coroutine expected")
			} else if th.Dead {
				return push(L, lua.LFalse, lua.LString("cannot resume dead coroutine"))
			}
			if s.depth >= maxNested {
				return push(L, lua.LFalse, lua.LString(errNested.Error()))
			}
			return s.within(L, resume)
		},
		"yield": func(L *lua.LState) int {
			if L.Parent == nil {
				throw(L, lua.LString("attempt to yield across metamethod/C-call boundary"))
			}
			return yield(L)
		},
		"running": of("running"), "status": of("status"),
	})
}

// within resumes a coroutine.
func (s *state) within(L *lua.LState, resume builtin) int {
	depth := s.depth
	s.depth++
	n := resume(L)
	s.depth = depth
	return n
}

// checkScripted takes a function that is no builtin.
func checkScripted(L *lua.LState) {
	if f, ok := L.Get(1).(*lua.LFunction); !ok || f.IsG {
		argError(L, 1, "Lua function expected")
	}
}

// small runs a function that makes a coroutine, with the bounds of one. What a coroutine leaves of the state if a builtin was between a yield
// and the resume nobody knows.
func (s *state) small(L *lua.LState, run builtin) int {
	own := L.Options
	L.Options.CallStackSize, L.Options.RegistrySize, L.Options.RegistryGrowStep = threadDepth, threadRegisters, threadRegisters
	n := run(L)
	L.Options = own
	s.used = true
	return n
}
