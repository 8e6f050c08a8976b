package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) openTable() {
	s.library("table", map[string]builtin{
		"concat": s.tableConcat, "foreach": s.forEach, "foreachi": s.forEachI, "getn": s.getN, "insert": s.insert, "maxn": s.maxN,
		"remove": s.remove, "setn": setN, "sort": s.sort,
	})
}

// writable gives a table argument that a builtin is to change.
func (s *state) writable(L *lua.LState) *lua.LTable {
	t := checkTable(L, 1)
	if s.hidden[t] != nil {
		throw(L, lua.LString(errReadonly))
	}
	return t
}

func (s *state) tableConcat(L *lua.LState) int {
	t, between := s.behind(checkTable(L, 1)), optText(L, 2, "")
	i, end := optInt(L, 3, 1), optInt(L, 4, t.Len())
	var b strings.Builder
	for k := i; k <= end; k++ {
		v := t.RawGet(lua.LNumber(k))
		text, ok := asText(v)
		if !ok {
			raise(L, "invalid value ("+v.Type().String()+") at index "+numberText(float64(k))+" in table for 'concat'")
		}
		s.spend(L, 1+len(text)/16)
		b.WriteString(text)
		if k < end {
			b.WriteString(between)
		}
		room(L, b.Len())
	}
	return push(L, lua.LString(b.String()))
}

func (s *state) forEach(L *lua.LState) int {
	t, f := s.behind(checkTable(L, 1)), checkFunction(L, 2)
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if s.callWith(L, f, k, v); L.Get(-1) != lua.LNil {
			return 1
		}
		L.Pop(1)
	}
	return 0
}

func (s *state) forEachI(L *lua.LState) int {
	t, f := s.behind(checkTable(L, 1)), checkFunction(L, 2)
	for i, n := 1, t.Len(); i <= n; i++ {
		if s.callWith(L, f, lua.LNumber(i), t.RawGetInt(i)); L.Get(-1) != lua.LNil {
			return 1
		}
		L.Pop(1)
	}
	return 0
}

func (s *state) getN(L *lua.LState) int {
	return push(L, lua.LNumber(s.behind(checkTable(L, 1)).Len()))
}

func setN(L *lua.LState) int {
	checkTable(L, 1)
	raise(L, "'setn' is obsolete")
	return 0
}

func (s *state) maxN(L *lua.LState) int {
	t, most := s.behind(checkTable(L, 1)), 0.0
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		s.spend(L, 1)
		if n, ok := k.(lua.LNumber); ok {
			most = max(most, float64(n))
		}
	}
	return push(L, lua.LNumber(most))
}

func (s *state) insert(L *lua.LState) int {
	t := s.writable(L)
	n := t.Len() + 1
	switch L.GetTop() {
	case 2:
		t.RawSetInt(n, L.Get(2))
	case 3:
		at := checkInt(L, 2)
		if at < 1 || at > n {
			L.RawSet(t, lua.LNumber(at), L.Get(3))
			return 0
		}
		t.Insert(at, L.Get(3))
	default:
		raise(L, "wrong number of arguments to 'insert'")
	}
	return 0
}

func (s *state) remove(L *lua.LState) int {
	t := s.writable(L)
	n := t.Len()
	at := optInt(L, 2, n)
	if at < 1 || at > n {
		return 0
	}
	v := t.RawGetInt(at)
	for i := at; i < n; i++ {
		t.RawSetInt(i, t.RawGetInt(i+1))
	}
	t.RawSetInt(n, lua.LNil)
	return push(L, v)
}

// sort is Lua's own quicksort, so that an order that is none, or leaves elements equal, has the same outcome.
func (s *state) sort(L *lua.LState) int {
	t := s.writable(L)
	var less lua.LValue = lua.LNil
	if L.Get(2) != lua.LNil {
		less = checkFunction(L, 2)
	}
	q := &sorter{s: s, lua: L, t: t, f: less}
	q.sort(1, t.Len())
	return 0
}

type sorter struct {
	s   *state
	lua *lua.LState
	t   *lua.LTable
	f   lua.LValue
}

func (q *sorter) less(a, b lua.LValue) bool {
	q.s.spend(q.lua, 1)
	if q.f == lua.LNil {
		return q.inOrder(a, b)
	}
	q.s.callWith(q.lua, q.f, a, b)
	v := q.lua.Get(-1)
	q.lua.Pop(1)
	return lua.LVAsBool(v)
}

// inOrder is <, whose error has no place here.
func (q *sorter) inOrder(a, b lua.LValue) bool {
	left, right := a.Type(), b.Type()
	switch {
	case left != right:
		throw(q.lua, lua.LString("attempt to compare "+left.String()+" with "+right.String()))
	case left != lua.LTNumber && left != lua.LTString && q.lua.GetMetaField(a, "__lt") == lua.LNil:
		throw(q.lua, lua.LString("attempt to compare two "+left.String()+" values"))
	}
	return q.lua.LessThan(a, b)
}

func (q *sorter) at(i int) lua.LValue { return q.t.RawGetInt(i) }

func (q *sorter) swap(i, j int) {
	a, b := q.at(i), q.at(j)
	q.t.RawSetInt(i, b)
	q.t.RawSetInt(j, a)
}

func (q *sorter) sort(lo, hi int) {
	for lo < hi {
		if q.less(q.at(hi), q.at(lo)) {
			q.swap(lo, hi)
		}
		if hi-lo == 1 {
			return
		}
		mid := (lo + hi) / 2
		if q.less(q.at(mid), q.at(lo)) {
			q.swap(mid, lo)
		} else if q.less(q.at(hi), q.at(mid)) {
			q.swap(mid, hi)
		}
		if hi-lo == 2 {
			return
		}
		i := q.partition(lo, hi, mid)
		if i-lo < hi-i {
			q.sort(lo, i-1)
			lo = i + 1
		} else {
			q.sort(i+1, hi)
			hi = i - 1
		}
	}
}

func (q *sorter) partition(lo, hi, mid int) int {
	pivot := q.at(mid)
	q.swap(mid, hi-1)
	i, j := lo, hi-1
	for {
		for i++; q.less(q.at(i), pivot); i++ {
			if i > hi {
				raise(q.lua, "invalid order function for sorting")
			}
		}
		for j--; q.less(pivot, q.at(j)); j-- {
			if j < lo {
				raise(q.lua, "invalid order function for sorting")
			}
		}
		if j < i {
			break
		}
		q.swap(i, j)
	}
	q.swap(hi-1, i)
	return i
}
