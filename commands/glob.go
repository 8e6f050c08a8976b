package commands

// glob is a pattern of KEYS, SCAN and CONFIG GET: * ? [a-z] [^a] and \ before a special character.
//
// It matches as Redis does, with its peculiarities: an unterminated [ ends with the pattern, and the empty string matches
// only the empty pattern. A failed match goes back to the last star only, which takes length times length steps at worst: some
// seconds for 64 KiB each. Where that begins to show, the rest is searched for 64 places of the pattern at a time.
type glob struct {
	pattern []byte
	fold    bool // letters match in any case
}

// maxName is the longest pattern, and the longest name of a channel, in bytes.
const maxName = 64 << 10

// stepsPerByte is how many bytes of the pattern are looked at, for each byte of text and pattern, before the rest is searched.
const stepsPerByte = 8

// all says that everything matches; callers take it before match, for * does not match the empty string there.
func (g glob) all() bool { return len(g.pattern) == 1 && g.pattern[0] == '*' }

func (g glob) match(s []byte) bool {
	if len(s) == 0 {
		return len(g.pattern) == 0
	}
	p, i := 0, 0
	star, from := -1, 0 // the last star, and where what it left to the rest began
	for steps := stepsPerByte * (len(s) + len(g.pattern)); i < len(s); {
		if p < len(g.pattern) && g.pattern[p] == '*' {
			star, from = p, i
			p++
			continue
		}
		next, ok := g.one(p, s[i])
		steps -= next - p + 1
		if ok {
			p, i = next, i+1
			continue
		}
		if star < 0 {
			return false
		}
		if steps < 0 {
			return g.search(star+1, s[from:])
		}
		from++
		p, i = star+1, from
	}
	for p < len(g.pattern) && g.pattern[p] == '*' {
		p++
	}
	return p == len(g.pattern)
}

// search says whether s ends with what the pattern has from p on, after a star.
func (g glob) search(p int, s []byte) bool {
	var at places
	for {
		piece := g.pieceAt(p)
		end := p
		if len(piece) > 0 {
			end = piece[len(piece)-1].end
		}
		if end == len(g.pattern) { // at the very end
			return len(piece) <= len(s) && g.matchPiece(piece, s[len(s)-len(piece):])
		}
		n := at.find(g, piece, s)
		if n < 0 {
			return false
		}
		p, s = end+1, s[n:]
	}
}

// place is what one byte is matched against: a part of the pattern.
type place struct{ begin, end int }

// pieceAt gives the places from p on up to the next star, or to the end.
func (g glob) pieceAt(p int) (piece []place) {
	for p < len(g.pattern) && g.pattern[p] != '*' {
		end, _ := g.one(p, 0)
		piece = append(piece, place{p, end})
		p = end
	}
	return piece
}

func (g glob) matchPiece(piece []place, s []byte) bool {
	for i, at := range piece {
		if _, ok := g.one(at.begin, s[i]); !ok {
			return false
		}
	}
	return true
}

// places are sets of places of a piece, one bit each: a set for every byte, of those that match it, and the set of those up to which the
// text matches so far.
type places struct {
	of  [256][]uint64
	now []uint64
}

// find gives the end of the first part of s that matches the piece; negative: there is none.
func (at *places) find(g glob, piece []place, s []byte) int {
	if len(piece) == 0 || len(piece) > len(s) {
		return min(0, len(s)-len(piece))
	}
	at.prepare(g, piece)
	last := len(piece) - 1
	for i, b := range s {
		carry := uint64(1)
		for w, match := range at.of[b] {
			next := at.now[w] >> 63
			at.now[w] = (at.now[w]<<1 | carry) & match
			carry = next
		}
		if at.now[last/64]>>(last%64)&1 != 0 {
			return i + 1
		}
	}
	return -1
}

func (at *places) prepare(g glob, piece []place) {
	words := (len(piece) + 63) / 64
	at.now = make([]uint64, words)
	all := make([]uint64, 256*words)
	for b := range at.of {
		at.of[b] = all[b*words : (b+1)*words]
	}
	for i, pl := range piece {
		g.each(pl, func(b byte) { at.of[b][i/64] |= 1 << (i % 64) })
	}
}

// each calls f with every byte that matches at a place.
func (g glob) each(at place, f func(b byte)) {
	for b := range 256 {
		if _, ok := g.one(at.begin, byte(b)); ok {
			f(byte(b))
		}
	}
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
