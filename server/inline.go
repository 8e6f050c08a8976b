package server

import "bytes"

// inline reads a command that a person typed: words on one line, with the quoting of redis-cli.
//
//	SET greeting "a \"b\"\x00\n"   double quotes: \n \r \t \b \a \xHH, and any other byte after \ is itself
//	SET greeting 'it\'s'           single quotes: \' only
//
// A closing quote ends the word: a blank or the end of the line must follow.
func (s *scanner) inline(in []byte) (int, error) {
	end := bytes.IndexByte(in[s.seen:], '\n')
	if end < 0 {
		s.seen = len(in)
		if len(in) > maxLine {
			return 0, errBigInline
		}
		return 0, nil
	}
	end += s.seen
	line := in[:end]
	if end > 0 && line[end-1] == '\r' {
		line = line[:end-1]
	}
	s.words, s.spans = s.words[:0], s.spans[:0]
	if !s.split(line) {
		return 0, errQuotes
	}
	s.finish(s.words)
	return end + 1, nil
}

// split appends the words of line to s.words and s.spans; false: a quote is not closed where it should be.
func (s *scanner) split(line []byte) bool {
	for {
		for len(line) > 0 && blank(line[0]) {
			line = line[1:]
		}
		if len(line) == 0 || line[0] == 0 { // a zero byte ends the line for Redis
			return true
		}
		from := len(s.words)
		rest, ok := s.word(line)
		if !ok {
			return false
		}
		s.spans = append(s.spans, span{from, len(s.words)})
		line = rest
	}
}

// word appends the word that line begins with and returns what follows. Quotes may begin in the middle of a word.
func (s *scanner) word(line []byte) (rest []byte, ok bool) {
	for len(line) > 0 && !endsWord(line[0]) {
		if line[0] == '"' || line[0] == '\'' {
			return s.quoted(line[1:], line[0])
		}
		s.words = append(s.words, line[0])
		line = line[1:]
	}
	return line, true
}

func (s *scanner) quoted(line []byte, quote byte) (rest []byte, ok bool) {
	for len(line) > 0 && line[0] != 0 {
		switch {
		case line[0] == quote:
			line = line[1:]
			return line, len(line) == 0 || line[0] == 0 || blank(line[0])
		case line[0] == '\\':
			c, n := unescape(line, quote)
			s.words = append(s.words, c)
			line = line[n:]
		default:
			s.words = append(s.words, line[0])
			line = line[1:]
		}
	}
	return nil, false
}

// unescape gives the byte that the escape at the start of b stands for, and the escape's length. A backslash that
// escapes nothing stands for itself.
func unescape(b []byte, quote byte) (byte, int) {
	if quote == '\'' {
		if len(b) > 1 && b[1] == '\'' {
			return '\'', 2
		}
		return '\\', 1
	}
	if len(b) > 3 && b[1] == 'x' {
		hi, lo := hexDigit(b[2]), hexDigit(b[3])
		if hi < 16 && lo < 16 {
			return hi<<4 | lo, 4
		}
	}
	if len(b) < 2 || b[1] == 0 {
		return '\\', 1
	}
	switch b[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'a':
		return '\a', 2
	}
	return b[1], 2
}

// hexDigit is the value of a hexadecimal digit, or 16.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

func blank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// endsWord leaves out the vertical tab and the form feed: between words they are blanks, in a word they are not.
func endsWord(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0
}
