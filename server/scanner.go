package server

import (
	"fmt"
	"math"
	"slices"
)

// Limits of a request, in bytes but for the counts of arguments. Those of unauthenticated clients hold while a password
// is asked for.
const (
	maxLine         = 64 << 10      // an inline command, or the line that announces a length
	maxArgs         = math.MaxInt32 // arguments of one command; room is made as they arrive
	maxUnauthArgs   = 10            //
	maxUnauthBulk   = 16 << 10      // one argument
	maxUnauthBuffer = 64 << 10      // one command
)

// protocolError is a request that cannot be understood. Its text is what Redis says; the connection ends with it.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

const (
	errMultibulkLength       = protocolError("invalid multibulk length")
	errBulkLength            = protocolError("invalid bulk length")
	errUnauthMultibulkLength = protocolError("unauthenticated multibulk length")
	errUnauthBulkLength      = protocolError("unauthenticated bulk length")
	errBigMultibulkLine      = protocolError("too big mbulk count string")
	errBigBulkLine           = protocolError("too big bulk count string")
	errBigInline             = protocolError("too big inline request")
	errQuotes                = protocolError("unbalanced quotes in request")
)

// limits bound one command.
type limits struct {
	bulk   int64 // longest argument in bytes
	unauth bool  // the client has still to authenticate
}

// scanner finds the commands in what a client sent. It looks at every byte once, however the bytes are cut: what it
// knows of an incomplete command it keeps as offsets, because the caller moves the bytes as more of them arrive.
//
// The accepted language is that of Redis 7.0: a line ends with a carriage return and whatever byte follows, and so does
// an argument after its announced length.
type scanner struct {
	at   int // scanned so far, from the first byte of the command
	seen int // beyond at, looked through for a line end in vain
	left int // arguments that are still to come; 0: a command begins
	size int // length of the argument that comes next; negative: the line with it comes next

	spans []span   // arguments found so far
	args  [][]byte // of the last complete command: slices of the input, or of inline
	words []byte   // arguments of an inline command, unquoted
}

type span struct{ from, to int }

// next reads the command that in begins with. It returns the command's length in bytes, and its arguments in s.args,
// which are slices of in; there are none for an empty line or array, which is no command. Length 0 says that the command
// is incomplete: the caller comes again with the same bytes and more.
func (s *scanner) next(in []byte, lim limits) (int, error) {
	if s.left == 0 {
		if len(in) == 0 {
			return 0, nil
		}
		if in[0] != '*' {
			return s.inline(in)
		}
		if n, err := s.begin(in, lim); s.left == 0 {
			return n, err
		}
	}
	for s.left > 0 {
		if done, err := s.argument(in, lim); !done || err != nil {
			return 0, err
		}
	}
	return s.finish(in), nil
}

// atStart says that no command has been begun.
func (s *scanner) atStart() bool { return s.left == 0 && s.at == 0 && s.seen == 0 }

// begin reads the line with the number of arguments. The length it returns is that of an array that holds none.
func (s *scanner) begin(in []byte, lim limits) (int, error) {
	n, state := s.number(in)
	switch {
	case state == incomplete:
		if len(in) > maxLine {
			return 0, errBigMultibulkLine
		}
		return 0, nil
	case state == malformed || n > maxArgs:
		return 0, errMultibulkLength
	case n > maxUnauthArgs && lim.unauth:
		return 0, errUnauthMultibulkLength
	case n <= 0:
		return s.finish(in), nil
	}
	s.left, s.size = int(n), -1
	return 0, nil
}

// argument reads one argument, or reports that it is not all there.
func (s *scanner) argument(in []byte, lim limits) (bool, error) {
	if s.size < 0 {
		if done, err := s.bulkLength(in, lim); !done || err != nil {
			return false, err
		}
	}
	if len(in)-s.at < s.size+2 {
		return false, nil
	}
	s.spans = append(s.spans, span{s.at, s.at + s.size})
	s.at += s.size + 2
	s.size = -1
	s.left--
	return true, nil
}

func (s *scanner) bulkLength(in []byte, lim limits) (bool, error) {
	mark := s.at
	n, state := s.number(in)
	switch {
	case state == incomplete:
		if len(in)-s.at > maxLine {
			return false, errBigBulkLine
		}
		return false, nil
	case in[mark] != '$':
		return false, protocolError(fmt.Sprintf("expected '$', got '%s'", in[mark:mark+1]))
	case state == malformed || n < 0 || n > lim.bulk:
		return false, errBulkLength
	case n > maxUnauthBulk && lim.unauth:
		return false, errUnauthBulkLength
	}
	s.size = int(n)
	return true, nil
}

// finish slices the arguments out of a complete command and makes ready for the next.
func (s *scanner) finish(in []byte) int {
	s.args = slices.Grow(s.args[:0], len(s.spans))
	for _, a := range s.spans {
		s.args = append(s.args, in[a.from:a.to:a.to])
	}
	n := s.at
	s.reset()
	return n
}

func (s *scanner) reset() {
	s.at, s.seen, s.left = 0, 0, 0
	s.spans = s.spans[:0]
}

// forget lets go of the last command, whose arguments are in a buffer that is not the scanner's, and of what an
// unusually long command needed.
func (s *scanner) forget() {
	const usual = 1 << 10
	clear(s.args)
	if cap(s.args) > usual {
		s.args = nil
	}
	if cap(s.spans) > usual && s.left == 0 {
		s.spans = nil
	}
	if cap(s.words) > usual {
		s.words = nil
	}
}

// held is how many bytes it has taken.
func (s *scanner) held() int64 { return int64(cap(s.spans)*16 + cap(s.args)*24 + cap(s.words)) }

// wants is how many bytes the command has at least, from its first, as far as it is announced.
func (s *scanner) wants() int {
	if s.left > 0 && s.size >= 0 {
		return s.at + s.size + 2
	}
	return s.at + 1
}
