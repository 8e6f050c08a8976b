package lua

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) openBase() {
	g := s.globals
	g.RawSetString("_G", s.env)
	g.RawSetString("_VERSION", lua.LString("Lua 5.1"))
	next := s.lua.NewFunction(s.next)
	for name, f := range map[string]builtin{
		"assert": baseAssert, "collectgarbage": collectGarbage, "error": baseError, "gcinfo": gcInfo,
		"getmetatable": s.getMetatable, "ipairs": s.iPairs(), "load": s.load, "loadstring": s.loadString,
		"pairs":  func(L *lua.LState) int { return push(L, next, checkTable(L, 1), lua.LNil) },
		"pcall":  s.pcall,
		"xpcall": s.xpcall, "rawequal": rawEqual, "rawget": s.rawGet, "rawset": s.rawSet, "select": baseSelect,
		"setmetatable": s.setMetatable, "tonumber": s.toNumber, "tostring": s.toString, "type": typeOf, "unpack": s.unpack,
		concatName: s.concat, initialName: numberBound(initialName), limitName: numberBound(limitName), stepName: numberBound(stepName),
		moduloName: s.operator("__mod"), powerName: s.operator("__pow"),
	} {
		g.RawSetString(name, s.lua.NewFunction(f))
	}
	g.RawSetString("next", next)
}

func baseAssert(L *lua.LState) int {
	if !lua.LVAsBool(checkAny(L, 1)) {
		raise(L, optText(L, 2, "assertion failed!"))
	}
	return L.GetTop()
}

// collectGarbage says how much memory is in use; there is nothing to collect by hand.
func collectGarbage(L *lua.LState) int {
	switch opt := optText(L, 1, "collect"); opt {
	case "count":
		return push(L, lua.LNumber(kilobytes()))
	case "collect", "stop", "restart", "step", "setpause", "setstepmul":
		return push(L, lua.LNumber(0))
	default:
		argError(L, 1, fmt.Sprintf("invalid option '%s'", opt))
		return 0
	}
}

func gcInfo(L *lua.LState) int { return push(L, lua.LNumber(kilobytes())) }

func kilobytes() float64 { return float64(heap()) / 1024 }

// baseError throws a string, or a number as one, with the place of the function at a level; anything else as it is.
func baseError(L *lua.LState) int {
	v, level := L.Get(1), optInt(L, 2, 1)
	if text, ok := asText(v); ok && level > 0 {
		v = lua.LString(place(L, level) + text)
	}
	throw(L, v)
	return 0
}

// numberBound makes a bound of a loop a number.
func numberBound(name string) builtin {
	return func(L *lua.LState) int {
		f, ok := asNumber(L.Get(1))
		if !ok {
			raise(L, name+" must be a number")
		}
		return push(L, lua.LNumber(f))
	}
}

func baseSelect(L *lua.LState) int {
	n := L.GetTop()
	if L.Get(1) == lua.LString("#") {
		return push(L, lua.LNumber(n-1))
	}
	i := checkInt(L, 1)
	switch {
	case i < 0:
		i += n
	case i > n:
		i = n
	}
	if i < 1 {
		argError(L, 1, "index out of range")
	}
	return n - i
}

func (s *state) toNumber(L *lua.LState) int {
	base := optInt(L, 2, 10)
	if base == 10 {
		if f, ok := asNumber(checkAny(L, 1)); ok {
			return push(L, s.numbers.box(f))
		}
		return push(L, lua.LNil)
	}
	text := checkText(L, 1)
	if base < 2 || base > 36 {
		argError(L, 2, "base out of range")
	}
	if f, ok := parseBase(text, base); ok {
		return push(L, lua.LNumber(f))
	}
	return push(L, lua.LNil)
}

// parseBase reads as C's strtoul does, which wraps a negative number.
func parseBase(text string, base int) (float64, bool) {
	text = strings.Trim(cString(text), " \t\n\v\f\r")
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	if base == 16 && len(text) > 2 && strings.EqualFold(text[:2], "0x") {
		text = text[2:]
	}
	if text == "" {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(text) {
		d, ok := digit(c)
		if !ok || d >= base {
			return 0, false
		}
		if n > (1<<64-1-uint64(d))/uint64(base) {
			return 1 << 64, true
		}
		n = n*uint64(base) + uint64(d)
	}
	if negative {
		n = -n
	}
	return float64(n), true
}

func (s *state) toString(L *lua.LState) int { return push(L, lua.LString(s.text(L, checkAny(L, 1)))) }

// text writes any value as tostring does.
func (s *state) text(L *lua.LState, v lua.LValue) string {
	if meta := L.GetMetaField(v, "__tostring"); meta != lua.LNil {
		L.Push(meta)
		L.Push(v)
		s.invoke(L, 1, 1)
		got := L.Get(-1)
		L.Pop(1)
		text, ok := asText(got)
		if !ok {
			raise(L, "'tostring' must return a string to 'print'")
		}
		return text
	}
	if text, ok := asText(v); ok {
		return text
	}
	if v == s.null {
		return "userdata: (nil)"
	}
	if _, ok := v.(*lua.LFunction); ok && v.(*lua.LFunction).IsG {
		return fmt.Sprintf("function: builtin: %p", v)
	}
	return v.String()
}

func typeOf(L *lua.LState) int { return push(L, lua.LString(checkAny(L, 1).Type().String())) }

// maxStack is how many values a builtin of Lua 5.1 may have, its arguments and its results together.
const maxStack = 8000

// fits says whether a builtin may give n results.
func fits(L *lua.LState, n int) bool { return n <= maxStack-L.GetTop() }

func (s *state) unpack(L *lua.LState) int {
	t := s.behind(checkTable(L, 1))
	i, end := optInt(L, 2, 1), optInt(L, 3, t.Len())
	if i > end {
		return 0
	}
	if end-i < 0 || !fits(L, end-i+1) {
		raise(L, "too many results to unpack")
	}
	for k := i; k <= end; k++ {
		L.Push(t.RawGet(lua.LNumber(k)))
	}
	return end - i + 1
}
