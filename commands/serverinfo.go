package commands

// lastSave is when the database last got what was journaled. Nothing that is acknowledged waits for that.
func lastSave(c *Context, _ [][]byte) {
	c.Out.Int(max(c.Server.Engine.LastFlush().Unix(), c.Server.Started.Unix()))
}
