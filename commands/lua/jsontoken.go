package lua

import (
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

type jsonToken struct {
	kind  string // as errors name it; of T_ERROR what is wrong
	at    int
	value lua.LValue
	wrong bool
}

// peek is the character at a place, 0 at the end as in C.
func (d *jsonDecoder) peek(at int) byte {
	if at < len(d.text) {
		return d.text[at]
	}
	return 0
}

var jsonMarks = map[byte]string{'{': "T_OBJ_BEGIN", '}': "T_OBJ_END", '[': "T_ARR_BEGIN", ']': "T_ARR_END", ',': "T_COMMA",

	':': "T_COLON"}

func (d *jsonDecoder) next() jsonToken {
	begin := d.at
	for strings.IndexByte(" \t\r\n", d.peek(d.at)) >= 0 && d.at < len(d.text) {
		d.at++
	}
	d.s.spend(d.lua, 1+(d.at-begin)/16)
	c, rest := d.peek(d.at), d.text[min(d.at, len(d.text)):]
	token := jsonToken{at: d.at}
	switch {
	case c == 0:
		token.kind = "T_END"
	case jsonMarks[c] != "":
		token.kind = jsonMarks[c]
		d.at++
	case c == '"':
		return d.string()
	case c == '-' || isDigit(c):
		if !d.s.json.decodeInvalid && invalidNumber(rest) {
			return d.wrong("invalid number")
		}
		return d.number()
	case strings.HasPrefix(rest, "true"):
		token.kind, token.value = "T_BOOLEAN", lua.LTrue
		d.at += 4
	case strings.HasPrefix(rest, "false"):
		token.kind, token.value = "T_BOOLEAN", lua.LFalse
		d.at += 5
	case strings.HasPrefix(rest, "null"):
		token.kind, token.value = "T_NULL", d.s.null
		d.at += 4
	case strings.IndexByte("iInN+", c) >= 0 && d.s.json.decodeInvalid && invalidNumber(rest):
		return d.number()
	default:
		return d.wrong("invalid token")
	}
	return token
}

func (d *jsonDecoder) wrong(what string) jsonToken {
	return jsonToken{kind: what, at: d.at, wrong: true}
}

// invalidNumber: it is one for C, but not for JSON.
func invalidNumber(s string) bool {
	if s[0] == '+' {
		return true
	}
	s = strings.ToLower(strings.TrimPrefix(s, "-")[:min(len(strings.TrimPrefix(s, "-")), 3)])
	if strings.HasPrefix(s, "0") {
		return len(s) > 1 && (s[1] == 'x' || isDigit(s[1]))
	}
	return s == "inf" || s == "nan"
}

func (d *jsonDecoder) number() jsonToken {
	token := jsonToken{kind: "T_NUMBER", at: d.at}
	n := numberLength(d.text[d.at:])
	if n == 0 {
		return d.wrong("invalid number")
	}
	text := d.text[d.at : d.at+n]
	if strings.EqualFold(strings.TrimLeft(text, "+-"), "infinity") {
		text = text[:n-5]
	}
	f, ok := parseNumber(text)
	if !ok {
		return d.wrong("invalid number")
	}
	token.value = lua.LNumber(f)
	d.at += n
	return token
}

// numberLength is how much of a text C's strtod would read.
func numberLength(s string) int {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for _, word := range []string{"infinity", "inf", "nan"} {
		if len(s)-i >= len(word) && strings.EqualFold(s[i:i+len(word)], word) {
			return i + len(word)
		}
	}
	base, exponent := 10, byte('e')
	if i+2 < len(s) && s[i] == '0' && s[i+1]|0x20 == 'x' {
		if d, ok := digit(s[i+2]); ok && d < 16 {
			base, exponent, i = 16, 'p', i+2
		}
	}
	begin, digits := i, 0
	for ; i < len(s); i++ {
		if d, ok := digit(s[i]); ok && d < base {
			digits++
		} else if s[i] != '.' || strings.IndexByte(s[begin:i], '.') >= 0 {
			break
		}
	}
	if digits == 0 {
		return 0
	}
	if i < len(s) && s[i]|0x20 == exponent {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			for i = j; i < len(s) && isDigit(s[i]); i++ {
			}
		}
	}
	return i
}

var jsonEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r'}

func (d *jsonDecoder) string() jsonToken {
	token := jsonToken{kind: "T_STRING", at: d.at}
	var b []byte
	for d.at++; ; {
		c := d.peek(d.at)
		switch {
		case c == '"':
			d.at++
			token.value = lua.LString(b)
			return token
		case c == 0:
			return d.wrong("unexpected end of string")
		case c != '\\':
			b = append(b, c)
			d.at++
		case d.peek(d.at+1) == 'u':
			r, n, ok := d.unicode()
			if !ok {
				return d.wrong("invalid unicode escape code")
			}
			b = appendRune(b, r)
			d.at += n
		default:
			c, ok := jsonEscapes[d.peek(d.at+1)]
			if !ok {
				return d.wrong("invalid escape code")
			}
			b = append(b, c)
			d.at += 2
		}
	}
}

func appendRune(b []byte, r rune) []byte {
	if 0xd800 <= r && r < 0xe000 { // not reached: surrogates come in pairs
		return append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(b, r)
}

// unicode reads \u1234, or two of them that make a pair.
func (d *jsonDecoder) unicode() (r rune, size int, ok bool) {
	high, ok := d.hex4(d.at + 2)
	if !ok || high&0xf800 != 0xd800 {
		return high, 6, ok
	}
	if high&0x400 != 0 || d.peek(d.at+6) != '\\' || d.peek(d.at+7) != 'u' {
		return 0, 0, false
	}
	low, ok := d.hex4(d.at + 8)
	if !ok || low&0xfc00 != 0xdc00 {
		return 0, 0, false
	}
	return (high&0x3ff<<10 | low&0x3ff) + 0x10000, 12, true
}

func (d *jsonDecoder) hex4(at int) (rune, bool) {
	if at+4 > len(d.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[at:at+4], 16, 16)
	return rune(n), err == nil
}
