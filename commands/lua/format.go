package lua

import (
	"fmt"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// spec is one conversion of string.format.
type spec struct {
	flags            string
	width, precision int // precision -1: none
	verb             byte
}

// format is string.format with C's conversions.
func (s *state) format(L *lua.LState) int {
	template := checkText(L, 1)
	var b strings.Builder
	arg := 1
	for i := 0; i < len(template); i++ {
		if template[i] != '%' {
			b.WriteByte(template[i])
			continue
		}
		if i++; i < len(template) && template[i] == '%' {
			b.WriteByte('%')
			continue
		}
		var f spec
		i = f.parse(L, template, i)
		if arg++; arg > L.GetTop() {
			argError(L, arg, "no value")
		}
		f.write(L, &b, arg)
		room(L, b.Len())
	}
	return push(L, lua.LString(b.String()))
}

// parse reads what stands behind a %, and gives the place of the verb.
func (f *spec) parse(L *lua.LState, t string, i int) int {
	begin := i
	for i < len(t) && strings.IndexByte("-+ #0", t[i]) >= 0 {
		i++
	}
	if f.flags = t[begin:i]; len(f.flags) > 5 {
		raise(L, "invalid format (repeated flags)")
	}
	f.precision = -1
	f.width, i = twoDigits(t, i)
	if i < len(t) && t[i] == '.' {
		f.precision, i = twoDigits(t, i+1)
	}
	if i < len(t) && isDigit(t[i]) {
		raise(L, "invalid format (width or precision too long)")
	}
	if i < len(t) {
		f.verb = t[i]
	}
	return i
}

func twoDigits(t string, i int) (n, end int) {
	for end = i; end < len(t) && end < i+2 && isDigit(t[end]); end++ {
		n = 10*n + int(t[end]-'0')
	}
	return n, end
}

func (f *spec) write(L *lua.LState, b *strings.Builder, arg int) {
	switch f.verb {
	case 'c':
		f.pad(b, string([]byte{byte(checkInt(L, arg))}))
	case 'd', 'i':
		f.number(b, 'd', toInt64(checkNumber(L, arg)))
	case 'o', 'x', 'X':
		f.number(b, f.verb, toUint64(checkNumber(L, arg)))
	case 'u':
		f.number(b, 'd', toUint64(checkNumber(L, arg)))
	case 'e', 'E', 'f', 'g', 'G':
		f.float(b, checkNumber(L, arg))
	case 'q':
		b.WriteString(quote(L, checkText(L, arg)))
	case 's':
		text := checkText(L, arg)
		if f.precision >= 0 || len(text) < 100 {
			text = cString(text) // as Lua 5.1, which gives only long ones whole
		}
		if f.precision >= 0 && f.precision < len(text) {
			text = text[:f.precision]
		}
		room(L, b.Len()+len(text))
		f.pad(b, text)
	default:
		verb := string(f.verb)
		if f.verb == 0 {
			verb = ""
		}
		raise(L, "invalid option '%"+verb+"' to 'format'")
	}
}

func toUint64(f float64) uint64 {
	if f >= 1<<63 && f < 1<<64 {
		return uint64(f)
	}
	return uint64(toInt64(f))
}

func (f *spec) pad(b *strings.Builder, text string) {
	fill := strings.Repeat(" ", max(f.width-len(text), 0))
	if strings.Contains(f.flags, "-") {
		b.WriteString(text + fill)
	} else {
		b.WriteString(fill + text)
	}
}

// number writes with Go's verbs, which are C's for numbers.
func (f *spec) number(b *strings.Builder, verb byte, v any) {
	flags := f.flags
	if f.precision >= 0 && verb != 'e' {
		switch v.(type) {
		case int64, uint64:
			flags = strings.ReplaceAll(flags, "0", "") // as in C, the precision goes before
		}
	}
	form := "%" + flags
	if f.width > 0 {
		form += fmt.Sprint(f.width)
	}
	if f.precision >= 0 {
		form += fmt.Sprintf(".%d", f.precision)
	}
	fmt.Fprintf(b, form+string(verb), v)
}

func (f *spec) float(b *strings.Builder, v float64) {
	if text, ok := noNumber(v); ok {
		if strings.Contains(f.flags, "+") && !math.Signbit(v) {
			text = "+" + text
		}
		if f.verb < 'a' {
			text = strings.ToUpper(text)
		}
		f.pad(b, text)
		return
	}
	if f.precision < 0 {
		f.precision = 6
	}
	if f.precision == 0 && f.verb|0x20 == 'g' {
		f.precision = 1
	}
	f.number(b, f.verb, v)
}

// quote writes a string so that Lua reads it back.
func quote(L *lua.LState, text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		room(L, b.Len())
		switch c := text[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString(`\r`)
		case 0:
			b.WriteString(`\000`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
