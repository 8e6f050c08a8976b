package lua

import (
	"math"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

var arithmetic = map[string]func(a, b float64) float64{
	"__add": func(a, b float64) float64 { return a + b },
	"__sub": func(a, b float64) float64 { return a - b },
	"__mul": func(a, b float64) float64 { return a * b },
	"__div": func(a, b float64) float64 { return a / b },
	"__mod": modulo,
	"__pow": power,
	"__unm": func(a, _ float64) float64 { return -a },
}

// modulo has the sign of b. It is Lua 5.1's formula, also where that is not exact.
func modulo(a, b float64) float64 { return a - float64(math.Floor(a/b)*b) }

func power(a, b float64) float64 { return invalid(math.Pow(a, b), a, b) }

// invalid gives the result of an operation the sign that x86-64 gives to what is no number though its operands are.
func invalid(f float64, operands ...float64) float64 {
	if math.IsNaN(f) && !slices.ContainsFunc(operands, math.IsNaN) {
		return math.Copysign(f, -1)
	}
	return f
}

// coerce makes arithmetic on strings that are numbers read them as Lua does; the interpreter would take them for literals of
// Go. It does so by metamethods of strings, which come before those of the other operand: these have to be called from here.
func (s *state) coerce(meta *lua.LTable) {
	for event := range arithmetic {
		meta.RawSetString(event, s.lua.NewFunction(s.operator(event)))
	}
}

// operator is that of an event on any two operands.
func (s *state) operator(event string) builtin {
	compute := arithmetic[event]
	return func(L *lua.LState) int {
		left, right := L.Get(1), L.Get(2)
		if event == "__unm" {
			right = left
		}
		a, ok := asNumber(left)
		b, also := asNumber(right)
		if ok && also {
			return push(L, lua.LNumber(compute(a, b)))
		}
		for _, operand := range []lua.LValue{left, right} {
			if _, text := asText(operand); text {
				continue
			}
			if m := L.GetMetaField(operand, event); m != lua.LNil {
				return s.callWith(L, m, left, right)
			}
		}
		bad := left
		if ok {
			bad = right
		}
		raise(L, "attempt to perform arithmetic on a "+bad.Type().String()+" value")
		return 0
	}
}

// callWith calls f for its one result.
func (s *state) callWith(L *lua.LState, f lua.LValue, args ...lua.LValue) int {
	L.Push(f)
	push(L, args...)
	s.invoke(L, len(args), 1)
	return 1
}
