package lua

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// maxPackDepth is how deep tables are packed; what is below is nil, as in Redis.
const maxPackDepth = 16

// openMsgpack brings lua-cmsgpack. Libraries of Go for MessagePack make other choices of which number becomes which type.
func (s *state) openMsgpack() {
	t := s.library("cmsgpack", map[string]builtin{
		"pack": s.pack, "unpack": s.unpackAll, "unpack_one": s.unpackOne, "unpack_limit": s.unpackLimit,
	})
	t.RawSetString("_NAME", lua.LString("cmsgpack"))
	t.RawSetString("_VERSION", lua.LString("lua-cmsgpack 0.4.0"))
	t.RawSetString("_COPYRIGHT", lua.LString("Copyright (C) 2012, Salvatore Sanfilippo"))
	t.RawSetString("_DESCRIPTION", lua.LString("MessagePack C implementation for Lua"))
}

func (s *state) pack(L *lua.LState) int {
	n := L.GetTop()
	if n == 0 {
		argError(L, 0, "MessagePack pack needs input.")
	}
	p := packer{s: s, lua: L}
	for i := 1; i <= n; i++ {
		p.value(L.Get(i), 0)
	}
	return push(L, lua.LString(p.buf))
}

type packer struct {
	s   *state
	lua *lua.LState
	buf []byte
}

func (p *packer) value(v lua.LValue, depth int) {
	p.s.spend(p.lua, 1)
	room(p.lua, len(p.buf))
	switch v := v.(type) {
	case lua.LString:
		room(p.lua, len(p.buf)+len(v))
		p.head(len(v), 0xa0, 31, 0xd9, 0xda, 0xdb)
		p.buf = append(p.buf, v...)
	case lua.LBool:
		p.buf = append(p.buf, 0xc2)
		if v {
			p.buf[len(p.buf)-1]++
		}
	case lua.LNumber:
		p.number(float64(v))
	case *lua.LTable:
		if depth == maxPackDepth {
			p.buf = append(p.buf, 0xc0)
			return
		}
		p.s.check(p.lua)
		p.table(p.s.behind(v), depth+1)
	default:
		p.buf = append(p.buf, 0xc0)
	}
}

// head writes a length in the shortest form; a form of 0 is not there.
func (p *packer) head(n int, fix byte, most int, b8, b16, b32 byte) {
	switch {
	case n <= most:
		p.buf = append(p.buf, fix|byte(n))
	case n <= math.MaxUint8 && b8 != 0:
		p.buf = append(p.buf, b8, byte(n))
	case n <= math.MaxUint16:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, b16), uint16(n))
	default:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, b32), uint32(n))
	}
}

func (p *packer) number(f float64) {
	n := toInt64(f)
	switch {
	case float64(n) != f:
		if f32 := float32(f); float64(f32) == f {
			p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xca), math.Float32bits(f32))
		} else {
			p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xcb), math.Float64bits(f))
		}
	case n >= 0 && n <= math.MaxUint32:
		p.head(int(n), 0, 127, 0xcc, 0xcd, 0xce)
	case n >= 0:
		p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xcf), uint64(n))
	case n >= -32:
		p.buf = append(p.buf, byte(n))
	case n >= math.MinInt8:
		p.buf = append(p.buf, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, 0xd1), uint16(n))
	case n >= math.MinInt32:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xd2), uint32(n))
	default:
		p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xd3), uint64(n))
	}
}

func (p *packer) table(t *lua.LTable, depth int) {
	if p.isList(t) {
		n := t.Len()
		p.head(n, 0x90, 15, 0, 0xdc, 0xdd)
		for i := 1; i <= n; i++ {
			p.value(t.RawGetInt(i), depth)
		}
		return
	}
	p.head(size(t), 0x80, 15, 0, 0xde, 0xdf)
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		p.value(k, depth)
		p.value(v, depth)
	}
}

// isList says whether the keys are 1 to n.
func (p *packer) isList(t *lua.LTable) bool {
	most, n := 0.0, 0
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		p.s.spend(p.lua, 1)
		f, ok := k.(lua.LNumber)
		if !ok || f <= 0 || f != lua.LNumber(int32(f)) {
			return false
		}
		most = max(most, float64(f))
		n++
	}
	return most == float64(n)
}
