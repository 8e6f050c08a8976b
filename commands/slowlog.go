package commands

import (
	"fmt"

	"atomiccounter/commands/resp"
	"atomiccounter/commands/stats"
)

// redacted hides passwords from clients that look at commands. It finds them as the commands do.
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
	writeSlowEntries(&c.Out, c.Server.Stats.Slow.Newest(n))
}

func writeSlowEntries(r *resp.Reply, list []stats.SlowEntry) {
	r.Array(len(list))
	for i := range list {
		e := &list[i]
		r.Array(6)
		r.Int(e.ID)
		r.Int(e.At)
		r.Int(e.Took.Microseconds())
		r.Array(len(e.Args))
		for _, arg := range e.Args {
			r.BulkString(arg)
		}
		r.BulkString(e.Addr)
		r.BulkString(e.Name)
	}
}

func slowLogLen(c *Context, _ [][]byte) { c.Out.Int(int64(c.Server.Stats.Slow.Len())) }

func slowLogReset(c *Context, _ [][]byte) {
	c.Server.Stats.Slow.Reset()
	c.Out.OK()
}

// wrongSubcommand is what Redis says of a subcommand that takes other arguments.
func wrongSubcommand(args [][]byte) string {
	return fmt.Sprintf("ERR unknown subcommand or wrong number of arguments for '%s'. Try %s HELP.", beginning(args[1], shown), upper(args[0]))
}
