package lua

import (
	"bytes"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// fromReply makes a value of Lua of a reply in RESP, and gives what is behind it.
func (s *state) fromReply(L *lua.LState, raw []byte) (lua.LValue, []byte) {
	s.spend(L, 1)
	end := bytes.IndexByte(raw, '\r')
	if end < 1 {
		return lua.LNil, nil
	}
	mark, line, rest := raw[0], raw[1:end], raw[end+2:]
	switch mark {
	case ':':
		n, _ := strconv.ParseInt(string(line), 10, 64) // the server wrote it
		return s.numbers.box(float64(n)), rest
	case '+':
		return field(L, "ok", lua.LString(line)), rest
	case '-':
		t := errorTable(L, string(line))
		t.RawSetString("ignore_error_stats_update", lua.LTrue)
		return t, rest
	case '_':
		return lua.LNil, rest
	case '#':
		return lua.LBool(string(line) == "t"), rest
	case ',':
		f, _ := strconv.ParseFloat(string(line), 64) // the server wrote it
		return field(L, "double", lua.LNumber(f)), rest
	case '(':
		return field(L, "big_number", lua.LString(line)), rest
	}
	n, err := strconv.Atoi(string(line))
	switch {
	case err != nil:
		return lua.LNil, nil
	case n < 0:
		return lua.LFalse, rest
	case mark == '$':
		return lua.LString(rest[:n]), rest[n+2:]
	case mark == '=':
		t := L.NewTable()
		t.RawSetString("format", lua.LString(rest[:3]))
		t.RawSetString("string", lua.LString(rest[4:n]))
		return field(L, "verbatim_string", t), rest[n+2:]
	}
	return s.fromAggregate(L, mark, n, rest)
}

func field(L *lua.LState, name string, v lua.LValue) *lua.LTable {
	t := L.CreateTable(0, 1)
	t.RawSetString(name, v)
	return t
}

func (s *state) fromAggregate(L *lua.LState, mark byte, n int, rest []byte) (lua.LValue, []byte) {
	t := L.CreateTable(n, 0)
	var k, v lua.LValue
	switch mark {
	case '%':
		for range n {
			k, rest = s.fromReply(L, rest)
			v, rest = s.fromReply(L, rest)
			L.RawSet(t, k, v)
		}
		return field(L, "map", t), rest
	case '~':
		for range n {
			k, rest = s.fromReply(L, rest)
			L.RawSet(t, k, lua.LTrue)
		}
		return field(L, "set", t), rest
	}
	for i := range n {
		v, rest = s.fromReply(L, rest)
		t.RawSetInt(i+1, v)
	}
	return t, rest
}
