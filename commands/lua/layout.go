package lua

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// layout reads a format of Roberto Ierusalimschy's struct library, on a machine of 64 bits.
type layout struct {
	s      *state
	lua    *lua.LState
	format string
	at     int
	order  binary.ByteOrder
	align  int // greatest
	total  int
}

func (s *state) newLayout(L *lua.LState) *layout {
	return &layout{s: s, lua: L, format: checkText(L, 1), order: binary.LittleEndian, align: 1}
}

// next gives the next option that takes room, its size, and how many bytes come before it to align it; 0: the end.
func (l *layout) next() (option byte, size, padding int) {
	for l.at < len(l.format) {
		l.s.spend(l.lua, 1)
		c := l.format[l.at]
		l.at++
		if size, ok := l.size(c); ok {
			return c, size, l.padding(c, size)
		}
		switch c {
		case ' ':
		case '>':
			l.order = binary.BigEndian
		case '<':
			l.order = binary.LittleEndian
		case '!':
			l.align = l.number(16)
			if l.align == 0 || l.align&(l.align-1) != 0 {
				raise(l.lua, "alignment is not a power of 2")
			}
		default:
			argError(l.lua, 1, "invalid format option '"+string([]byte{c})+"'")
		}
	}
	return 0, 0, 0
}

func (l *layout) size(c byte) (int, bool) {
	switch c {
	case 'b', 'B', 'x':
		return 1, true
	case 'h', 'H':
		return 2, true
	case 'l', 'L', 'T', 'd', 'n':
		return 8, true
	case 'f':
		return 4, true
	case 'c':
		return l.number(1), true
	case 's':
		return 0, true
	case 'i', 'I':
		n := l.number(4)
		if n > 32 {
			raise(l.lua, numberText(float64(n))+"-byte integers are too large: limit is 32") // as the library says
		}
		return n, true
	}
	return 0, false
}

func (l *layout) number(or int) int {
	if l.at >= len(l.format) || !isDigit(l.format[l.at]) {
		return or
	}
	n := 0
	for ; l.at < len(l.format) && isDigit(l.format[l.at]); l.at++ {
		if n = 10*n + int(l.format[l.at]-'0'); n > math.MaxInt32 {
			raise(l.lua, "integral size overflow")
		}
	}
	return n
}

func (l *layout) padding(c byte, size int) int {
	if size == 0 || c == 'c' || c == 'x' || c == 's' {
		return 0
	}
	if size = min(size, l.align); size > 1 {
		return (size - l.total&(size-1)) & (size - 1)
	}
	return 0
}

// bytes appends the lower bytes of n; beyond its 8 there are zeros.
func (l *layout) bytes(b []byte, n uint64, size int) []byte {
	from := len(b)
	b = append(b, make([]byte, size)...)
	for i := range min(size, 8) {
		at := from + i
		if l.order == binary.ByteOrder(binary.BigEndian) {
			at = from + size - 1 - i
		}
		b[at] = byte(n >> (8 * i))
	}
	return b
}

func (l *layout) uint(field string) uint64 {
	var n uint64
	for i := range min(len(field), 8) {
		at := i
		if l.order == binary.ByteOrder(binary.BigEndian) {
			at = len(field) - 1 - i
		}
		n |= uint64(field[at]) << (8 * i)
	}
	return n
}

// integer of a lower-case option has a sign.
func (l *layout) integer(option byte, field string) float64 {
	n := l.uint(field)
	if option < 'a' {
		return float64(n)
	}
	if shift := 64 - 8*min(len(field), 8); shift < 64 {
		return float64(int64(n<<shift) >> shift)
	}
	return 0
}
