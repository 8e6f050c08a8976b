package commands

import (
	"slices"
	"strings"

	"atomiccounter/commands/resp"
)

// commandAll is COMMAND without a subcommand.
func commandAll(c *Context, _ [][]byte) {
	c.Out.Array(len(c.table.all))
	for i := range c.table.all {
		writeCommand(&c.Out, &c.table.all[i])
	}
}

func commandCount(c *Context, _ [][]byte) { c.Out.Int(int64(len(c.table.all))) }

func commandInfo(c *Context, args [][]byte) {
	if len(args) == 2 {
		commandAll(c, args)
		return
	}
	c.Out.Array(len(args) - 2)
	for _, name := range args[2:] {
		if cmd := c.table.byFullName(name); cmd != nil {
			writeCommand(&c.Out, cmd)
		} else {
			c.Out.Null()
		}
	}
}

// command writes a row as COMMAND INFO shows it.
func writeCommand(r *resp.Reply, cmd *Command) {
	r.Array(10)
	r.BulkString(cmd.FullName)
	r.Int(int64(cmd.Arity))
	writeStatuses(r, "", cmd.Flags.Names())
	first, last, step := cmd.Keys.First, cmd.Keys.Last, cmd.Keys.Step
	r.Int(int64(first))
	r.Int(int64(last))
	r.Int(int64(step))
	writeStatuses(r, "@", cmd.AllCategories().Names())
	tips := strings.Fields(cmd.Tips)
	r.Set(len(tips))
	for _, tip := range tips {
		r.BulkString(tip)
	}
	writeKeySpecs(r, cmd.Keys)
	writeSubcommands(r, cmd)
}

func writeSubcommands(r *resp.Reply, cmd *Command) {
	r.Set(len(cmd.Sub))
	for i := range cmd.Sub {
		writeCommand(r, &cmd.Sub[i])
	}
}

func writeStatuses(r *resp.Reply, prefix string, names []string) {
	r.Set(len(names))
	for _, name := range names {
		r.Status(prefix + name)
	}
}

// writeKeySpecs writes one specification for all keys, or one each if they are used in different ways.
func writeKeySpecs(r *resp.Reply, k KeySpec) {
	if k.Count != 0 {
		r.Set(1)
		writeKeyNumber(r, k)
		return
	}
	if k.First == 0 {
		r.Set(0)
		return
	}
	ways := strings.Split(k.Access, "; ")
	r.Set(len(ways))
	if len(ways) == 1 {
		last := k.Last
		if last > 0 {
			last -= k.First
		}
		writeKeySpec(r, ways[0], k.First, last, k.Step)
		return
	}
	for i, way := range ways {
		writeKeySpec(r, way, k.First+i*k.Step, 0, 1)
	}
}

func writeKeySpec(r *resp.Reply, access string, first, last, step int) {
	r.Map(3)
	r.BulkString("flags")
	writeStatuses(r, "", strings.Fields(access))
	r.BulkString("begin_search")
	writeTyped(r, "index", [][2]any{{"index", first}})
	r.BulkString("find_keys")
	writeTyped(r, "range", [][2]any{{"lastkey", last}, {"keystep", step}, {"limit", 0}})
}

// writeKeyNumber writes the specification of keys that an argument counts.
func writeKeyNumber(r *resp.Reply, k KeySpec) {
	r.Map(3)
	r.BulkString("flags")
	writeStatuses(r, "", strings.Fields(k.Access))
	r.BulkString("begin_search")
	writeTyped(r, "index", [][2]any{{"index", k.Count}})
	r.BulkString("find_keys")
	writeTyped(r, "keynum", [][2]any{{"keynumidx", 0}, {"firstkey", 1}, {"keystep", 1}})
}

func writeTyped(r *resp.Reply, kind string, spec [][2]any) {
	r.Map(2)
	r.BulkString("type")
	r.BulkString(kind)
	r.BulkString("spec")
	r.Map(len(spec))
	for _, f := range spec {
		r.BulkString(f[0].(string))
		r.Int(int64(f[1].(int)))
	}
}

func commandList(c *Context, args [][]byte) {
	wanted := func(*Command) bool { return true }
	switch filter := args[2:]; {
	case len(filter) == 0:
	case len(filter) != 3 || !same(filter[0], "filterby"):
		c.syntaxError()
		return
	case same(filter[1], "module"):
		wanted = func(*Command) bool { return false }
	case same(filter[1], "aclcat"):
		wanted = func(cmd *Command) bool { return cmd.in(filter[2]) }
	case same(filter[1], "pattern"):
		g := glob{pattern: filter[2], fold: true}
		wanted = func(cmd *Command) bool { return g.match([]byte(cmd.FullName)) }
	default:
		c.syntaxError()
		return
	}
	l := c.list()
	for i := range c.table.all {
		cmd := &c.table.all[i]
		l.addIf(wanted(cmd), cmd.FullName)
		for j := range cmd.Sub {
			l.addIf(wanted(&cmd.Sub[j]), cmd.Sub[j].FullName)
		}
	}
	l.end()
}

// in says whether the command is of the category, named without the @.
func (c *Command) in(category []byte) bool {
	for _, name := range c.AllCategories().Names() {
		if same(category, name) {
			return true
		}
	}
	return false
}

func commandGetKeys(c *Context, args [][]byte) {
	cmd := keysOf(c, args[2:])
	if cmd == nil {
		return
	}
	keys := cmd.Keys.Of(args[2:])
	c.Out.Array(len(keys))
	for _, key := range keys {
		c.Out.Bulk(key)
	}
}

func commandGetKeysAndFlags(c *Context, args [][]byte) {
	call := args[2:]
	cmd := keysOf(c, call)
	if cmd == nil {
		return
	}
	keys, accesses := cmd.Keys.Of(call), cmd.Keys.accesses(call)
	c.Out.Array(len(keys))
	for i, key := range keys {
		c.Out.Array(2)
		c.Out.Bulk(key)
		writeStatuses(&c.Out, "", strings.Fields(accesses[min(i, len(accesses)-1)]))
	}
}

// keysOf gives the command of a call that may have keys. Nil: the client has been told what is wrong with it.
func keysOf(c *Context, call [][]byte) *Command {
	cmd := c.table.find(call)
	switch {
	case cmd == nil:
		c.Out.Error("ERR Invalid command specified")
	case !cmd.Keys.Any() || cmd.Keys.Access == notKey:
		c.Out.Error("ERR The command has no key arguments")
	case !cmd.Fits(len(call)):
		c.Out.Error("ERR Invalid number of arguments specified for command")
	default:
		return cmd
	}
	return nil
}

// accesses are what a call does with its keys, the last of them with all further keys. SET is the one command whose other arguments
// matter. Where the number of keys is none for the command itself, Redis does not say.
func (k KeySpec) accesses(call [][]byte) []string {
	switch {
	case k == setKey && slices.ContainsFunc(call[3:], func(arg []byte) bool { return same(arg, "get") }):
		return []string{updateKey.Access}
	case k == setKey:
		return []string{writeKey.Access}
	case k.Count != 0:
		if _, ok := ParseInt(call[k.Count]); !ok {
			return []string{""}
		}
	}
	return strings.Split(k.Access, "; ")
}
