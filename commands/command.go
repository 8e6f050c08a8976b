// Package commands is what a client can ask for: one declarative table (table.go), its dispatch, and a handler for each
// row. It knows the engine and RESP, but no socket: package server brings the bytes in and takes the replies away.
package commands

// Command is one row of the table, or one subcommand of a row.
type Command struct {
	Name       string     // lower case
	FullName   string     // with the container's, as in "config|get"; filled by the index
	Arity      int        // number of arguments, the name included; negative: at least
	Flags      Flags      // as COMMAND INFO shows them
	Categories Categories // beside those that follow from Flags
	Keys       KeySpec
	Group      string // of COMMAND DOCS
	Since      string // version of Redis that brought it
	Summary    string
	Complexity string
	Args       string // syntax of the arguments (syntax.go)
	Tips       string // for COMMAND INFO, separated by spaces
	Run        func(c *Context, args [][]byte)
	Sub        []Command
}

// Fits says whether a call with n arguments, the name included, is allowed.
func (c *Command) Fits(n int) bool { return n == c.Arity || c.Arity < 0 && n >= -c.Arity }
