package commands

import "atomiccounter/commands/resp"

// commandDocs describes the commands named, or all. Names without a command are left out, as in Redis.
func commandDocs(c *Context, args [][]byte) {
	var found []*Command
	for _, name := range args[2:] {
		if cmd := c.table.byFullName(name); cmd != nil {
			found = append(found, cmd)
		}
	}
	if len(args) == 2 {
		for i := range c.table.all {
			found = append(found, &c.table.all[i])
		}
	}
	writeDocs(&c.Out, found)
}

// docs writes a map from full name to description.
func writeDocs(r *resp.Reply, list []*Command) {
	r.Map(len(list))
	for _, cmd := range list {
		r.BulkString(cmd.FullName)
		writeDoc(r, cmd)
	}
}

func writeDoc(r *resp.Reply, cmd *Command) {
	args := parseSyntax(cmd.Args)
	n := 4
	if len(args) > 0 {
		n++
	}
	if len(cmd.Sub) > 0 {
		n++
	}
	r.Map(n)
	for _, field := range [][2]string{{"summary", cmd.Summary}, {"since", cmd.Since}, {"group", cmd.Group},
		{"complexity", cmd.Complexity}} {
		r.BulkString(field[0])
		r.BulkString(field[1])
	}
	if len(args) > 0 {
		r.BulkString("arguments")
		writeArgs(r, args)
	}
	if len(cmd.Sub) > 0 {
		r.BulkString("subcommands")
		r.Map(len(cmd.Sub))
		for i := range cmd.Sub {
			r.BulkString(cmd.Sub[i].FullName)
			writeDoc(r, &cmd.Sub[i])
		}
	}
}

func writeArgs(r *resp.Reply, list []Arg) {
	r.Array(len(list))
	for i := range list {
		writeArg(r, &list[i])
	}
}

func writeArg(r *resp.Reply, a *Arg) {
	var flags []string
	if a.Optional {
		flags = append(flags, "optional")
	}
	if a.Multiple {
		flags = append(flags, "multiple")
	}
	if a.MultipleToken {
		flags = append(flags, "multiple_token")
	}
	r.Map(2 + count(a.Key >= 0, a.Token != "", len(flags) > 0, len(a.Args) > 0))
	r.BulkString("name")
	r.BulkString(a.Name)
	r.BulkString("type")
	r.BulkString(a.Type)
	if a.Key >= 0 {
		r.BulkString("key_spec_index")
		r.Int(int64(a.Key))
	}
	if a.Token != "" {
		r.BulkString("token")
		r.BulkString(a.Token)
	}
	if len(flags) > 0 {
		r.BulkString("flags")
		writeStatuses(r, "", flags)
	}
	if len(a.Args) > 0 {
		r.BulkString("arguments")
		writeArgs(r, a.Args)
	}
}

func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}
