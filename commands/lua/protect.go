package lua

import (
	"errors"
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// pcall catches what a function throws. An error of a command is a table, of which the script gets the text, as in Redis.
func (s *state) pcall(L *lua.LState) int {
	if v := checkAny(L, 1); !callable(L, v) {
		return push(L, lua.LFalse, lua.LString("attempt to call a "+v.Type().String()+" value"))
	}
	if err := s.try(L, L.GetTop()-1, nil); err != nil {
		v := s.thrown(err)
		if t, ok := v.(*lua.LTable); ok {
			if text, ok := asText(t.RawGetString("err")); ok {
				v = lua.LString(text)
			}
		}
		return push(L, lua.LFalse, v)
	}
	L.Insert(lua.LTrue, 1)
	return L.GetTop()
}

// xpcall is pcall of a function without arguments, with a handler that sees what was thrown.
func (s *state) xpcall(L *lua.LState) int {
	f, handler := L.Get(1), checkAny(L, 2)
	if !callable(L, f) {
		return push(L, lua.LFalse, lua.LString("attempt to call a "+f.Type().String()+" value"))
	}
	L.SetTop(2)
	L.Push(f)
	translate := func(L *lua.LState, v lua.LValue) lua.LValue {
		L.Push(handler)
		L.Push(s.words(v))
		s.invoke(L, 1, 1)
		return L.Get(-1)
	}
	if err := s.try(L, 0, translate); err != nil {
		return push(L, lua.LFalse, s.thrown(err))
	}
	L.Insert(lua.LTrue, 3)
	return L.GetTop() - 2
}

func callable(L *lua.LState, v lua.LValue) bool {
	return v.Type() == lua.LTFunction || L.GetMetaField(v, "__call").Type() == lua.LTFunction
}

// thrown is the value of an error.
func (s *state) thrown(err error) lua.LValue {
	var api *lua.ApiError
	if !errors.As(err, &api) {
		return lua.LString(err.Error())
	}
	if api.Type == lua.ApiErrorPanic {
		s.used = true
		if strings.Contains(api.Object.String(), "overflow") {
			return lua.LString("stack overflow")
		}
	}
	return s.words(api.Object)
}

// words puts what the interpreter itself throws into the words of Lua 5.1, as far as they are known to it.
func (s *state) words(v lua.LValue) lua.LValue {
	text, ok := v.(lua.LString)
	if !ok {
		return v
	}
	if parts := placed.FindStringSubmatch(string(text)); parts != nil {
		if better, ok := rephrase(parts[2]); ok {
			return lua.LString(parts[1] + better)
		}
	}
	return v
}

// placed is an error of the interpreter with "source:line: " before it.
var placed = regexp.MustCompile(`(?s)^(.{0,99}?:\d+: )((?:attempt to|cannot perform|__len|__unm) .*)$`)

func rephrase(msg string) (string, bool) {
	if rest, ok := strings.CutPrefix(msg, "attempt to index a non-table object("); ok {
		kind, _, _ := strings.Cut(rest, ")")
		return "attempt to index a " + kind + " value", true
	}
	if rest, ok := strings.CutPrefix(msg, "cannot perform "); ok {
		if _, operands, ok := strings.Cut(rest, " operation between "); ok {
			left, right, _ := strings.Cut(operands, " and ")
			if left == "number" {
				left = right
			}
			return "attempt to perform arithmetic on a " + left + " value", true
		}
	}
	if rest, ok := strings.CutPrefix(msg, "attempt to compare "); ok {
		if left, right, _ := strings.Cut(rest, " with "); left == right {
			return "attempt to compare two " + left + " values", true
		}
	}
	for _, pair := range [][2]string{
		{"attempt to call a non-function object", "attempt to call a nil value"}, // what else it could be is not known, and seldom
		{"__len undefined", "attempt to get length of a nil value"},
		{"__unm undefined", "attempt to perform arithmetic on a nil value"},
	} {
		if msg == pair[0] {
			return pair[1], true
		}
	}
	return "", false
}
