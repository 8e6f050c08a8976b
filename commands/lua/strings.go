package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// openString brings Lua 5.1's library of strings, byte by byte: the interpreter's own knows UTF-8 where it should not.
func (s *state) openString() {
	lib := s.library("string", map[string]builtin{
		"byte": strByte, "char": strChar, "dump": strDump, "find": s.strFind, "format": s.format, "gfind": s.gMatch, "gmatch": s.gMatch,
		"gsub": s.gSub, "len": strLen, "lower": strLower, "match": s.strMatch, "rep": strRep, "reverse": strReverse,
		"sub": strSub, "upper": strUpper,
	})
	meta := s.lua.NewTable()
	meta.RawSetString("__index", s.globals.RawGetString("string"))
	s.shown[nil] = s.protect(meta)
	inner := s.lua.NewTable() // the interpreter looks here
	inner.RawSetString("__index", lib)
	s.coerce(inner)
	s.lua.SetMetatable(lua.LString(""), inner)
}

func strByte(L *lua.LState) int {
	text := checkText(L, 1)
	i := relative(optInt(L, 2, 1), len(text))
	j := relative(optInt(L, 3, i), len(text))
	i, j = max(i, 1), min(j, len(text))
	if !fits(L, j-i+1) {
		raise(L, "stack overflow (string slice too long)")
	}
	for k := i; k <= j; k++ {
		L.Push(lua.LNumber(text[k-1]))
	}
	return max(j-i+1, 0)
}

// relative makes a place that counts from the end count from the beginning.
func relative(at, size int) int {
	if at < 0 {
		at += size + 1
	}
	return max(at, 0)
}

func strChar(L *lua.LState) int {
	b := make([]byte, L.GetTop())
	for i := range b {
		c := checkInt(L, i+1)
		if c < 0 || c > 255 {
			argError(L, i+1, "invalid value")
		}
		b[i] = byte(c)
	}
	return push(L, lua.LString(b))
}

func strDump(L *lua.LState) int {
	checkFunction(L, 1)
	raise(L, "unable to dump given function")
	return 0
}

func strLen(L *lua.LState) int { return push(L, lua.LNumber(len(checkText(L, 1)))) }

func strLower(L *lua.LState) int { return push(L, mapBytes(checkText(L, 1), 'A', 'Z')) }

func strUpper(L *lua.LState) int { return push(L, mapBytes(checkText(L, 1), 'a', 'z')) }

// mapBytes gives letters from a to z the other case.
func mapBytes(text string, a, z byte) lua.LString {
	b := []byte(text)
	for i, c := range b {
		if a <= c && c <= z {
			b[i] ^= 0x20
		}
	}
	return lua.LString(b)
}

func strRep(L *lua.LState) int {
	text, n := checkText(L, 1), max(checkInt(L, 2), 0)
	if len(text) > 0 && n > maxString/len(text) {
		room(L, maxString+1)
	}
	return push(L, lua.LString(strings.Repeat(text, min(n, maxString))))
}

func strReverse(L *lua.LState) int {
	text := checkText(L, 1)
	b := make([]byte, len(text))
	for i := range text {
		b[len(b)-1-i] = text[i]
	}
	return push(L, lua.LString(b))
}

func strSub(L *lua.LState) int {
	text := checkText(L, 1)
	i, j := relative(checkInt(L, 2), len(text)), relative(optInt(L, 3, -1), len(text))
	i, j = max(i, 1), min(j, len(text))
	if i > j {
		return push(L, lua.LString(""))
	}
	return push(L, lua.LString(text[i-1:j]))
}

func (s *state) strFind(L *lua.LState) int { return s.find(L, true) }

func (s *state) strMatch(L *lua.LState) int { return s.find(L, false) }

