package commands

// lastSave is when the database last got what was journaled. Nothing that is acknowledged waits for that.
func lastSave(c *Context, _ [][]byte) {
	last, _ := c.Server.Engine.LastFlush()
	c.Out.Int(max(last.Unix(), c.Server.Started.Unix()))
}
