package commands

// glob is a pattern of KEYS, SCAN and CONFIG GET: * ? [a-z] [^a] and \ before a special character.
//
// It matches as Redis does, with its peculiarities: an unterminated [ ends with the pattern, and the empty string matches
// only the empty pattern. A failed match goes back to the last star only, so the time is at most length times length.
type glob struct {
	pattern []byte
	fold    bool // letters match in any case
}

// all says that everything matches; callers take it before match, for * does not match the empty string there.
func (g glob) all() bool { return len(g.pattern) == 1 && g.pattern[0] == '*' }

func (g glob) match(s []byte) bool {
	if len(s) == 0 {
		return len(g.pattern) == 0
	}
	p, i := 0, 0
	star, from := -1, 0 // the last star, and where what it left to the rest began
	for i < len(s) {
		if p < len(g.pattern) && g.pattern[p] == '*' {
			star, from = p, i
			p++
			continue
		}
		if next, ok := g.one(p, s[i]); ok {
			p, i = next, i+1
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star+1, from
	}
	for p < len(g.pattern) && g.pattern[p] == '*' {
		p++
	}
	return p == len(g.pattern)
}

// one matches a single byte against the pattern at p, which is no star, and says where the pattern goes on.
func (g glob) one(p int, b byte) (next int, ok bool) {
	if p == len(g.pattern) {
		return p, false
	}
	switch g.pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return g.class(p+1, b)
	case '\\':
		if p+1 < len(g.pattern) {
			p++
		}
	}
	return p + 1, g.lower(g.pattern[p]) == g.lower(b)
}

// class matches b against a class that begins at p, after its bracket.
func (g glob) class(p int, b byte) (next int, ok bool) {
	set := g.pattern
	not := p < len(set) && set[p] == '^'
	if not {
		p++
	}
	match := false
	for ; p < len(set) && set[p] != ']'; p++ {
		switch {
		case set[p] == '\\' && p+1 < len(set):
			p++
			match = match || set[p] == b
		case p+2 < len(set) && set[p+1] == '-':
			match = match || g.between(b, set[p], set[p+2])
			p += 2
		default:
			match = match || g.lower(set[p]) == g.lower(b)
		}
	}
	return min(p+1, len(set)), match != not
}

func (g glob) between(b, lo, hi byte) bool {
	b, lo, hi = g.lower(b), g.lower(lo), g.lower(hi)
	return min(lo, hi) <= b && b <= max(lo, hi)
}

func (g glob) lower(b byte) byte {
	if g.fold && 'A' <= b && b <= 'Z' {
		return b | 0x20
	}
	return b
}
