package config

import "testing"

func TestParseBytes(t *testing.T) {
	for _, test := range []struct {
		s string
		n int64
	}{{"0", 0}, {"1024", 1024}, {"1b", 1}, {"1k", 1000}, {"1kb", 1024}, {"64MB", 64 << 20}, {"2g", 2e9}, {"2GB", 2 << 30}, {"256MiB", 256 << 20}} {
		if n, ok := ParseBytes(test.s); n != test.n || !ok {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d, true", test.s, n, ok, test.n)
		}
	}
	for _, s := range []string{"", "kb", "-1", "1x", "1 kb", "9223372036854775807kb", "1.5g", "1\u212a"} {
		if n, ok := ParseBytes(s); ok {
			t.Errorf("ParseBytes(%q) = %d, true; want false", s, n)
		}
	}
}
