package commands

import "time"

// What is acknowledged survives the end of the process without being saved, and in the journal, once that is synced, also that of the
// machine. A client that asks for a save waits until LASTSAVE moves.

// lastSave is when the database last got what was journaled. Nothing that is acknowledged waits for that.
func lastSave(c *Context, _ [][]byte) {
	last := max(c.Server.saved.Load(), c.Server.Started.Unix())
	if !c.Server.Loading() {
		flushed, _ := c.Server.Engine.LastFlush()
		last = max(last, flushed.Unix())
	}
	c.Out.Int(last)
}

func save(c *Context, _ [][]byte) { c.flushStore(c.Out.OK) }

func bgSave(c *Context, args [][]byte) {
	if len(args) > 2 || len(args) == 2 && !same(args[1], "schedule") {
		c.syntaxError()
		return
	}
	c.flushStore(func() { c.Out.Status("Background saving started") })
}

func bgRewriteAOF(c *Context, _ [][]byte) {
	c.flushStore(func() { c.Out.Status("Background append only file rewriting started") })
}

// flushStore replies once all that is acknowledged is synced: in the journal, as a store that is not yet sure of its replica ID does not
// flush, and in the database. A transaction cannot wait for that: what it writes is in the next sync and flush.
func (c *Context) flushStore(reply func()) {
	if c.inside {
		reply()
		return
	}
	c.work(func() {
		now := time.Now().Unix()
		for _, step := range []func() error{c.Server.Engine.SyncJournal, c.Server.Engine.Flush} {
			if err := step(); err != nil {
				c.fail(err)
				return
			}
		}
		c.Server.saved.Store(now)
		reply()
	})
}

// replicaOf accepts that this server follows no other, which is always so.
func replicaOf(c *Context, args [][]byte) {
	if same(args[1], "no") && same(args[2], "one") {
		c.Out.OK()
		return
	}
	if port, ok := ParseInt(args[2]); !ok || port < 0 || port > 65535 {
		c.Out.Error("ERR Invalid master port")
		return
	}
	c.Out.Error("ERR every server takes writes here, and none follows another: CPEER ADD host:port has it pull from a peer")
}
