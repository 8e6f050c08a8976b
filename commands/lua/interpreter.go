package lua

import (
	"reflect"
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// The interpreter's PCall describes the stack of each error, with a line for every tail call that a frame has ever made: by the gigabyte,
// and for the end of a script too. And it closes the variables that functions share either of all frames, those that go on included, or of
// none. With a handler it describes nothing, and the handler closes what is to be closed. Both need what the interpreter keeps to itself.

//go:linkname closeUpvalues github.com/yuin/gopher-lua.(*LState).closeUpvalues
func closeUpvalues(L *lua.LState, from int)

// offsets are those of fields that are not exported.
type offsets struct {
	handled  uintptr // of a state: an error handler does what is to be done with shared variables
	reg, top uintptr // of a state its registers, of these how many are in use
	frame    uintptr // of a state: the frame that runs
	tails    uintptr // of that: how many tail calls it has made
}

var inside = findHidden()

func findHidden() (o offsets) {
	state := reflect.TypeFor[lua.LState]()
	reg, frame := hiddenField(state, "reg", reflect.Pointer), hiddenField(state, "currentFrame", reflect.Pointer)
	o.handled = hiddenField(state, "hasErrorFunc", reflect.Bool).Offset
	o.reg, o.top = reg.Offset, hiddenField(reg.Type.Elem(), "top", reflect.Int).Offset
	o.frame, o.tails = frame.Offset, hiddenField(frame.Type.Elem(), "TailCall", reflect.Int).Offset
	return o
}

func hiddenField(t reflect.Type, name string, kind reflect.Kind) reflect.StructField {
	f, ok := t.FieldByName(name)
	if !ok || f.Type.Kind() != kind {
		panic("script: this version of the interpreter has no field " + name + " of that kind")
	}
	return f
}

func handled(L *lua.LState) *bool { return (*bool)(unsafe.Add(unsafe.Pointer(L), inside.handled)) }

func registersUsed(L *lua.LState) int {
	reg := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(L), inside.reg))
	return *(*int)(unsafe.Add(reg, inside.top))
}

// maxTails is how many tail calls of a frame are remembered, for the levels of error.
const maxTails = 64

// forgetTails has the frame that runs remember no more.
func forgetTails(L *lua.LState) {
	frame := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(L), inside.frame))
	tails := (*int)(unsafe.Add(frame, inside.tails))
	*tails = min(*tails, maxTails)
}

// instruction carries out an instruction of a thread of the interpreter; base is a frame of it.
type instruction = func(L *lua.LState, code uint32, base unsafe.Pointer) int

//go:linkname jumpTable github.com/yuin/gopher-lua.jumpTable
var jumpTable [lua.OP_NOP + 1]instruction

// heedTheEnd has scripts ask whether they are to end. The interpreter would do that before every instruction. It is enough where one
// calls, returns or jumps back, and where one takes the longer the longer a text or a table is: no script runs for long without.
func heedTheEnd() {
	for _, op := range []int{lua.OP_CALL, lua.OP_RETURN, lua.OP_JMP, lua.OP_FORLOOP, lua.OP_TFORLOOP,
		lua.OP_ADD, lua.OP_SUB, lua.OP_MUL, lua.OP_DIV, lua.OP_UNM, lua.OP_LEN, lua.OP_GETTABLE, lua.OP_SETTABLE} {
		plain := jumpTable[op]
		jumpTable[op] = func(L *lua.LState, code uint32, base unsafe.Pointer) int {
			stateOf(L).check(L)
			return plain(L, code, base)
		}
	}
	tailCall := jumpTable[lua.OP_TAILCALL]
	jumpTable[lua.OP_TAILCALL] = func(L *lua.LState, code uint32, base unsafe.Pointer) int {
		stateOf(L).check(L)
		forgetTails(L)
		return tailCall(L, code, base)
	}
}

// refuseGlobals has no script set a global variable.
func refuseGlobals() {
	jumpTable[lua.OP_SETGLOBAL] = func(L *lua.LState, _ uint32, _ unsafe.Pointer) int {
		throw(L, lua.LString(place(L, 0)+errReadonly))
		return 0
	}
}

// global is what all threads of a state share: what the interpreter needs, and the state.
type global struct {
	lua.Global
	state *state
}

// stateOf gives the state that a thread is of.
func stateOf(L *lua.LState) *state { return (*global)(unsafe.Pointer(L.G)).state }

// try calls what is on the stack, with all results, and gives what it throws, as handle makes it; nil: as it is.
func (s *state) try(L *lua.LState, nargs int, handle func(L *lua.LState, v lua.LValue) lua.LValue) error {
	s.check(L)
	base, was, depth := registersUsed(L)-nargs-1, *handled(L), s.depth
	defer func() { *handled(L), s.depth = was, depth }()
	if s.depth+1 >= maxNested {
		return errNested
	}
	s.depth++
	return L.PCall(nargs, lua.MultRet, L.NewFunction(func(L *lua.LState) int {
		*handled(L) = true
		v := L.Get(1)
		if text, ok := v.(lua.LString); ok && strings.HasPrefix(string(text), "runtime error:") {
			s.used = true
		}
		if handle != nil {
			v = handle(L, v)
		}
		closeUpvalues(L, base)
		return push(L, v)
	}))
}

// invoke is L.Call, nested no deeper than Lua's C stack.
func (s *state) invoke(L *lua.LState, nargs, nret int) {
	if s.depth+1 >= maxNested {
		throw(L, lua.LString(errNested.Error()))
	}
	s.depth++
	L.Call(nargs, nret)
	s.depth--
}
