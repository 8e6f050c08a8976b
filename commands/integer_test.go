package commands

import (
	"math"
	"strconv"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 9, 10, -10, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1} {
		s := strconv.FormatInt(n, 10)
		if got, ok := ParseInt([]byte(s)); got != n || !ok {
			t.Errorf("ParseInt(%q) = %d, %v; want %d, true", s, got, ok, n)
		}
	}
	for _, s := range []string{"", "-", "+5", "05", "-05", "-0", "00", " 5", "5 ", "5x", "x", "1.0", "1e3", "0x1", "--1",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999", "18446744073709551616", "1\x00"} {
		if got, ok := ParseInt([]byte(s)); ok {
			t.Errorf("ParseInt(%q) = %d, true; want false", s, got)
		}
	}
}

func TestParseCursor(t *testing.T) {
	for _, test := range []struct {
		s    string
		n    uint64
		fine bool
	}{
		{"0", 0, true}, {"", 0, true}, {"17", 17, true}, {"+17", 17, true}, {"-1", math.MaxUint64, true},
		{"18446744073709551615", math.MaxUint64, true}, {"007", 7, true}, {"1\x00x", 1, true},
		{"18446744073709551616", 0, false}, {"99999999999999999999", 0, false}, {"-", 0, false}, {" 1", 0, false}, {"1 ", 0, false},
	} {
		if n, ok := parseCursor([]byte(test.s)); ok != test.fine || ok && n != test.n {
			t.Errorf("parseCursor(%q) = %d, %v; want %d, %v", test.s, n, ok, test.n, test.fine)
		}
	}
}

func FuzzParseInt(f *testing.F) {
	f.Add([]byte("-9223372036854775808"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, ok := ParseInt(b); ok && strconv.FormatInt(n, 10) != string(b) {
			t.Errorf("ParseInt(%q) = %d, which is not written alike", b, n)
		}
	})
}

func TestParseIntEdges(t *testing.T) {
	for _, test := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"7", 7, true}, {"-7", -7, true}, {"1234567890", 1234567890, true},
		{"9223372036854775807", math.MaxInt64, true}, {"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775808", 0, false}, {"-9223372036854775809", 0, false}, {"99999999999999999999", 0, false},
		{"", 0, false}, {"-", 0, false}, {"-0", 0, false}, {"+1", 0, false}, {"01", 0, false}, {" 1", 0, false}, {"1 ", 0, false}, {"1a", 0, false},
	} {
		if got, ok := ParseInt([]byte(test.in)); got != test.want || ok != test.ok {
			t.Errorf("ParseInt(%q) = %d, %v; want %d, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}
