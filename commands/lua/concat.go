package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// concat joins strings and numbers from the right, as .. does.
func (s *state) concat(L *lua.LState) int {
	n := L.GetTop()
	right := L.Get(n)
	for i := n - 1; i > 0; i-- {
		left := L.Get(i)
		if _, ok := asText(left); ok {
			if _, ok = asText(right); ok {
				i -= joinable(L, i, &right)
				continue
			}
		}
		right = s.metaConcat(L, left, right)
	}
	return push(L, right)
}

// joinable joins the operands up to i that are texts, as many as there are, to right; how many beyond the i-th.
func joinable(L *lua.LState, i int, right *lua.LValue) int {
	last, _ := asText(*right)
	from, size := i, len(last)
	for from > 0 {
		text, ok := asText(L.Get(from))
		if !ok {
			break
		}
		size += len(text)
		from--
	}
	room(L, size)
	var b strings.Builder
	b.Grow(size)
	for k := from + 1; k <= i; k++ {
		text, _ := asText(L.Get(k))
		b.WriteString(text)
	}
	b.WriteString(last)
	*right = lua.LString(b.String())
	return i - from - 1
}

func (s *state) metaConcat(L *lua.LState, left, right lua.LValue) lua.LValue {
	meta := L.GetMetaField(left, "__concat")
	if meta == lua.LNil {
		meta = L.GetMetaField(right, "__concat")
	}
	if meta == lua.LNil {
		bad := left
		if _, ok := asText(left); ok {
			bad = right
		}
		raise(L, "attempt to concatenate a "+bad.Type().String()+" value")
	}
	L.Push(meta)
	L.Push(left)
	L.Push(right)
	s.invoke(L, 2, 1)
	v := L.Get(-1)
	L.Pop(1)
	return v
}
