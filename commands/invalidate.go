package commands

import (
	"strings"

	"atomiccounter/engine"
)

func (s *Server) trackingClients() int { return s.push.tracking.Clients() }

// tracks says that a client caches keys. It is asked after a change can be seen: a client that begins to track afterwards reads the
// new value.
func (s *Server) tracks() bool { return s.attention.Load()&payTracking != 0 }

// TellExpired tells the clients that cache keys of the ones that have expired, here or elsewhere. It is called several times a second.
func (s *Server) TellExpired() {
	if s.tracks() && !s.Loading() {
		s.push.tracking.TellExpired(s.Engine.Now())
	}
}

// remember notes the keys that the command is about to read, if its client caches them.
func (c *Context) remember(cmd *Command, args [][]byte) {
	if keys := c.cached(cmd, args); len(keys) > 0 {
		c.Server.push.tracking.Note(c.Client.ID, keys, c.Server.Config.Load().TrackedKeys)
	}
}

// caches says whether the client caches what the command reads. A script itself reads nothing.
func (c *Context) caches(cmd *Command) bool {
	m := c.track
	return m.On && !m.Broadcast && cmd.Flags&ReadOnly != 0 && cmd.Flags&scripted != scripted && !(m.OptIn && !c.caching) && !(m.OptOut && c.caching)
}

// cached gives the keys that the client caches as the command has read them. If a script reads anything those are the keys that
// the script was given.
func (c *Context) cached(cmd *Command, args [][]byte) [][]byte {
	switch {
	case !c.caches(cmd):
		return nil
	case c.script != nil:
		return c.declared
	}
	return cmd.Keys.Of(args)
}

// rememberExpiry notes when the keys that the command has read will expire.
func (c *Context) rememberExpiry(cmd *Command, args [][]byte) {
	for _, key := range c.cached(cmd, args) {
		if at, ok, err := c.Pipe.ExpireTime(key); err == nil && ok && at != 0 {
			c.Server.push.tracking.NoteExpiry(key, at)
		}
	}
}

// invalidate tells the clients that cache the keys of a command that has changed something.
func (c *Context) invalidate(cmd *Command, args [][]byte) {
	if keys := cmd.Keys.Of(args); len(keys) > 0 {
		c.Server.push.tracking.Changed(keys, c.Client.ID)
	}
}

// invalidateOf tells the clients that cache a key of what no command did.
func (s *Server) invalidateOf(key string, ch engine.Change) {
	switch {
	case !s.tracks():
	case ch == engine.Everything:
		s.push.tracking.Everything()
	default:
		s.push.tracking.Changed([][]byte{[]byte(key)}, 0)
	}
}

// forgetCaching ends what CLIENT CACHING has said of the command after it, unless that was one of CLIENT. A transaction counts as one.
func (c *Context) forgetCaching() {
	if !c.multi.open && (c.ran == nil || !strings.HasPrefix(c.ran.FullName, "client|")) {
		c.caching = false
	}
}
