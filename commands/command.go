// Package commands is what a client can ask for: one declarative table (table.go), its dispatch, and a handler for each
// row. It knows the engine and RESP, but no socket: package server brings the bytes in and takes the replies away.
//
// A handler parses all its arguments, then acts, then writes exactly one reply. Texts of errors are those of Redis 7.0,
// letter for letter; clients tell errors apart by them.
package commands

import (
	"bytes"
	"strconv"
)

// Command is one row of the table, or one subcommand of a row.
type Command struct {
	Name       string     // lower case
	id         int        // place among all, for figures; the index fills it in
	FullName   string     // with the container's, as in "config|get"; the index fills it in
	Arity      int        // number of arguments, the name included; negative: at least
	Flags      Flags      // as COMMAND INFO shows them
	Categories Categories // beside those that follow from Flags
	Keys       KeySpec
	Group      string // of COMMAND DOCS
	Since      string // the version of Redis that brought it, or of this server for its own
	Summary    string
	Complexity string
	Args       string // syntax of the arguments (syntax.go)
	Tips       string // of COMMAND INFO, separated by spaces
	Run        func(c *Context, args [][]byte)
	Sub        []Command
}

// Fits says whether a call with n arguments, the name included, is allowed.
func (c *Command) Fits(n int) bool { return n == c.Arity || c.Arity < 0 && n >= -c.Arity }

// sub is the subcommand of that name in any case, or nil.
func (c *Command) sub(name []byte) *Command {
	for i := range c.Sub {
		if same(name, c.Sub[i].Name) {
			return &c.Sub[i]
		}
	}
	return nil
}

// KeySpec says which arguments are keys: every Step-th from First to Last, which counts from the end if it is negative.
// The zero KeySpec means none.
type KeySpec struct {
	First, Last, Step int
	Count             int    // which argument says how many keys come right behind it; First, Last and Step are 0 then
	Access            string // what is done with them, in the words of COMMAND INFO; two separated by "; " if they differ
}

// Of gives the keys of a call, the arguments themselves.
func (k KeySpec) Of(args [][]byte) [][]byte {
	if k.Count != 0 {
		return k.counted(args)
	}
	if k.First == 0 {
		return nil
	}
	last := k.Last
	if last < 0 {
		last += len(args)
	}
	keys := make([][]byte, 0, len(args))
	for i := k.First; i <= last && i < len(args); i += k.Step {
		keys = append(keys, args[i])
	}
	return keys
}

// counted gives keys of which an argument says how many there are; nil if they are not that many.
func (k KeySpec) counted(args [][]byte) [][]byte {
	if k.Count >= len(args) {
		return nil
	}
	n := leadingInt(args[k.Count])
	if n < 1 || n > int64(len(args)-1-k.Count) {
		return nil
	}
	return args[k.Count+1:][:n]
}

// leadingInt is the number that b begins with, or 0. Redis counts keys with C's atoi, and is stricter only when the command runs.
func leadingInt(b []byte) int64 {
	b = bytes.TrimPrefix(bytes.TrimLeft(b, " \t\n\v\f\r"), []byte("+"))
	digits := len(b) - len(bytes.TrimLeft(b, "0123456789"))
	n, _ := strconv.ParseInt(string(b[:digits]), 10, 32) // none: 0; too many: more than there are keys
	return n
}

// Any says whether the command has keys at all.
func (k KeySpec) Any() bool { return k.First != 0 || k.Count != 0 }
