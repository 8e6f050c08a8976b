package lua

import (
	"errors"
	"fmt"
	"strings"
	_ "unsafe" // for reservedWords
)

// The interpreter's scanner takes some texts otherwise than Lua 5.1: it ends a number where its digits end (3x is two words to
// it, and so is 0x1p4), knows comments that are none of Lua's (--[=x), and escapes beyond a byte. So a text is gone
// through before: comments become spaces, and numbers decimals.

//go:linkname reservedWords github.com/yuin/gopher-lua/parse.reservedWords
var reservedWords map[string]int

// source is a text that is gone through.
type source struct {
	text    string
	at      int
	out     strings.Builder
	written map[string]string // how the numbers were written, by how the scanner sees them
}

// forScanner gives a text as the interpreter's scanner should see it, with all lines where they were, and how the numbers in it
// that are written otherwise were written; or an error with the line before it.
func forScanner(text string) (seen string, written map[string]string, err error) {
	s := source{text: text, written: map[string]string{}}
	s.out.Grow(len(text))
	for s.at < len(text) {
		if err := s.token(); err != nil {
			return "", nil, fmt.Errorf("%d: %w", 1+strings.Count(text[:min(s.at, len(text))], "\n"), err)
		}
	}
	return s.out.String(), s.written, nil
}

// token goes through a word, a number, a string, a comment or one byte.
func (s *source) token() error {
	rest := s.text[s.at:]
	switch c := rest[0]; {
	case isLetter(c):
		s.keep(span(rest, isNameByte))
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return s.number()
	case c == '.':
		s.keep(span(rest, func(c byte) bool { return c == '.' }))
	case c == '"' || c == '\'':
		return s.quoted(c)
	case strings.HasPrefix(rest, "--"):
		s.comment()
	case c == '[':
		n, _ := longBracket(rest)
		s.keep(max(1, n))
	case strings.HasPrefix(rest, "::"):
		return errors.New("unexpected symbol near ':'") // labels came with Lua 5.2
	default:
		s.keep(1)
	}
	return nil
}

// keep takes the next n bytes as they are.
func (s *source) keep(n int) {
	s.out.WriteString(s.text[s.at : s.at+n])
	s.at += n
}

// number takes all that is written without a gap, as Lua does.
func (s *source) number() error {
	rest := s.text[s.at:]
	n := span(rest, func(c byte) bool { return isDigit(c) || c == '.' })
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		n++
		if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
			n++
		}
	}
	n += span(rest[n:], isNameByte)
	decimal, ok := literal(rest[:n])
	if !ok {
		return fmt.Errorf("malformed number near '%s'", rest[:n])
	}
	if decimal != rest[:n] {
		s.written[decimal] = rest[:n]
	}
	s.out.WriteString(decimal)
	s.at += n
	return nil
}

// quoted takes a string, the end of which the scanner looks for itself if there is none.
func (s *source) quoted(quote byte) error {
	i := s.at + 1
	for i < len(s.text) && s.text[i] != quote {
		if s.text[i] == '\\' {
			i++
			digits := s.text[min(i, len(s.text)):min(i+3, len(s.text))]
			if span(digits, isDigit) == 3 && digits > "255" {
				s.at = i
				return fmt.Errorf("escape sequence too large near '%c'", quote)
			}
		}
		i++
	}
	s.keep(min(i+1, len(s.text)) - s.at)
	return nil
}

// comment leaves of a comment its line ends. One that should end but does not is left to the scanner.
func (s *source) comment() {
	rest := s.text[s.at:]
	n, closed := longBracket(rest[len("--"):])
	switch n += len("--"); {
	case !closed:
		s.keep(n)
		return
	case n == len("--"):
		n = span(rest, func(c byte) bool { return !isLineEnd(c) })
	}
	s.out.WriteByte(' ')
	for _, c := range []byte(rest[:n]) {
		if isLineEnd(c) {
			s.out.WriteByte(c)
		}
	}
	s.at += n
}

func isLineEnd(c byte) bool { return c == '\n' || c == '\r' }

// longBracket is the length of what is in long brackets, [[ to ]] or [=[ to ]=], at the beginning of a text, 0 if there is none.
// What is not closed takes the whole text.
func longBracket(text string) (n int, closed bool) {
	if !strings.HasPrefix(text, "[") {
		return 0, true
	}
	level := span(text[1:], func(c byte) bool { return c == '=' })
	if !strings.HasPrefix(text[1+level:], "[") {
		return 0, true
	}
	open := level + len("[[")
	end := strings.Index(text[open:], "]"+text[1:1+level]+"]")
	if end < 0 {
		return len(text), false
	}
	return open + end + open, true
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isNameByte(c byte) bool { return isLetter(c) || isDigit(c) }

// span is how many bytes at the beginning of a text are of a kind.
func span(text string, kind func(byte) bool) int {
	n := 0
	for n < len(text) && kind(text[n]) {
		n++
	}
	return n
}
