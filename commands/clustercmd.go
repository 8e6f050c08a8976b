package commands

// noCluster is every command that only a cluster has. Clients go on without one when they read it.
func noCluster(c *Context, _ [][]byte) {
	c.Out.Error("ERR This instance has cluster support disabled")
}
