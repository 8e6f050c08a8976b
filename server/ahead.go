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
	keys       [][]byte // of commands, one for all in a row that have the same
}

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
	a.next, a.size, a.keys = 0, 0, a.keys[:0]
	for a.size < len(a.commands) {
		c := &a.commands[a.size]
		a.used = max(a.used, a.size+1)
		if c.read(in); c.bytes == 0 {
			return
		}
		a.size++
		in = in[c.bytes:]
		if n := len(a.keys); len(c.args) > 1 && (n == 0 || !bytes.Equal(c.args[1], a.keys[n-1])) {
			a.keys = append(a.keys, c.args[1])
		}
	}
}

// drop lets go of all commands, and of the input with them.
func (a *ahead) drop() {
	for i := range a.commands[:a.used] {
		clear(a.commands[i].args[:cap(a.commands[i].args)])
	}
	clear(a.keys[:cap(a.keys)])
	a.next, a.size, a.used = 0, 0, 0
}

// held is how many bytes it has taken.
func (a *ahead) held() (n int64) {
	for i := range a.commands {
		n += int64(cap(a.commands[i].args)) * 24
	}
	return n + int64(cap(a.keys))*24
}

// read reads a command that is all there and has few and short arguments, within every limit, as nearly all have. Its length is 0
// if in begins with any other.
func (c *command) read(in []byte) {
	c.bytes = 0
	count, p := shortNumber(in, 0, '*')
	if count > maxUnauthArgs || count == 0 {
		return
	}
	args := c.args[:0]
	for range count {
		size, from := shortNumber(in, p, '$')
		p = from + size + 2
		if from == 0 || p > len(in) {
			return
		}
		args = append(args, in[from:from+size:from+size])
	}
	c.args, c.bytes = args, p
}
