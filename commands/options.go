package commands

import (
	"errors"
	"log/slog"

	"atomiccounter/engine"
)

// The settings that a start takes are written as CONFIG SET takes them.

// ParseSync reads a value of appendfsync.
func ParseSync(s string) (engine.SyncMode, error) {
	mode, err := syncModes.parse(s)
	return engine.SyncMode(mode), err
}

// ParseLevel reads a value of loglevel.
func ParseLevel(s string) (slog.Level, error) {
	level, err := levels.parse(s)
	return slog.Level(level), err
}

// ParseBytes reads a number of bytes with or without a unit: 1000, 64kb, 256MiB (powers of 1024), 1k (of 1000).
func ParseBytes(s string) (int64, error) {
	n, ok := parseBytes([]byte(s))
	if !ok {
		return 0, errors.New("argument must be a memory value")
	}
	return n, nil
}

// Matches says whether any of the patterns, in the syntax of KEYS, matches the key.
func Matches(patterns []string, key []byte) bool {
	for _, p := range patterns {
		if g := (glob{pattern: []byte(p)}); g.all() || g.match(key) {
			return true
		}
	}
	return false
}
