package commands

import (
	"atomiccounter/engine"
)

// Context is all that a handler has: it parses its arguments, then acts on Pipe, Client or Server, then writes one reply
// to Out. It never sees the connection. One session owns one Context and uses it from one goroutine at a time.
type Context struct {
	Pipe   *engine.Pipeline // selected database included
	Out    Reply
	Client *Client
	Server *Server
}
