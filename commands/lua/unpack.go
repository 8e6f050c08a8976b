package lua

import (
	"fmt"
	"math"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) unpackAll(L *lua.LState) int {
	u := s.unpacker(L, checkText(L, 1), 0)
	n := 0
	for ; len(u.rest) > 0; n++ {
		roomForValue(L, 1)
		L.Push(u.value(0))
	}
	return n
}

func roomForValue(L *lua.LState, n int) {
	if !fits(L, n) {
		raise(L, "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)")
	}
}

func (s *state) unpackOne(L *lua.LState) int { return s.unpackSome(L, 1, optInt(L, 2, 0)) }

func (s *state) unpackLimit(L *lua.LState) int {
	return s.unpackSome(L, checkInt(L, 2), optInt(L, 3, 0))
}

// unpackSome gives the offset of what is left, or -1, and then the values.
func (s *state) unpackSome(L *lua.LState, limit, offset int) int {
	text := checkText(L, 1)
	switch {
	case offset < 0 || limit < 0:
		raise(L, fmt.Sprintf("Invalid request to unpack with offset of %d and limit of %d.", offset, len(text)))
	case offset > len(text):
		raise(L, fmt.Sprintf("Start offset %d greater than input length %d.", offset, len(text)))
	}
	u := s.unpacker(L, text, offset)
	L.Push(lua.LNil)
	at, n := L.GetTop(), 0
	for ; len(u.rest) > 0 && n < limit; n++ {
		roomForValue(L, 0) // nil has taken it
		L.Push(u.value(0))
	}
	left := lua.LNumber(-1)
	if len(u.rest) > 0 {
		left = lua.LNumber(len(text) - len(u.rest))
	}
	L.Replace(at, left)
	return n + 1
}

type unpacker struct {
	s    *state
	lua  *lua.LState
	rest string
}

func (s *state) unpacker(L *lua.LState, text string, offset int) *unpacker {
	return &unpacker{s: s, lua: L, rest: text[offset:]}
}

func (u *unpacker) take(n int) string {
	if n > len(u.rest) {
		raise(u.lua, "Missing bytes in input.")
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) uint(size int) uint64 {
	var n uint64
	for _, c := range []byte(u.take(size)) {
		n = n<<8 | uint64(c)
	}
	return n
}

// maxUnpackDepth is about where Lua's stack would end.
const maxUnpackDepth = 1000

func (u *unpacker) list(n, depth int) lua.LValue {
	t := u.lua.NewTable()
	for i := 1; i <= n; i++ {
		t.RawSetInt(i, u.value(depth+1))
	}
	return t
}

func (u *unpacker) mapping(n, depth int) lua.LValue {
	t := u.lua.NewTable()
	for range n {
		k := u.value(depth + 1)
		u.lua.RawSet(t, k, u.value(depth+1))
	}
	return t
}

func (u *unpacker) value(depth int) lua.LValue {
	if depth > maxUnpackDepth {
		raise(u.lua, "Bad data format in input.")
	}
	u.s.check(u.lua)
	c := u.take(1)[0]
	switch {
	case c < 0x80 || c >= 0xe0:
		return lua.LNumber(int8(c))
	case c < 0x90:
		return u.mapping(int(c&15), depth)
	case c < 0xa0:
		return u.list(int(c&15), depth)
	case c < 0xc0:
		return lua.LString(u.take(int(c & 31)))
	}
	switch c {
	case 0xc0:
		return lua.LNil
	case 0xc2, 0xc3:
		return lua.LBool(c == 0xc3)
	case 0xca:
		return lua.LNumber(math.Float32frombits(uint32(u.uint(4))))
	case 0xcb:
		return lua.LNumber(math.Float64frombits(u.uint(8)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		return lua.LNumber(u.uint(1 << (c - 0xcc)))
	case 0xd0:
		return lua.LNumber(int8(u.uint(1)))
	case 0xd1:
		return lua.LNumber(int16(u.uint(2)))
	case 0xd2:
		return lua.LNumber(int32(u.uint(4)))
	case 0xd3:
		return lua.LNumber(int64(u.uint(8)))
	case 0xc4, 0xc5, 0xc6:
		return lua.LString(u.take(int(u.uint(1 << (c - 0xc4)))))
	case 0xd9, 0xda, 0xdb:
		return lua.LString(u.take(int(u.uint(1 << (c - 0xd9)))))
	case 0xdc, 0xdd:
		return u.list(int(u.uint(2<<(c-0xdc))), depth)
	case 0xde, 0xdf:
		return u.mapping(int(u.uint(2<<(c-0xde))), depth)
	}
	raise(u.lua, "Bad data format in input.")
	return nil
}
