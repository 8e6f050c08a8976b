package config

import (
	"errors"
	"fmt"
	"strings"
)

// BufferLimits is client-output-buffer-limit. There are no replicas of Redis's kind: peers are normal clients.
type BufferLimits struct{ Normal, Slave, PubSub BufferLimit }

func (l BufferLimits) String() string {
	return fmt.Sprintf("normal %s slave %s pubsub %s", l.Normal, l.Slave, l.PubSub)
}

// BufferLimit is one class of client-output-buffer-limit: bytes that end a connection at once, and bytes that do after some time.
// 0: no limit.
type BufferLimit struct {
	Hard, Soft int64
	Patience   int64 // s
}

func (l BufferLimit) String() string { return fmt.Sprintf("%d %d %d", l.Hard, l.Soft, l.Patience) }

func outputLimits() field {
	return field{func(s *Settings) string { return s.OutputLimits.String() }, func(s *Settings, value string) error {
		limits, err := s.OutputLimits.with(strings.Fields(value))
		if err == nil {
			s.OutputLimits = limits
		}
		return err
	}}
}

// with reads classes with their limits: those not named stay.
func (l BufferLimits) with(words []string) (BufferLimits, error) {
	if len(words)%4 != 0 {
		//lint:ignore ST1005 Redis's words
		return l, errors.New("Wrong number of arguments in buffer limit configuration.")
	}
	for ; len(words) > 0; words = words[4:] {
		class := l.Class(words[0])
		if class == nil {
			//lint:ignore ST1005 Redis's words
			return l, errors.New("Invalid client class specified in buffer limit configuration.")
		}
		hard, ok1 := ParseBytes(words[1])
		soft, ok2 := ParseBytes(words[2])
		patience, ok3 := ParseInt(words[3])
		if !ok1 || !ok2 || !ok3 || patience < 0 {
			//lint:ignore ST1005 Redis's words
			return l, errors.New("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		*class = BufferLimit{hard, soft, patience}
	}
	return l, nil
}

// Class gives the limit of a class of clients; nil: there is none of that name.
func (l *BufferLimits) Class(name string) *BufferLimit {
	switch strings.ToLower(name) {
	case "normal":
		return &l.Normal
	case "slave", "replica":
		return &l.Slave
	case "pubsub":
		return &l.PubSub
	}
	return nil
}
