package lua

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// numberText is how Lua writes a number: C's %.14g.
func numberText(f float64) string {
	if n := int64(f); float64(n) == f && n > -1e14 && n < 1e14 && (n != 0 || !math.Signbit(f)) {
		return strconv.FormatInt(n, 10)
	}
	return formatG(f, 14)
}

// appendNumber writes a number as commands get it: C's %.17g.
func appendNumber(b []byte, f float64) []byte {
	if n := int64(f); float64(n) == f && n > -1e15 && n < 1e15 && n != 0 {
		return strconv.AppendInt(b, n, 10)
	}
	return append(b, formatG(f, 17)...)
}

// formatG writes a number as C's %.<precision>g does.
func formatG(f float64, precision int) string {
	if text, ok := noNumber(f); ok {
		return text
	}
	return strconv.FormatFloat(f, 'g', precision, 64)
}

// noNumber writes what is infinite or not a number as C's printf does on x86-64, where 0/0 has a sign.
func noNumber(f float64) (string, bool) {
	switch {
	case math.IsInf(f, 1):
		return "inf", true
	case math.IsInf(f, -1):
		return "-inf", true
	case math.IsNaN(f) && math.Signbit(f):
		return "-nan", true
	case math.IsNaN(f):
		return "nan", true
	}
	return "", false
}

// parseNumber reads a number as Lua 5.1 does, that is as C's strtod, with space around it.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(cString(s), " \t\n\v\f\r")
	if s == "" || strings.Contains(s, "_") {
		return 0, false
	}
	sign, digits := 1.0, s
	switch s[0] {
	case '-':
		sign, digits = -1, s[1:]
	case '+':
		digits = s[1:]
	}
	switch lower := strings.ToLower(digits); {
	case strings.HasPrefix(lower, "0x") && !strings.ContainsAny(lower, ".p"):
		f, ok := parseHex(lower[2:])
		return sign * f, ok
	case lower == "nan":
		return math.Copysign(math.Float64frombits(0x7ff8<<48), sign), true // C's, where MessagePack shows it
	case strings.HasPrefix(lower, "0x") && !strings.Contains(lower, "p"):
		digits += "p0" // C may leave the exponent out
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(f, 0) && f != 0 {
		return 0, false
	}
	if err != nil && !isRange(err) {
		return 0, false
	}
	return sign * f, true
}

// cString is what C sees of a string: all up to the first zero byte.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

func isRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

func parseHex(digits string) (float64, bool) {
	if digits == "" {
		return 0, false
	}
	f := 0.0
	for _, c := range []byte(digits) {
		d, ok := digit(c)
		if !ok || d > 15 {
			return 0, false
		}
		f = f*16 + float64(d)
	}
	return f, true
}

// digit is the value of a digit in base 36.
func digit(c byte) (int, bool) {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0'), true
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 10, true
	case 'A' <= c && c <= 'Z':
		return int(c-'A') + 10, true
	}
	return 0, false
}

// toInt64 converts as a cast does in C on x86-64: what does not fit gives the least integer.
func toInt64(f float64) int64 {
	if f >= -(1<<63) && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// toInt32 is toInt64 of 32 bits.
func toInt32(f float64) int32 {
	if f > math.MinInt32-1 && f < math.MaxInt32+1 {
		return int32(f)
	}
	return math.MinInt32
}

// asText gives a string, or a number as Lua writes it.
func asText(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return numberText(float64(v)), true
	}
	return "", false
}

// asNumber gives a number, or a string that is one.
func asNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}
