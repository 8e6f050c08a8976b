package commands

import (
	"strings"

	"atomiccounter/engine"
)

func (s *Server) trackingClients() int { return s.tracking.count() }

// tracks says that somebody caches keys. It is asked after a change can be seen: who begins to track afterwards reads the
// new value.
func (s *Server) tracks() bool { return s.attention.Load()&payTracking != 0 }

// Lapse tells those who cache keys of the ones that have expired, here or elsewhere. It is called several times a second.
func (s *Server) Lapse() {
	if s.tracks() && !s.Loading() {
		s.tracking.lapsed(s.Engine.Now())
	}
}

// remember notes the keys that the command is about to read, if its client caches them.
func (c *Context) remember(cmd *Command, args [][]byte) {
	if keys := c.cached(cmd, args); len(keys) > 0 {
		c.Server.tracking.note(c.Client, keys, c.Server.Config.Load().TrackedKeys)
	}
}

// caches says whether the client caches what the command reads. A script itself reads nothing.
func (c *Context) caches(cmd *Command) bool {
	m := c.track
	return m.on && !m.broadcast && cmd.Flags&ReadOnly != 0 && cmd.Flags&scripted != scripted && !(m.optIn && !c.caching) && !(m.optOut && c.caching)
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

// rememberLapse notes when the keys that the command has read will expire.
func (c *Context) rememberLapse(cmd *Command, args [][]byte) {
	for _, key := range c.cached(cmd, args) {
		if at, ok, err := c.Pipe.ExpireTime(key); err == nil && ok && at != 0 {
			c.Server.tracking.noteLapse(key, at)
		}
	}
}

// invalidate tells those who cache the keys of a command that has changed something.
func (c *Context) invalidate(cmd *Command, args [][]byte) {
	if keys := cmd.Keys.Of(args); len(keys) > 0 {
		c.Server.tracking.changed(keys, c.Client)
	}
}

// invalidateOf tells those who cache a key of what no command did.
func (s *Server) invalidateOf(key string, ch engine.Change) {
	switch {
	case !s.tracks():
	case ch == engine.Everything:
		s.tracking.everything()
	default:
		s.tracking.changed([][]byte{[]byte(key)}, nil)
	}
}

// forgetCaching ends what CLIENT CACHING has said of the command after it, unless that was one of CLIENT. A transaction counts as one.
func (c *Context) forgetCaching() {
	if !c.multi.open && (c.ran == nil || !strings.HasPrefix(c.ran.FullName, "client|")) {
		c.caching = false
	}
}
