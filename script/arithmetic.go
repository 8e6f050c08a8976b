package script

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

var arithmetic = map[string]func(a, b float64) float64{
	"__add": func(a, b float64) float64 { return a + b },
	"__sub": func(a, b float64) float64 { return a - b },
	"__mul": func(a, b float64) float64 { return a * b },
	"__div": func(a, b float64) float64 { return a / b },
	"__mod": modulo,
	"__pow": math.Pow,
	"__unm": func(a, _ float64) float64 { return -a },
}

// modulo has the sign of b.
func modulo(a, b float64) float64 { return a - math.Floor(a/b)*b }

// coerce makes arithmetic on strings that are numbers read them as Lua does; the interpreter would take them for literals of
// Go. It does so by metamethods of strings, which come before those of the other operand: these have to be called from here.
func (s *state) coerce(meta *lua.LTable) {
	for event, f := range arithmetic {
		meta.RawSetString(event, s.lua.NewFunction(func(L *lua.LState) int {
			left, right := L.Get(1), L.Get(2)
			if event == "__unm" {
				right = left
			}
			a, ok := asNumber(left)
			b, also := asNumber(right)
			if ok && also {
				return push(L, lua.LNumber(f(a, b)))
			}
			if other := otherThanText(left, right); other != lua.LNil {
				if m := L.GetMetaField(other, event); m != lua.LNil {
					return callWith(L, m, left, right)
				}
			}
			bad := left
			if ok {
				bad = right
			}
			raise(L, "attempt to perform arithmetic on a "+bad.Type().String()+" value")
			return 0
		}))
	}
}

func otherThanText(values ...lua.LValue) lua.LValue {
	for _, v := range values {
		if _, ok := asText(v); !ok {
			return v
		}
	}
	return lua.LNil
}

// callWith calls f for its one result.
func callWith(L *lua.LState, f lua.LValue, args ...lua.LValue) int {
	L.Push(f)
	push(L, args...)
	L.Call(len(args), 1)
	return 1
}
