package commands

import "bytes"

func scriptLoad(c *Context, args [][]byte) {
	s, err := c.Server.Scripts.machine().Load(args[2])
	if err != nil {
		c.Out.Error("ERR " + err.Error())
		return
	}
	c.Out.BulkString(s.SHA)
}

func scriptExists(c *Context, args [][]byte) {
	c.Out.Array(len(args) - 2)
	for _, sha := range args[2:] {
		c.Out.Bool(c.Server.Scripts.machine().Has(bytes.ToLower(sha)))
	}
}

func scriptFlush(c *Context, args [][]byte) {
	if len(args) > 3 || len(args) == 3 && !same(args[2], "sync") && !same(args[2], "async") {
		c.Out.Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
		return
	}
	c.Server.Scripts.machine().Flush()
	c.Out.OK()
}

func scriptKill(c *Context, _ [][]byte) {
	if refusal, ok := c.Server.Scripts.kill(); !ok {
		c.Out.Error(refusal)
		return
	}
	c.Out.OK()
}

// scriptDebug knows no debugger, and so takes only its end. A client that does not heed that has its next script refused.
func scriptDebug(c *Context, args [][]byte) {
	switch {
	case same(args[2], "no"):
		c.Client.debugs = false
		c.Out.OK()
	case same(args[2], "yes") || same(args[2], "sync"):
		c.Client.debugs = true
		c.Out.Error("ERR SCRIPT DEBUG: there is no debugger here; use redis.log")
	default:
		c.Out.Error("ERR Use SCRIPT DEBUG YES/SYNC/NO")
	}
}
