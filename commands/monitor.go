package commands

import (
	"fmt"
	"time"

	"atomiccounter/commands/push"
)

// monitor shows this connection every command that the server runs from now on.
func monitor(c *Context, _ [][]byte) {
	c.Out.OK()
	s := c.Server
	s.push.mu.Lock()
	defer s.push.mu.Unlock()
	s.push.monitors.Add(c.Client.push)
	s.pay(payMonitors, true)
}

func (s *Server) stopMonitor(cl *Client) {
	s.push.mu.Lock()
	defer s.push.mu.Unlock()
	s.pay(payMonitors, s.push.monitors.Remove(cl.push))
}

// showMonitors shows a command to all that watch, in the format of Redis. Those of administrators are not shown.
func (c *Context) showMonitors(cmd *Command, args [][]byte) {
	if cmd.Flags&Admin != 0 {
		return
	}
	now := time.Now()
	addr := c.Client.Addr
	switch {
	case c.script != nil:
		addr = "lua"
	case c.Client.Unix:
		addr = "unix:" + c.Client.Addr[:max(len(c.Client.Addr)-len(":0"), 0)]
	}
	line := fmt.Appendf(nil, "+%d.%06d [%d %s]", now.Unix(), now.Nanosecond()/1000, c.Pipe.DB, addr)
	for _, arg := range redacted(cmd, args) {
		line = push.AppendQuoted(append(line, ' '), arg)
	}
	c.Server.push.monitors.Show(append(line, '\r', '\n'), c.tell)
}