func (s *state) find(L *lua.LState, places bool) int {
	src, pat := checkText(L, 1), checkText(L, 2)
	init := min(max(relative(optInt(L, 3, 1), len(src))-1, 0), len(src))
	if places && (lua.LVAsBool(L.Get(4)) || !hasSpecials(pat)) {
		at := strings.Index(src[init:], pat)
		if at < 0 {
			return push(L, lua.LNil)
		}
		return push(L, lua.LNumber(init+at+1), lua.LNumber(init+at+len(pat)))
	}
	m, anchored := s.newMatcher(L, src, pat)
	start, end := m.from(init, anchored)
	switch {
	case end == noMatch:
		return push(L, lua.LNil)
	case places:
		push(L, lua.LNumber(start+1), lua.LNumber(end))
		return 2 + m.pushAll(start, end, false)
	}
	return m.pushAll(start, end, true)
}

// gMatch gives an iterator. As in Lua 5.1, a ^ is no anchor here.
func (s *state) gMatch(L *lua.LState) int {
	src, pat := checkText(L, 1), cString(checkText(L, 2))
	at := 0
	return push(L, L.NewFunction(func(L *lua.LState) int {
		m := &matcher{s: s, lua: L, src: src, pat: pat}
		start, end := m.from(at, false)
		if end == noMatch {
			at = len(src) + 1
			return 0
		}
		at = end
		if end == start {
			at++
		}
		return m.pushAll(start, end, true)
	}))
}

func (s *state) gSub(L *lua.LState) int {
	src, pat := checkText(L, 1), checkText(L, 2)
	switch L.Get(3).Type() {
	case lua.LTNumber, lua.LTString, lua.LTFunction, lua.LTTable:
	default:
		argError(L, 3, "string/function/table expected")
	}
	most := optInt(L, 4, len(src)+1)
	m, anchored := s.newMatcher(L, src, pat)
	var b strings.Builder
	at, n := 0, 0
	for n < most {
		m.level = 0
		end := m.match(at, 0)
		if end != noMatch {
			n++
			s.replace(&b, m, at, end)
			room(L, b.Len())
		}
		switch {
		case end != noMatch && end > at:
			at = end
		case at < len(src):
			b.WriteByte(src[at])
			at++
		default:
			most = n // the end
			at++
		}
		if anchored {
			break
		}
	}
	if at < len(src) {
		b.WriteString(src[at:])
	}
	return push(L, lua.LString(b.String()), lua.LNumber(n))
}

// replace writes what gsub puts in place of a match.
func (s *state) replace(b *strings.Builder, m *matcher, start, end int) {
	L := m.lua
	var v lua.LValue
	switch r := L.Get(3).(type) {
	case *lua.LFunction:
		L.Push(r)
		s.invoke(L, m.pushAll(start, end, true), 1)
		v = L.Get(-1)
		L.Pop(1)
	case *lua.LTable:
		v = L.GetTable(r, m.value(0, start, end))
	default:
		template, _ := asText(r)
		m.expand(b, template, start, end)
		return
	}
	if !lua.LVAsBool(v) {
		b.WriteString(m.src[start:end])
		return
	}
	text, ok := asText(v)
	if !ok {
		m.fail("invalid replacement value (a " + v.Type().String() + ")")
	}
	b.WriteString(text)
}

func (m *matcher) write(b *strings.Builder, text string) {
	room(m.lua, b.Len()+len(text))
	m.s.spend(m.lua, len(text)/16)
	b.WriteString(text)
}

// expand writes a template, in which %1 stands for a capture.
func (m *matcher) expand(b *strings.Builder, template string, start, end int) {
	for i := 0; i < len(template); i++ {
		if template[i] != '%' {
			b.WriteByte(template[i])
			continue
		}
		i++
		switch {
		case i == len(template):
			b.WriteByte(0) // what is behind the end of a string in C
		case !isDigit(template[i]):
			b.WriteByte(template[i])
		case template[i] == '0':
			m.write(b, m.src[start:end])
		default:
			text, _ := asText(m.value(int(template[i]-'1'), start, end))
			m.write(b, text)
		}
	}
}
