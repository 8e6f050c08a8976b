package commands

import (
	"atomiccounter/commands/lua"
	"atomiccounter/commands/push"
	"atomiccounter/commands/resp"
	"atomiccounter/commands/stats"
	"atomiccounter/engine"
)

// Context is all that a handler has: it parses its arguments, then acts on Pipe, Client or Server, then writes one reply
// to Out. It never sees the connection. One session owns one Context and uses it from one goroutine at a time.
//
// The session runs commands, then commits Pipe, then sends Out.Buf. Handlers do not commit, and do not block: Pipe holds
// locks from the first command to Commit. One that has something to wait for says so (wait.go).
type Context struct {
	Pipe   *engine.Pipeline // selected database included
	Out    resp.Reply
	Client *Client
	Server *Server
	Wait   *Wait // of the last command, which has no reply yet; nil: it has

	served   bool // all commands are answered: the store is open and has joined its peers
	multi    transaction
	inside   bool           // a transaction or a script, which holds up all others
	script   *lua.Call      // that runs; nil: none
	declared [][]byte       // keys that it was given
	passedOn bool           // the error that a script replies is that of its command, which is counted
	track    push.Mode      // of the client; tracking has it too
	caching  bool           // CLIENT CACHING was said before this command
	ran      *Command       // last; nil: it was rejected
	created  []string       // keys of which no client has been told yet
	early    []byte         // what the command sent to its own client, in other words than its reply
	letters  []letter       // to others, which wait for the end of the section
	unmuted  bool           // its reply is one that cannot be turned off
	round    stats.Round    // figures of the round
	values   []engine.Value // of MGET, for the next one
	table    *index         // of all commands; Run sets it, because handlers that refer to the table would be a cycle
}

// NewContext gives a connection its context, in RESP2 and database 0. The client is authenticated if there is no password.
func (s *Server) NewContext(c *Client) *Context {
	c.Authenticated.Store(s.Config.Password() == "")
	c.Proto.Store(2)
	pipe := &engine.Pipeline{Hasty: true}
	c.server = s
	c.push = push.NewReceiver(c.memory.ended, c.Queued, func() {
		if c.Wake != nil {
			c.Wake()
		}
	})
	c.queue.touched = pipe.Touched
	ctx := &Context{Pipe: pipe, Out: resp.Reply{Proto: 2}, Client: c, Server: s}
	pipe.Observe(ctx.changed)
	ctx.Join()
	return ctx
}

// Join gives Pipe the engine, once there is one, and finds out when all commands may be answered. The session calls it between two rounds;
// until then the store counts as loading.
func (c *Context) Join() {
	if c.served {
		return
	}
	if !c.Pipe.Joined() && !c.Server.Loading() {
		c.Pipe.Join(c.Server.Engine)
	}
	c.served = c.Pipe.Joined() && !c.Server.joining()
}
