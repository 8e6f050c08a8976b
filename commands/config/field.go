package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"atomiccounter/engine"
)

// field is the typed accessor of a setting: it writes its value as text, and reads it. One that refuses a text changes nothing.
type field struct {
	get func(*Settings) string
	set func(*Settings, string) error
}

var (
	errNoInteger = errors.New("argument couldn't be parsed into an integer")
	errNoMemory  = errors.New("argument must be a memory value")
	errNoYesNo   = errors.New("argument must be 'yes' or 'no'")
)

func text(at func(*Settings) *string) field {
	return field{func(s *Settings) string { return *at(s) }, func(s *Settings, value string) error {
		*at(s) = value
		return nil
	}}
}

// list grows by each value that it is set to.
func list(at func(*Settings) *[]string) field {
	return field{func(s *Settings) string { return strings.Join(*at(s), " ") }, func(s *Settings, value string) error {
		*at(s) = append(slices.Clip(*at(s)), value)
		return nil
	}}
}

// constant is what this program does not have otherwise.
func constant(value string) field {
	return field{get: func(*Settings) string { return value }}
}

// number is a decimal integer from lo to hi.
func number(lo, hi int64, at func(*Settings) *int64) field {
	return integer(ParseInt, errNoInteger, lo, hi, at)
}

// memory is a number of bytes, at least lo, that may be written with a unit.
func memory(lo int64, at func(*Settings) *int64) field {
	return integer(ParseBytes, errNoMemory, lo, math.MaxInt64, at)
}

func integer(parse func(string) (int64, bool), malformed error, lo, hi int64, at func(*Settings) *int64) field {
	return field{func(s *Settings) string { return strconv.FormatInt(*at(s), 10) }, func(s *Settings, value string) error {
		n, err := within(parse, malformed, lo, hi, value)
		if err == nil {
			*at(s) = n
		}
		return err
	}}
}

func within(parse func(string) (int64, bool), malformed error, lo, hi int64, value string) (int64, error) {
	n, ok := parse(value)
	switch {
	case !ok:
		return 0, malformed
	case n < lo || n > hi:
		return 0, fmt.Errorf("argument must be between %d and %d inclusive", lo, hi)
	}
	return n, nil
}

func yesNo(at func(*Settings) *bool) field {
	return field{func(s *Settings) string { return YesOrNo(*at(s)) }, func(s *Settings, value string) error {
		on, err := parseYesNo(value)
		if err == nil {
			*at(s) = on
		}
		return err
	}}
}

// YesOrNo is how Redis writes a bool.
func YesOrNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

func parseYesNo(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	}
	return false, errNoYesNo
}

// choice is one of the values, which have these names.
func choice[T comparable](at func(*Settings) *T, values []T, names ...string) field {
	get := func(s *Settings) string { return names[slices.Index(values, *at(s))] }
	return field{get, func(s *Settings, value string) error {
		i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, value) })
		if i < 0 {
			return errors.New("argument(s) must be one of the following: " + strings.Join(names, ", "))
		}
		*at(s) = values[i]
		return nil
	}}
}

// Levels are Redis's levels of the log, as its scripts number them.
var Levels = []slog.Level{slog.LevelDebug, slog.LevelDebug + 2, slog.LevelInfo, slog.LevelWarn}

func level() field {
	return choice(func(s *Settings) *slog.Level { return &s.LogLevel }, Levels, "debug", "verbose", "notice", "warning")
}

func syncMode() field {
	return choice(func(s *Settings) *engine.SyncMode { return &s.Sync }, []engine.SyncMode{engine.EverySec, engine.Always, engine.No},
		"everysec", "always", "no")
}

// word is one of the words. What the start says of another ends with the last argument.
func word(at func(*Settings) *string, other string, words ...string) field {
	return field{text(at).get, func(s *Settings, value string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("%q is %s", value, other)
		}
		*at(s) = value
		return nil
	}}
}

func port(at func(*Settings) *int64) field {
	return field{number(0, 0, at).get, func(s *Settings, value string) error {
		if number(0, math.MaxUint16, at).set(s, value) != nil {
			return fmt.Errorf("%s is no TCP port", value)
		}
		return nil
	}}
}

// mode is that of a file, octal.
func mode(at func(*Settings) *fs.FileMode) field {
	return field{func(s *Settings) string { return strconv.FormatUint(uint64(*at(s)), 8) }, func(s *Settings, value string) error {
		bits, err := strconv.ParseUint(value, 8, 9)
		if err != nil {
			return fmt.Errorf("%q is no octal mode", value)
		}
		*at(s) = fs.FileMode(bits)
		return nil
	}}
}

// updatePeriod is a duration ("1s", "250ms") or a whole number of milliseconds.
func updatePeriod() field {
	return field{func(s *Settings) string { return s.UpdatePeriod.String() }, func(s *Settings, value string) error {
		d, err := time.ParseDuration(value)
		if n, ok := ParseInt(value); ok && n <= math.MaxInt64/int64(time.Millisecond) {
			d, err = time.Duration(n)*time.Millisecond, nil
		}
		if err != nil || d < 0 {
			return errors.New("argument must be a duration, as in 1s or 250ms")
		}
		s.UpdatePeriod = d
		return nil
	}}
}

// maxClients has an upper bound that the system sets.
func maxClients() field {
	f := number(1, math.MaxUint32, func(s *Settings) *int64 { return &s.MaxClients })
	return field{f.get, func(s *Settings, value string) error {
		if n, ok := ParseInt(value); ok && s.MostClients > 0 && n > s.MostClients {
			//lint:ignore ST1005 the words are Redis's
			return fmt.Errorf("The operating system is not able to handle the specified number of clients, try with %d", s.MostClients)
		}
		return f.set(s, value)
	}}
}

// clientMemory is a number of bytes, or a percentage.
func clientMemory() field {
	get := func(s *Settings) string {
		if s.ClientMemory < 0 {
			return strconv.FormatInt(-s.ClientMemory, 10) + "%"
		}
		return strconv.FormatInt(s.ClientMemory, 10)
	}
	return field{get, func(s *Settings, value string) error {
		n, ok := ParseBytes(value)
		if percent, is := strings.CutSuffix(value, "%"); is {
			if n, ok = ParseInt(percent); n < 0 || n > 100 {
				ok = false
			}
			n = -n
		}
		if !ok {
			return errors.New("argument must be a memory or percent value")
		}
		s.ClientMemory = n
		return nil
	}}
}

// hz is taken as Redis takes it: what is out of bounds is the bound.
func hz() field {
	f := number(0, math.MaxInt32, func(s *Settings) *int64 { return &s.Hz })
	return field{f.get, func(s *Settings, value string) error {
		err := f.set(s, value)
		s.Hz = min(max(s.Hz, 1), 500)
		return err
	}}
}
