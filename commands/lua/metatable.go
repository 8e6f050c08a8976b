package lua

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) getMetatable(L *lua.LState) int {
	v := checkAny(L, 1)
	if t, ok := v.(*lua.LTable); ok && s.hidden[t] != nil {
		if shown, ok := s.shown[t]; ok {
			return push(L, shown)
		}
		return push(L, lua.LNil)
	}
	if _, ok := v.(lua.LString); ok {
		return push(L, s.shown[nil])
	}
	return push(L, L.GetMetatable(v))
}

func (s *state) setMetatable(L *lua.LState) int {
	t := checkTable(L, 1)
	if meta := L.Get(2); meta.Type() != lua.LTNil && meta.Type() != lua.LTTable || L.GetTop() < 2 {
		argError(L, 2, "nil or table expected")
	}
	if s.hidden[t] != nil {
		throw(L, lua.LString(errReadonly))
	}
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		raise(L, "cannot change a protected metatable")
	}
	if meta, ok := L.Get(2).(*lua.LTable); ok {
		L.SetMetatable(t, s.behind(meta))
	} else {
		L.SetMetatable(t, lua.LNil)
	}
	return push(L, t)
}

func (s *state) iPairs() builtin {
	step := s.lua.NewFunction(func(L *lua.LState) int {
		i := checkInt(L, 2) + 1
		if v := s.behind(checkTable(L, 1)).RawGetInt(i); v != lua.LNil {
			return push(L, lua.LNumber(i), v)
		}
		return 0
	})
	return func(L *lua.LState) int { return push(L, step, checkTable(L, 1), lua.LNumber(0)) }
}

func (s *state) next(L *lua.LState) int {
	t := s.behind(checkTable(L, 1))
	key := L.Get(2)
	if !isPlace(t, key) {
		throw(L, lua.LString("invalid key to 'next'"))
	}
	for {
		k, v := t.Next(key)
		if k == lua.LNil {
			return push(L, lua.LNil)
		}
		if name, ok := k.(lua.LString); !ok || t != s.globals || isLetter(name[0]) {
			return push(L, k, v)
		} // else the name of a builtin that no script can write
		key = k
	}
}

// isPlace says whether a traversal of a table may be at a key. It may also be at one that was deleted meanwhile, which only the
// table itself knows.
func isPlace(t *lua.LTable, key lua.LValue) bool {
	if key == lua.LNil || t.RawGet(key) != lua.LNil {
		return true
	}
	c := contentsOf(t)
	if n, ok := key.(lua.LNumber); ok && n >= 1 && float64(n) <= float64(len(c.array)) {
		return float64(n) == math.Floor(float64(n))
	}
	_, ok := c.k2i[key]
	return ok
}

func rawEqual(L *lua.LState) int {
	return push(L, lua.LBool(L.RawEqual(checkAny(L, 1), checkAny(L, 2))))
}

func (s *state) rawGet(L *lua.LState) int {
	return push(L, s.behind(checkTable(L, 1)).RawGet(checkAny(L, 2)))
}

func (s *state) rawSet(L *lua.LState) int {
	t := checkTable(L, 1)
	checkAny(L, 2)
	checkAny(L, 3)
	if s.hidden[t] != nil {
		throw(L, lua.LString(errReadonly))
	}
	switch key := L.Get(2).(type) {
	case *lua.LNilType:
		throw(L, lua.LString("table index is nil"))
	case lua.LNumber:
		if key != key {
			throw(L, lua.LString("table index is NaN"))
		}
	}
	t.RawSet(L.Get(2), L.Get(3))
	return push(L, t)
}
