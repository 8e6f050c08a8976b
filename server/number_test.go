package server

import (
	"math"
	"testing"
)

func TestParseInt(t *testing.T) {
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
		if got, ok := parseInt([]byte(test.in)); got != test.want || ok != test.ok {
			t.Errorf("parseInt(%q) = %d, %v; want %d, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}
