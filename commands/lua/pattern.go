package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// matcher matches a pattern of Lua 5.1. The interpreter's own looks for all matches at once, and cannot be stopped.
type matcher struct {
	s        *state
	lua      *lua.LState
	src, pat string
	level    int // captures
	captures [maxCaptures]capture
	depth    int
}

type capture struct{ start, size int }

const (
	maxCaptures   = 32
	maxMatchDepth = 100_000
	unclosed      = -1
	position      = -2
	noMatch       = -1
)

func (m *matcher) fail(msg string) { raise(m.lua, msg) }

// tick stops a match that takes for ever.
func (m *matcher) tick() { m.s.spend(m.lua, 1) }

// match gives where a match of the pattern from p that begins at s ends, or noMatch.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		m.fail("pattern too complex")
	}
	defer func() { m.depth-- }()
	for {
		m.tick()
		if p >= len(m.pat) {
			return s
		}
		if m.pat[p] == '$' && p+1 == len(m.pat) {
			if s == len(m.src) {
				return s
			}
			return noMatch
		}
		if m.pat[p] == '(' || m.pat[p] == ')' {
			return m.capture(s, p)
		}
		end, next, ok := m.escape(s, p)
		if !ok {
			end, next = m.repeat(s, p)
		}
		if next == 0 || end == noMatch {
			return end
		}
		s, p = end, next
	}
}

// capture begins or ends a capture.
func (m *matcher) capture(s, p int) int {
	switch {
	case m.pat[p] == ')':
		return m.endCapture(s, p+1)
	case p+1 < len(m.pat) && m.pat[p+1] == ')':
		return m.startCapture(s, p+2, position)
	}
	return m.startCapture(s, p+1, unclosed)
}

// escape matches %b, %f and %1 at p, if there is one: where that ends, and where the pattern goes on.
func (m *matcher) escape(s, p int) (end, next int, ok bool) {
	if m.pat[p] != '%' || p+1 >= len(m.pat) {
		return 0, 0, false
	}
	switch c := m.pat[p+1]; {
	case c == 'b':
		return m.balance(s, p+2), p + 4, true
	case c == 'f':
		next, fits := m.frontier(s, p+2)
		if !fits {
			return noMatch, next, true
		}
		return s, next, true
	case isDigit(c):
		return m.backReference(s, c), p + 2, true
	}
	return 0, 0, false
}

// repeat matches the single class at p and what says how often: where that ends, and where the pattern goes on, 0 if it has been
// matched to its end.
func (m *matcher) repeat(s, p int) (end, next int) {
	class := m.classEnd(p)
	var suffix byte
	if class < len(m.pat) {
		suffix = m.pat[class]
	}
	fits := suffix != '*' && suffix != '-' && m.single(s, p, class)
	switch suffix {
	case '?':
		if fits {
			if r := m.match(s+1, class+1); r != noMatch {
				return r, 0
			}
		}
		return s, class + 1
	case '*':
		return m.most(s, p, class), 0
	case '-':
		return m.least(s, p, class), 0
	}
	switch {
	case !fits:
		return noMatch, 0
	case suffix == '+':
		return m.most(s+1, p, class), 0
	}
	return s + 1, class
}

func (m *matcher) most(s, p, end int) int {
	n := 0
	for m.single(s+n, p, end) {
		m.tick()
		n++
	}
	for ; n >= 0; n-- {
		if r := m.match(s+n, end+1); r != noMatch {
			return r
		}
	}
	return noMatch
}

func (m *matcher) least(s, p, end int) int {
	for {
		if r := m.match(s, end+1); r != noMatch {
			return r
		}
		if !m.single(s, p, end) {
			return noMatch
		}
		s++
	}
}

func (m *matcher) startCapture(s, p, what int) int {
	if m.level >= maxCaptures {
		m.fail("too many captures")
	}
	m.captures[m.level] = capture{s, what}
	m.level++
	r := m.match(s, p)
	if r == noMatch {
		m.level--
	}
	return r
}

func (m *matcher) endCapture(s, p int) int {
	l := m.level - 1
	for ; l >= 0 && m.captures[l].size != unclosed; l-- {
	}
	if l < 0 {
		m.fail("invalid pattern capture")
	}
	m.captures[l].size = s - m.captures[l].start
	r := m.match(s, p)
	if r == noMatch {
		m.captures[l].size = unclosed
	}
	return r
}

func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pat) {
		m.fail("unbalanced pattern")
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return noMatch
	}
	depth := 1
	for i := s + 1; i < len(m.src); i++ {
		m.tick()
		switch m.src[i] {
		case m.pat[p+1]:
			if depth--; depth == 0 {
				return i + 1
			}
		case m.pat[p]:
			depth++
		}
	}
	return noMatch
}

func (m *matcher) backReference(s int, c byte) int {
	l := int(c) - '1'
	if l < 0 || l >= m.level || m.captures[l].size == unclosed {
		m.fail("invalid capture index")
	}
	text := m.src[m.captures[l].start : m.captures[l].start+max(m.captures[l].size, 0)]
	m.s.spend(m.lua, len(text)/16)
	if len(m.src)-s >= len(text) && m.src[s:s+len(text)] == text {
		return s + len(text)
	}
	return noMatch
}

// value is the i-th capture of a match from start to end; where there is none, the first is the whole match.
func (m *matcher) value(i, start, end int) lua.LValue {
	if i >= m.level {
		if i != 0 {
			m.fail("invalid capture index")
		}
		return lua.LString(m.src[start:end])
	}
	switch c := m.captures[i]; c.size {
	case unclosed:
		m.fail("unfinished capture")
		return lua.LNil
	case position:
		return lua.LNumber(c.start + 1)
	default:
		return lua.LString(m.src[c.start : c.start+c.size])
	}
}

// pushAll pushes all captures, or the whole match where there are none and whole is asked.
func (m *matcher) pushAll(start, end int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		m.lua.Push(m.value(i, start, end))
	}
	return n
}

// from looks for the first match at or after a place.
func (m *matcher) from(at int, anchored bool) (start, end int) {
	for start = at; start <= len(m.src); start++ {
		m.level = 0
		if end = m.match(start, 0); end != noMatch || anchored {
			return start, end
		}
	}
	return start, noMatch
}

// newMatcher also says whether the pattern is anchored, and takes that off it.
func (s *state) newMatcher(L *lua.LState, src, pat string) (m *matcher, anchored bool) {
	if len(pat) > 0 && pat[0] == '^' {
		pat, anchored = pat[1:], true
	}
	return &matcher{s: s, lua: L, src: src, pat: cString(pat)}, anchored
}

// hasSpecials says whether a pattern is more than a text to look for.
func hasSpecials(pat string) bool { return strings.ContainsAny(cString(pat), "^$*+?.([%-") }
