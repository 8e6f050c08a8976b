package server

import (
	"bytes"

	"atomiccounter/commands"
)

// lineState is what became of a line with a number.
type lineState uint8

const (
	complete lineState = iota
	incomplete
	malformed
)

// number reads the line at s.at, a mark and a decimal number, and moves past it if it is all there. Nearly all such
// lines have few digits and are all there, so they are read in one pass.
func (s *scanner) number(in []byte) (int64, lineState) {
	n, p := int64(0), s.at+1
	for p < len(in) && p <= s.at+9 && '0' <= in[p] && in[p] <= '9' {
		n = n*10 + int64(in[p]-'0')
		p++
	}
	if p+1 < len(in) && in[p] == '\r' && (in[s.at+1] != '0' || p == s.at+2) && p > s.at+1 {
		s.at, s.seen = p+2, 0
		return n, complete
	}
	return s.anyNumber(in)
}

func (s *scanner) anyNumber(in []byte) (int64, lineState) {
	from := s.at + s.seen
	end := bytes.IndexByte(in[min(from, len(in)):], '\r')
	if end < 0 {
		s.seen = max(len(in)-s.at, 0)
		return 0, incomplete
	}
	end += from
	if end+1 >= len(in) {
		s.seen = end - s.at
		return 0, incomplete
	}
	digits := in[min(s.at+1, end):end]
	s.at, s.seen = end+2, 0
	if n, ok := commands.ParseInt(digits); ok {
		return n, complete
	}
	return 0, malformed
}

// shortNumber reads a line at p of a mark and one or two digits, and returns where the next line begins, or 0.
func shortNumber(in []byte, p int, mark byte) (n, next int) {
	if len(in)-p < 5 || in[p] != mark {
		return 0, 0
	}
	b := in[p+1 : p+5]
	n = int(b[0]) - '0'
	if n < 0 || n > 9 {
		return 0, 0
	}
	if b[1] == '\r' {
		return n, p + 4
	}
	d := int(b[1]) - '0'
	if d < 0 || d > 9 || n == 0 || b[2] != '\r' {
		return 0, 0
	}
	return n*10 + d, p + 5
}
