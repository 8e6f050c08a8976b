package server

import (
	"bytes"

	"atomiccounter/engine"
)

// ahead holds the short commands that were read and have not run yet. The engine is told of their keys before the first of them
// runs. The commands are slices of the input, so they are dropped when a round ends.
type ahead struct {
	commands   [engine.MaxAhead]command
	next, size int      // of commands: those from next on have still to run
	used       int      // of commands in this round
	args       [][]byte // of commands
	keys       [][]byte // of commands, one for all in a row that have the same
}

// maxAheadArgs bounds what args keeps of a client for good. One command always fits.
const maxAheadArgs = 64

// command is a command as read.
type command struct {
	args  [][]byte
	bytes int // in the input
}

// take gives the oldest command; nil: there is none.
func (a *ahead) take() *command {
	if a.next == a.size {
		return nil
	}
	a.next++
	return &a.commands[a.next-1]
}

// read reads the short commands that in begins with, in place of those that have run, and collects their keys. What it takes for
// a key need not be one.
func (a *ahead) read(in []byte) {
	a.next, a.size, a.args, a.keys = 0, 0, a.args[:0], a.keys[:0]
	for a.size < len(a.commands) {
		args, n := readShort(in, a.args)
		if n == 0 || len(args) > maxAheadArgs {
			return
		}
		c := args[len(a.args):len(args):len(args)]
		a.commands[a.size] = command{c, n}
		a.args, in = args, in[n:]
		a.size++
		a.used = max(a.used, a.size)
		if n := len(a.keys); len(c) > 1 && (n == 0 || !bytes.Equal(c[1], a.keys[n-1])) {
			a.keys = append(a.keys, c[1])
		}
	}
}

// drop lets go of all commands, and of the input with them.
func (a *ahead) drop() {
	clear(a.commands[:a.used])
	clear(a.args[:cap(a.args)])
	clear(a.keys[:cap(a.keys)])
	a.next, a.size, a.used = 0, 0, 0
}

// held is how many bytes it has taken.
func (a *ahead) held() int64 { return int64(cap(a.args)+cap(a.keys)) * 24 }

// readShort appends the arguments of a command that is all there and has few and short ones, within every limit, as nearly all have.
// Its length is 0 if in begins with any other.
func readShort(in []byte, args [][]byte) (all [][]byte, length int) {
	count, p := shortNumber(in, 0, '*')
	if count > maxUnauthArgs || count == 0 {
		return args, 0
	}
	for range count {
		size, from := shortNumber(in, p, '$')
		p = from + size + 2
		if from == 0 || p > len(in) {
			return args, 0
		}
		args = append(args, in[from:from+size:from+size])
	}
	return args, p
}
