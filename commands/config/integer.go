package config

import (
	"math"
	"strings"
	"unicode"

	"atomiccounter/engine"
)

// ParseInt reads a decimal integer as strictly as Redis.
func ParseInt(s string) (int64, bool) { return engine.ParseInteger([]byte(s)) }

// units are those of memory. K is 1000, KB 1024.
var units = map[string]int64{"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}

// ParseBytes reads an amount of memory as Redis's configuration does: "512", "64kb", "1g".
func ParseBytes(s string) (int64, bool) {
	if strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return 0, false // a lower-case letter of ASCII may be that of another alphabet's letter
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	unit, known := units[strings.ToLower(s[digits:])]
	n, isInt := ParseInt(s[:digits])
	if !known || !isInt || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}
