package commands

// help replies with the lines of a container's HELP, made from its rows.
func help(c *Context, args [][]byte) {
	cmd := c.table.lookup(args[0])
	name := string(upper([]byte(cmd.Name)))
	lines := []string{name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	for i := range cmd.Sub {
		sub := &cmd.Sub[i]
		line := string(upper([]byte(sub.Name)))
		if sub.Args != "" {
			line += " " + sub.Args
		}
		lines = append(lines, line, "    "+sub.Summary)
	}
	c.Out.Array(len(lines))
	for _, line := range lines {
		c.Out.Status(line)
	}
}
