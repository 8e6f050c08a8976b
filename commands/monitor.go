package commands

import (
	"fmt"
	"sync"
	"time"
)

// monitors are the clients that watch all commands.
type monitors struct {
	mu   sync.Mutex
	list map[*Client]struct{}
}

// monitor shows this connection every command that the server runs from now on.
func monitor(c *Context, _ [][]byte) {
	c.Out.OK()
	m := &c.Server.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil {
		m.list = make(map[*Client]struct{})
	}
	m.list[c.Client] = struct{}{}
	c.Client.monitors.Store(true)
	c.Server.pay(payMonitors, true)
}

func (s *Server) stopMonitor(cl *Client) {
	m := &s.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.list, cl)
	cl.monitors.Store(false)
	s.pay(payMonitors, len(m.list) > 0)
}

// feed shows a command to all who watch, in the format of Redis. Those of administrators are not shown.
func (m *monitors) feed(c *Context, cmd *Command, args [][]byte) {
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
		line = appendQuoted(append(line, ' '), arg)
	}
	line = append(line, '\r', '\n')
	m.mu.Lock()
	defer m.mu.Unlock()
	for cl := range m.list {
		c.tell(cl, message{line, line})
	}
}

// appendQuoted writes a string as redis-cli reads it.
func appendQuoted(b, s []byte) []byte {
	b = append(b, '"')
	for _, ch := range s {
		switch ch {
		case '\\', '"':
			b = append(b, '\\', ch)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\a':
			b = append(b, `\a`...)
		case '\b':
			b = append(b, `\b`...)
		default:
			if ' ' <= ch && ch <= '~' {
				b = append(b, ch)
			} else {
				b = fmt.Appendf(b, `\x%02x`, ch)
			}
		}
	}
	return append(b, '"')
}
