package config

import (
	"errors"
	"strings"
)

// eventLetters are Redis's letters of the classes of keyspace events, in the order in which CONFIG GET shows them. Bit i of
// Settings.Events is for the letter at i; A stands for those up to d.
const (
	eventLetters        = "g$lshzxetdnKEm"
	newEvents    uint32 = 1 << 10
	allEvents           = newEvents - 1
)

func events() field {
	return field{func(s *Settings) string { return eventNames(s.Events) }, func(s *Settings, value string) error {
		set := uint32(0)
		for i := range len(value) {
			at := strings.IndexByte(eventLetters, value[i])
			switch {
			case value[i] == 'A':
				set |= allEvents
			case at < 0:
				//lint:ignore ST1005 Redis's words
				return errors.New("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
			default:
				set |= 1 << at
			}
		}
		s.Events = set
		return nil
	}}
}

// eventNames writes a set as Redis does, which leaves n out beside A.
func eventNames(set uint32) (names string) {
	if set&allEvents == allEvents {
		names = "A"
		set &^= allEvents | newEvents
	}
	for i := range len(eventLetters) {
		if set&(1<<i) != 0 {
			names += eventLetters[i : i+1]
		}
	}
	return names
}
