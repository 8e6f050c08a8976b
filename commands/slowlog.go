package commands

import (
	"fmt"
	"sync"
	"time"

	"atomiccounter/commands/resp"
)

// slowLog keeps the commands that took longest of late, the newest last. The zero value is empty.
type slowLog struct {
	mu   sync.Mutex
	list []slowEntry
	next int64 // ID
}

type slowEntry struct {
	id         int64
	at         int64 // s since the Unix epoch
	took       time.Duration
	args       []string
	addr, name string
}

// Bounds of what is kept of a call, as in Redis.
const (
	slowArgs     = 32
	slowArgBytes = 128
)

func (l *slowLog) add(cl *Client, cmd *Command, args [][]byte, took time.Duration, most int64) {
	e := slowEntry{at: time.Now().Unix(), took: took, args: trimmed(redacted(cmd, args)), addr: cl.Addr, name: cl.Name()}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.next
	l.next++
	l.list = append(l.list, e)
	l.cut(most)
}

func (l *slowLog) cut(most int64) {
	if n := int64(len(l.list)) - most; n > 0 {
		l.list = append(l.list[:0], l.list[n:]...)
	}
}

// trimmed keeps the first arguments of a call and their beginnings, and says how much it leaves out.
func trimmed(args [][]byte) []string {
	n := min(len(args), slowArgs)
	list := make([]string, 0, n)
	for i := range n {
		switch arg := args[i]; {
		case i == slowArgs-1 && len(args) > slowArgs:
			list = append(list, fmt.Sprintf("... (%d more arguments)", len(args)-n+1))
		case len(arg) > slowArgBytes:
			list = append(list, fmt.Sprintf("%s... (%d more bytes)", arg[:slowArgBytes], len(arg)-slowArgBytes))
		default:
			list = append(list, string(arg))
		}
	}
	return list
}

// redacted hides passwords from those who look at commands. It finds them as the commands do.
func redacted(cmd *Command, args [][]byte) [][]byte {
	from := len(args)
	switch cmd.FullName {
	case "auth":
		from = 1
	case "cauth|hello", "cauth|proof", "cauth|secret":
		from = 2
	case "hello":
		for i := 2; i < len(args); i++ {
			switch {
			case same(args[i], "auth"):
				args = hide(args, i+1, i+2)
				i += 2
			case same(args[i], "setname"):
				i++
			}
		}
	case "config|set":
		for i := 2; i+1 < len(args); i += 2 {
			if same(cString(args[i]), "requirepass") {
				args = hide(args, i+1, i+1)
			}
		}
	}
	return hide(args, from, len(args)-1)
}

func hide(args [][]byte, from, to int) [][]byte {
	if from > to {
		return args
	}
	args = append([][]byte(nil), args...)
	for i := from; i <= to && i < len(args); i++ {
		args[i] = []byte("(redacted)")
	}
	return args
}

const slowDefault = 10 // entries that SLOWLOG GET shows

func slowLogGet(c *Context, args [][]byte) {
	n := int64(slowDefault)
	switch {
	case len(args) > 3:
		c.Out.Error(wrongSubcommand(args))
		return
	case len(args) == 3:
		var ok bool
		if n, ok = ParseInt(args[2]); !ok || n < -1 {
			c.Out.Error("ERR count should be greater than or equal to -1")
			return
		}
	}
	writeSlowEntries(&c.Out, c.Server.slow.newest(n))
}

// newest gives the newest n entries, the newest first; -1: all.
func (l *slowLog) newest(n int64) (list []slowEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 {
		n = int64(len(l.list))
	}
	for i := len(l.list) - 1; i >= 0 && n > 0; i, n = i-1, n-1 {
		list = append(list, l.list[i])
	}
	return list
}

func writeSlowEntries(r *resp.Reply, list []slowEntry) {
	r.Array(len(list))
	for i := range list {
		e := &list[i]
		r.Array(6)
		r.Int(e.id)
		r.Int(e.at)
		r.Int(e.took.Microseconds())
		r.Array(len(e.args))
		for _, arg := range e.args {
			r.BulkString(arg)
		}
		r.BulkString(e.addr)
		r.BulkString(e.name)
	}
}

func slowLogLen(c *Context, _ [][]byte) {
	l := &c.Server.slow
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Out.Int(int64(len(l.list)))
}

func slowLogReset(c *Context, _ [][]byte) {
	l := &c.Server.slow
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
	c.Out.OK()
}

// wrongSubcommand is what Redis says of a subcommand that takes other arguments.
func wrongSubcommand(args [][]byte) string {
	return fmt.Sprintf("ERR unknown subcommand or wrong number of arguments for '%s'. Try %s HELP.", beginning(args[1], shown), upper(args[0]))
}
