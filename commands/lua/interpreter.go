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
	frame    uintptr // of what GetStack gives
	tails    uintptr // of that frame: how many tail calls it has made
}

var inside = findHidden()

func findHidden() (o offsets) {
	state, debug := reflect.TypeFor[lua.LState](), reflect.TypeFor[lua.Debug]()
	reg, frame := hiddenField(state, "reg", reflect.Pointer), hiddenField(debug, "frame", reflect.Pointer)
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
	debug, ok := L.GetStack(0)
	if !ok {
		return
	}
	frame := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(debug), inside.frame))
	tails := (*int)(unsafe.Add(frame, inside.tails))
	*tails = min(*tails, maxTails)
}

// try calls what is on the stack, with all results, and gives what it throws, as handle makes it; nil: as it is.
func (s *state) try(L *lua.LState, nargs int, handle func(L *lua.LState, v lua.LValue) lua.LValue) error {
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

// thread is the context of one coroutine, or of the script itself.
type thread struct {
	*watch
	lua   *lua.LState
	steps int
}

// Done is called before every instruction.
func (t *thread) Done() <-chan struct{} {
	if t.steps++; t.steps%stepsToForget == 0 {
		forgetTails(t.lua)
	}
	return t.watch.Done()
}

// stepsToForget is so few that all frames together remember no more than some ten thousand calls.
const stepsToForget = 512
