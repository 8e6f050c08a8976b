package commands

import (
	"errors"
	"fmt"
	"strings"
)

// bufferLimits is client-output-buffer-limit. There are no replicas of Redis's kind: peers are normal clients.
type bufferLimits struct{ normal, slave, pubsub limit }

func (l bufferLimits) String() string {
	return fmt.Sprintf("normal %s slave %s pubsub %s", l.normal, l.slave, l.pubsub)
}

// limit is one class of client-output-buffer-limit: bytes that end a connection at once, and bytes that do after some time.
// 0: no limit.
type limit struct {
	hard, soft int64
	patience   int64 // s
}

func (l limit) String() string { return fmt.Sprintf("%d %d %d", l.hard, l.soft, l.patience) }

// takeLimits reads classes with their limits: those not named stay.
func takeLimits(s *Server, value string) (func() error, error) {
	words := strings.Fields(value)
	if len(words)%4 != 0 {
		//lint:ignore ST1005 Redis's words
		return nil, errors.New("Wrong number of arguments in buffer limit configuration.")
	}
	limits := s.Config.limits()
	for ; len(words) > 0; words = words[4:] {
		class := limits.class(words[0])
		if class == nil {
			//lint:ignore ST1005 Redis's words
			return nil, errors.New("Invalid client class specified in buffer limit configuration.")
		}
		hard, ok1 := parseBytes([]byte(words[1]))
		soft, ok2 := parseBytes([]byte(words[2]))
		patience, ok3 := ParseInt([]byte(words[3]))
		if !ok1 || !ok2 || !ok3 || patience < 0 {
			//lint:ignore ST1005 Redis's words
			return nil, errors.New("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		*class = limit{hard, soft, patience}
	}
	return sure(func() { s.Config.outputLimits.Store(&limits) }), nil
}

func (l *bufferLimits) class(name string) *limit {
	switch strings.ToLower(name) {
	case "normal":
		return &l.normal
	case "slave", "replica":
		return &l.slave
	case "pubsub":
		return &l.pubsub
	}
	return nil
}
