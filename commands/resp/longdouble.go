package resp

import (
	"bytes"
	"math/big"
	"strings"
)

// INCRBYFLOAT counts as Redis does on x86-64, in C's long double: 64 bits of mantissa, to which every result is rounded,
// half to even, and exponents up to 16384. big.Float has any precision and far greater exponents.
const (
	longDoublePrec = 64
	longDoubleMax  = 16384  // greatest exponent, of a mantissa in [0.5, 1)
	longDoubleMin  = -16446 // 2 to it and below is rounded to zero
	longDoubleText = 5*1024 - 1
	farExponent    = 1 << 20 // stands for all that are greater
)

// ParseLongDouble reads a number as Redis does with strtold: decimal or hexadecimal, with an exponent or without, or an
// infinity. Not a number, or beyond the range: false.
func ParseLongDouble(b []byte) (*big.Float, bool) {
	if len(b) == 0 || len(b) > longDoubleText {
		return nil, false
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	if bytes.EqualFold(b, []byte("inf")) || bytes.EqualFold(b, []byte("infinity")) {
		return new(big.Float).SetInf(negative), true
	}
	var f *big.Float
	var ok bool
	if len(b) > 2 && b[0] == '0' && (b[1] == 'x' || b[1] == 'X') {
		f, ok = parseMagnitude(b[2:], 16, 'p')
	} else {
		f, ok = parseMagnitude(b, 10, 'e')
	}
	if !ok {
		return nil, false
	}
	if negative {
		f.Neg(f)
	}
	return f, true
}

// parseMagnitude reads digits of a base, perhaps with a point in them, and an exponent after mark: of ten, or of two if the
// base is 16.
func parseMagnitude(b []byte, base int, mark byte) (*big.Float, bool) {
	digits, power, given := b, []byte(nil), false
	if i := bytes.IndexAny(b, string([]byte{mark, mark &^ 0x20})); i >= 0 {
		digits, power, given = b[:i], b[i+1:], true
	}
	exponent, ok := 0, true
	if given {
		exponent, ok = parseExponent(power)
	}
	whole, part, _ := bytes.Cut(digits, []byte{'.'})
	all := strings.TrimLeft(string(whole)+string(part), "0")
	if !ok || len(whole)+len(part) == 0 || !allDigits(whole, base) || !allDigits(part, base) {
		return nil, false
	}
	if all == "" {
		return newLongDouble(), true
	}
	if base == 10 {
		exponent -= len(part)
		if size := len(all) + exponent; size > 5000 || size < -5000 {
			return nil, false
		}
	} else {
		exponent -= 4 * len(part)
	}
	mantissa, _ := new(big.Int).SetString(all, base)
	f := scaled(mantissa, base, exponent)
	return f, inRange(f) && f.Cmp(leastLongDouble()) > 0
}

// scaled is mantissa times ten to the exponent, or two to it if the base is 16, rounded once.
func scaled(mantissa *big.Int, base, exponent int) *big.Float {
	f := newLongDouble()
	switch {
	case base == 16:
		return f.SetMantExp(f.SetInt(mantissa), exponent)
	case exponent >= 0:
		return f.SetInt(mantissa.Mul(mantissa, pow10(exponent)))
	}
	return f.Quo(new(big.Float).SetInt(mantissa), new(big.Float).SetInt(pow10(-exponent)))
}

func newLongDouble() *big.Float { return new(big.Float).SetPrec(longDoublePrec) }

func leastLongDouble() *big.Float { return newLongDouble().SetMantExp(big.NewFloat(1), longDoubleMin) }

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// inRange: finite as a long double.
func inRange(f *big.Float) bool { return !f.IsInf() && f.MantExp(nil) <= longDoubleMax }

func parseExponent(b []byte) (n int, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative || len(b) > 0 && b[0] == '+' {
		b = b[1:]
	}
	if len(b) == 0 || !allDigits(b, 10) {
		return 0, false
	}
	for _, d := range b {
		n = min(n*10+int(d-'0'), farExponent)
	}
	if negative {
		n = -n
	}
	return n, true
}

func allDigits(b []byte, base int) bool {
	for _, c := range b {
		if '0' <= c && c <= '9' || base == 16 && ('a' <= c|0x20 && c|0x20 <= 'f') {
			continue
		}
		return false
	}
	return true
}

// AddLongDouble gives a + b, rounded; false: that is infinite, or not a number.
func AddLongDouble(a, b *big.Float) (*big.Float, bool) {
	if a.IsInf() || b.IsInf() {
		return nil, false
	}
	sum := newLongDouble().Add(a, b)
	return sum, inRange(sum)
}

// FormatLongDouble writes 17 digits behind the point, as printf's %.17Lf, and then leaves out the zeroes at the end.
func FormatLongDouble(f *big.Float) string {
	s := strings.TrimSuffix(strings.TrimRight(f.Text('f', 17), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}
