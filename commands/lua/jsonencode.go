package lua

import (
	"fmt"
	"math"

	lua "github.com/yuin/gopher-lua"
)

type jsonEncoder struct {
	s   *state
	lua *lua.LState
	buf []byte
}

func (s *state) jsonEncode(L *lua.LState) int {
	if L.GetTop() != 1 {
		argError(L, 1, "expected 1 argument")
	}
	e := jsonEncoder{s: s, lua: L}
	e.value(L.Get(1), 0)
	return push(L, lua.LString(e.buf))
}

func (e *jsonEncoder) refuse(v lua.LValue, why string) {
	raise(e.lua, "Cannot serialise "+v.Type().String()+": "+why)
}

func (e *jsonEncoder) value(v lua.LValue, depth int) {
	room(e.lua, len(e.buf))
	e.s.spend(e.lua, 1)
	switch v := v.(type) {
	case lua.LString:
		e.string(string(v))
	case lua.LNumber:
		e.number(v)
	case lua.LBool, *lua.LNilType:
		if v == lua.LNil {
			e.buf = append(e.buf, "null"...)
		} else {
			e.buf = append(e.buf, v.String()...)
		}
	case *lua.LTable:
		e.table(e.s.behind(v), depth+1)
	default:
		if v != e.s.null {
			e.refuse(v, "type not supported")
		}
		e.buf = append(e.buf, "null"...)
	}
}

func (e *jsonEncoder) table(t *lua.LTable, depth int) {
	if depth > e.s.json.encodeDepth {
		raise(e.lua, fmt.Sprintf("Cannot serialise, excessive nesting (%d)", depth))
	}
	e.s.check(e.lua)
	if n := e.arrayLength(t); n > 0 {
		e.array(t, n, depth)
	} else {
		e.object(t, depth)
	}
}

// arrayLength is that of a table all of whose keys are positive integers. An empty one has none, nor has any other. As in C
// a key beyond 32 bits becomes the least integer.
func (e *jsonEncoder) arrayLength(t *lua.LTable) int {
	most, items := 0, 0
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		e.s.spend(e.lua, 1)
		n, ok := k.(lua.LNumber)
		if !ok || float64(n) != math.Floor(float64(n)) || n < 1 {
			return -1
		}
		if float64(n) > float64(most) {
			most = int(toInt32(float64(n)))
		}
		items++
	}
	o := &e.s.json
	if o.sparseRatio > 0 && most > items*o.sparseRatio && most > o.sparseSafe {
		if !o.sparseConvert {
			e.refuse(t, "excessively sparse array")
		}
		return -1
	}
	return most
}

func (e *jsonEncoder) array(t *lua.LTable, n, depth int) {
	e.buf = append(e.buf, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			e.buf = append(e.buf, ',')
		}
		e.value(t.RawGet(lua.LNumber(i)), depth)
	}
	e.buf = append(e.buf, ']')
}

func (e *jsonEncoder) object(t *lua.LTable, depth int) {
	e.buf = append(e.buf, '{')
	first := true
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		switch k := k.(type) {
		case lua.LNumber:
			e.buf = append(e.buf, '"')
			e.number(k)
			e.buf = append(e.buf, '"')
		case lua.LString:
			e.string(string(k))
		default:
			e.refuse(k, "table key must be a number or string")
		}
		e.buf = append(e.buf, ':')
		e.value(v, depth)
	}
	e.buf = append(e.buf, '}')
}

func (e *jsonEncoder) number(n lua.LNumber) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		switch {
		case e.s.json.encodeInvalid == off:
			e.refuse(n, "must not be NaN or Inf")
		case e.s.json.encodeInvalid == asNull:
			e.buf = append(e.buf, "null"...)
			return
		case math.IsNaN(f):
			e.buf = append(e.buf, "nan"...)
			return
		}
	}
	e.buf = append(e.buf, formatG(f, e.s.json.precision)...)
}

func (e *jsonEncoder) string(text string) {
	e.buf = append(e.buf, '"')
	for i := range len(text) {
		if i%spendToCheck == 0 {
			e.s.check(e.lua)
			room(e.lua, len(e.buf))
		}
		switch c := text[i]; c {
		case '"', '\\', '/':
			e.buf = append(e.buf, '\\', c)
		case '\b':
			e.buf = append(e.buf, `\b`...)
		case '\t':
			e.buf = append(e.buf, `\t`...)
		case '\n':
			e.buf = append(e.buf, `\n`...)
		case '\f':
			e.buf = append(e.buf, `\f`...)
		case '\r':
			e.buf = append(e.buf, `\r`...)
		default:
			if c < 32 || c == 127 {
				e.buf = fmt.Appendf(e.buf, `\u%04x`, c)
			} else {
				e.buf = append(e.buf, c)
			}
		}
	}
	e.buf = append(e.buf, '"')
}
