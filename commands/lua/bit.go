package lua

import (
	"math"
	"math/bits"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// openBit brings Mike Pall's BitOp: numbers as 32 signed bits.
func (s *state) openBit() {
	fold := func(f func(a, b uint32) uint32) builtin {
		return func(L *lua.LState) int {
			v := checkBits(L, 1)
			for i := 2; i <= L.GetTop(); i++ {
				v = f(v, checkBits(L, i))
			}
			return pushBits(L, v)
		}
	}
	shift := func(f func(v, n uint32) uint32) builtin {
		return func(L *lua.LState) int { return pushBits(L, f(checkBits(L, 1), checkBits(L, 2)&31)) }
	}
	s.library("bit", map[string]builtin{
		"band": fold(func(a, b uint32) uint32 { return a & b }), "bor": fold(func(a, b uint32) uint32 { return a | b }),
		"bxor":   fold(func(a, b uint32) uint32 { return a ^ b }),
		"tobit":  func(L *lua.LState) int { return pushBits(L, checkBits(L, 1)) },
		"bnot":   func(L *lua.LState) int { return pushBits(L, ^checkBits(L, 1)) },
		"bswap":  func(L *lua.LState) int { return pushBits(L, bits.ReverseBytes32(checkBits(L, 1))) },
		"lshift": shift(func(v, n uint32) uint32 { return v << n }), "rshift": shift(func(v, n uint32) uint32 { return v >> n }),
		"arshift": shift(func(v, n uint32) uint32 { return uint32(int32(v) >> n) }),
		"rol":     shift(func(v, n uint32) uint32 { return bits.RotateLeft32(v, int(n)) }),
		"ror":     shift(func(v, n uint32) uint32 { return bits.RotateLeft32(v, -int(n)) }),
		"tohex":   toHex,
	})
}

// checkBits rounds to an integer and takes its lower 32 bits: 2^52 + 2^51 moves them to where they can be read.
func checkBits(L *lua.LState, n int) uint32 {
	return uint32(math.Float64bits(checkNumber(L, n) + (1<<52 + 1<<51)))
}

func pushBits(L *lua.LState, v uint32) int { return push(L, lua.LNumber(int32(v))) }

func toHex(L *lua.LState) int {
	v, n, digits := checkBits(L, 1), int32(8), "0123456789abcdef"
	if L.Get(2) != lua.LNil {
		n = int32(checkBits(L, 2))
	}
	if n < 0 {
		n, digits = -n, strings.ToUpper(digits)
	}
	if n < 0 || n > 8 {
		n = 8
	}
	b := make([]byte, n)
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[v&15]
		v >>= 4
	}
	return push(L, lua.LString(b))
}
