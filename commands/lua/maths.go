package lua

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) openMath() {
	inC := func(f func(float64) float64) builtin {
		return func(L *lua.LState) int {
			x := checkNumber(L, 1)
			return push(L, lua.LNumber(invalid(f(x), x)))
		}
	}
	one := func(f func(float64) float64) builtin {
		return func(L *lua.LState) int { return push(L, lua.LNumber(f(checkNumber(L, 1)))) }
	}
	two := func(f func(a, b float64) float64) builtin {
		return func(L *lua.LState) int {
			a, b := checkNumber(L, 1), checkNumber(L, 2)
			return push(L, lua.LNumber(invalid(f(a, b), a, b)))
		}
	}
	t := s.library("math", map[string]builtin{
		"abs": one(math.Abs), "acos": one(math.Acos), "asin": one(math.Asin), "atan": one(math.Atan), "ceil": one(math.Ceil),
		"cos": inC(math.Cos), "cosh": one(math.Cosh), "exp": one(math.Exp), "floor": one(math.Floor), "log": inC(math.Log),
		"log10": one(math.Log10), "sin": inC(math.Sin), "sinh": one(math.Sinh), "sqrt": one(math.Sqrt), "tan": inC(math.Tan),
		"tanh":  one(math.Tanh),
		"deg":   one(func(x float64) float64 { return x / (math.Pi / 180) }),
		"rad":   one(func(x float64) float64 { return x * (math.Pi / 180) }),
		"atan2": two(math.Atan2), "fmod": two(math.Mod), "mod": two(math.Mod), "pow": two(math.Pow),
		"frexp": func(L *lua.LState) int {
			f, e := math.Frexp(checkNumber(L, 1))
			return push(L, lua.LNumber(f), lua.LNumber(e))
		},
		"ldexp": func(L *lua.LState) int { return push(L, lua.LNumber(math.Ldexp(checkNumber(L, 1), checkInt(L, 2)))) },
		"modf": func(L *lua.LState) int {
			f := checkNumber(L, 1)
			whole, part := math.Modf(f)
			if math.IsInf(f, 0) {
				part = math.Copysign(0, f)
			}
			return push(L, lua.LNumber(whole), lua.LNumber(part))
		},
		"max":    extreme(func(a, b float64) bool { return a > b }),
		"min":    extreme(func(a, b float64) bool { return a < b }),
		"random": s.random,
		"randomseed": func(L *lua.LState) int {
			s.dice = seeded(int32(checkInt(L, 1)))
			return 0
		},
	})
	t.RawSetString("pi", lua.LNumber(math.Pi))
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
}

func extreme(beats func(a, b float64) bool) builtin {
	return func(L *lua.LState) int {
		best := checkNumber(L, 1)
		for i := 2; i <= L.GetTop(); i++ {
			if f := checkNumber(L, i); beats(f, best) {
				best = f
			}
		}
		return push(L, lua.LNumber(best))
	}
}

// firstDice is where drand48 begins that has had no seed.
const firstDice = 0x1234abcd330e

// seeded is where it begins with one.
func seeded(seed int32) uint64 { return uint64(uint32(seed))<<16 + 0x330e }

// random is Redis's: drand48, from the same state at every start of a server.
func (s *state) random(L *lua.LState) int {
	s.dice = (s.dice*0x5deece66d + 0xb) & (1<<48 - 1)
	r := float64(int32(s.dice>>17)%math.MaxInt32) / math.MaxInt32
	lo, hi := 1, 0
	switch L.GetTop() {
	case 0:
		return push(L, lua.LNumber(r))
	case 1:
		hi = checkInt(L, 1)
	case 2:
		lo, hi = checkInt(L, 1), checkInt(L, 2)
	default:
		raise(L, "wrong number of arguments")
	}
	if lo > hi {
		argError(L, L.GetTop(), "interval is empty")
	}
	return push(L, lua.LNumber(math.Floor(r*float64(hi-lo+1))+float64(lo)))
}
