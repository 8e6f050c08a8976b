package lua

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) openStruct() {
	s.library("struct", map[string]builtin{"pack": s.structPack, "unpack": s.structUnpack, "size": s.structSize})
}

func (s *state) structSize(L *lua.LState) int {
	l := s.newLayout(L)
	for {
		option, size, padding := l.next()
		switch {
		case option == 0:
			return push(L, lua.LNumber(l.total))
		case option == 's' || option == 'c' && size == 0:
			argError(L, 1, "option '"+string([]byte{option})+"' has no fixed size")
		}
		l.total += padding + size
	}
}

func (s *state) structPack(L *lua.LState) int {
	l := s.newLayout(L)
	L.Push(lua.LNil) // the argument that is missing, as messages call it
	var b []byte
	for arg := 2; ; {
		option, size, padding := l.next()
		if option == 0 {
			return push(L, lua.LString(b))
		}
		room(L, len(b)+size)
		b = append(b, make([]byte, padding)...)
		switch option {
		case 'x':
			b = append(b, 0)
		case 'f':
			b = l.bytes(b, uint64(math.Float32bits(float32(checkNumber(L, arg)))), 4)
		case 'd', 'n':
			b = l.bytes(b, math.Float64bits(checkNumber(L, arg)), 8)
		case 'c', 's':
			text := checkText(L, arg)
			room(L, len(b)+len(text))
			if size == 0 {
				size = len(text)
			}
			if len(text) < size {
				argError(L, arg+1, "string too short") // as the library counts
			}
			b = append(b, text[:size]...)
			if option == 's' {
				b = append(b, 0)
			}
		default:
			f := checkNumber(L, arg)
			n := toUint64(f)
			b = l.bytes(b, n, size)
		}
		if option != 'x' {
			arg++
		}
		l.total = len(b)
	}
}

func (s *state) structUnpack(L *lua.LState) int {
	l := s.newLayout(L)
	data, at := checkText(L, 2), optInt(L, 3, 1)-1
	if at < 0 {
		argError(L, 3, "offset must be 1 or greater")
	}
	n := 0
	for {
		l.total = at
		option, size, padding := l.next()
		if option == 0 {
			return n + push(L, lua.LNumber(at+1))
		}
		at += padding
		if at > len(data) || size > len(data)-at {
			argError(L, 2, "data string too short")
		}
		if !fits(L, 2) {
			raise(L, "stack overflow (too many results)")
		}
		var v lua.LValue
		switch field := data[at : at+size]; option {
		case 'x':
			at++
			continue
		case 'f':
			v = lua.LNumber(math.Float32frombits(uint32(l.uint(field))))
		case 'd', 'n':
			v = lua.LNumber(math.Float64frombits(l.uint(field)))
		case 'c':
			if size == 0 {
				v, size, n = l.counted(data[at:], n)
			} else {
				v = lua.LString(field)
			}
		case 's':
			text, _, found := strings.Cut(data[at:], "\x00")
			if !found {
				argError(L, 2, "unfinished string in data")
			}
			v, size = lua.LString(text), len(text)+1
		default:
			v = lua.LNumber(l.integer(option, field))
		}
		at += size
		L.Push(v)
		n++
	}
}

// counted takes the length of a string from the value before it.
func (l *layout) counted(data string, n int) (v lua.LValue, size, left int) {
	length, ok := l.lua.Get(-1).(lua.LNumber)
	if n == 0 || !ok {
		raise(l.lua, "format 'c0' needs a previous size")
	}
	if size = int(toInt64(float64(length))); size < 0 || size > len(data) {
		argError(l.lua, 2, "data string too short")
	}
	l.lua.Pop(1)
	return lua.LString(data[:size]), size, n - 1
}
