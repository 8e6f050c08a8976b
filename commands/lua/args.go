package lua

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// What follows takes arguments of a builtin, and complains in the words of Lua 5.1.

// typeName says what an argument is, or that there is none.
func typeName(L *lua.LState, n int) string {
	if n > L.GetTop() {
		return "no value"
	}
	return L.Get(n).Type().String()
}

// argError complains of the n-th argument. What comes before the dots of a method is none of its arguments.
func argError(L *lua.LState, n int, msg string) {
	name, method := "?", false
	if frame, ok := L.GetStack(0); ok {
		if _, err := L.GetInfo("n", frame, lua.LNil); err == nil && frame.Name != "" && frame.Name[0] != '(' && frame.Name[0] != '<' {
			name, method = strings.CutPrefix(frame.Name, methodMark)
		}
	}
	switch {
	case method && n == 1:
		raise(L, fmt.Sprintf("calling '%s' on bad self (%s)", name, msg))
	case method:
		n--
	}
	raise(L, fmt.Sprintf("bad argument #%d to '%s' (%s)", n, name, msg))
}

// raise throws an error with the place of the caller, as luaL_error does.
func raise(L *lua.LState, msg string) {
	throw(L, lua.LString(place(L, 1)+msg))
}

// throw throws a value as it is.
func throw(L *lua.LState, v lua.LValue) { L.Error(v, 0) }

// place is "source:line: " of the function at a level of the stack, 0 being the running one, or nothing if that is a builtin.
func place(L *lua.LState, level int) string {
	frame, ok := L.GetStack(level)
	if !ok {
		return ""
	}
	if _, err := L.GetInfo("Sl", frame, lua.LNil); err != nil || frame.CurrentLine <= 0 || frame.Source == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", frame.Source, frame.CurrentLine)
}

func typeError(L *lua.LState, n int, want string) {
	argError(L, n, want+" expected, got "+typeName(L, n))
}

func checkAny(L *lua.LState, n int) lua.LValue {
	if n > L.GetTop() {
		argError(L, n, "value expected")
	}
	return L.Get(n)
}

func checkText(L *lua.LState, n int) string {
	s, ok := asText(L.Get(n))
	if !ok {
		typeError(L, n, "string")
	}
	return s
}

func optText(L *lua.LState, n int, or string) string {
	if L.Get(n) == lua.LNil {
		return or
	}
	return checkText(L, n)
}

func checkNumber(L *lua.LState, n int) float64 {
	f, ok := asNumber(L.Get(n))
	if !ok {
		typeError(L, n, "number")
	}
	return f
}

func checkInt(L *lua.LState, n int) int { return int(toInt64(checkNumber(L, n))) }

func optInt(L *lua.LState, n, or int) int {
	if L.Get(n) == lua.LNil {
		return or
	}
	return checkInt(L, n)
}

func checkTable(L *lua.LState, n int) *lua.LTable {
	t, ok := L.Get(n).(*lua.LTable)
	if !ok {
		typeError(L, n, "table")
	}
	return t
}

func checkFunction(L *lua.LState, n int) *lua.LFunction {
	f, ok := L.Get(n).(*lua.LFunction)
	if !ok {
		typeError(L, n, "function")
	}
	return f
}

func push(L *lua.LState, values ...lua.LValue) int {
	for _, v := range values {
		L.Push(v)
	}
	return len(values)
}
