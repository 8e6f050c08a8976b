package commands

import "atomiccounter/commands/push"

func subscribe(c *Context, args [][]byte)  { c.subscribe(push.Plain, "subscribe", args[1:]) }
func pSubscribe(c *Context, args [][]byte) { c.subscribe(push.Pattern, "psubscribe", args[1:]) }
func sSubscribe(c *Context, args [][]byte) { c.subscribe(push.Shard, "ssubscribe", args[1:]) }

func unsubscribe(c *Context, args [][]byte) { c.unsubscribe(push.Plain, "unsubscribe", args[1:]) }
func pUnsubscribe(c *Context, args [][]byte) {
	c.unsubscribe(push.Pattern, "punsubscribe", args[1:])
}
func sUnsubscribe(c *Context, args [][]byte) { c.unsubscribe(push.Shard, "sunsubscribe", args[1:]) }

// subscribe confirms each channel. As in Redis that is no reply that could be turned off.
func (c *Context) subscribe(kind push.Kind, word string, names [][]byte) {
	c.unmuted = true
	for _, name := range names {
		if c.tooLong(name) {
			continue
		}
		bytes, ok := c.Server.push.channels.Add(c.Client.push, kind, string(name), c.Server.Config.QueryBuffer())
		if !ok {
			c.Out.Error("ERR the names of the channels that this client listens to exceed client-query-buffer-limit")
			continue
		}
		c.Client.memory.set(listened, bytes, c.Server)
		c.confirm(kind, word, name)
	}
	c.Server.boundClients()
}

// unsubscribe leaves the channels named, or all. Messages that came before are sent before the confirmation.
func (c *Context) unsubscribe(kind push.Kind, word string, names [][]byte) {
	c.unmuted = true
	if len(names) == 0 {
		for _, name := range c.Server.push.channels.Listing(c.Client.push, kind) {
			names = append(names, []byte(name))
		}
	}
	for _, name := range names {
		c.Client.memory.set(listened, c.Server.push.channels.Remove(c.Client.push, kind, string(name)), c.Server)
		c.deliver(c.Client.push.TakeAll(0))
		c.confirm(kind, word, name)
	}
	if len(names) == 0 {
		c.confirm(kind, word, nil)
	}
}

// confirm says how many channels the client listens to now; those of shards are counted on their own.
func (c *Context) confirm(kind push.Kind, word string, name []byte) {
	n := c.Client.push.Listens[push.Shard].Load()
	if kind != push.Shard {
		n = c.Client.push.Listens[push.Plain].Load() + c.Client.push.Listens[push.Pattern].Load()
	}
	c.Out.Push(3)
	c.Out.BulkString(word)
	if name == nil {
		c.Out.Null()
	} else {
		c.Out.Bulk(name)
	}
	c.Out.Int(n)
}

func publish(c *Context, args [][]byte)  { c.announce(push.Plain, args[1], args[2]) }
func sPublish(c *Context, args [][]byte) { c.announce(push.Shard, args[1], args[2]) }

func (c *Context) announce(kind push.Kind, channel, payload []byte) {
	if !c.tooLong(channel) {
		c.Out.Int(c.publish(kind, channel, payload))
	}
}

// tooLong refuses a pattern, or the name of a channel.
func (c *Context) tooLong(name []byte) bool {
	if len(name) > maxName {
		c.Out.Error("ERR a pattern, or the name of a channel, exceeds the maximum allowed size (64 KiB)")
	}
	return len(name) > maxName
}

func pubsubChannels(c *Context, args [][]byte)      { c.activeChannels(push.Plain, args) }
func pubsubShardChannels(c *Context, args [][]byte) { c.activeChannels(push.Shard, args) }

func (c *Context) activeChannels(kind push.Kind, args [][]byte) {
	g := glob{pattern: []byte("*")}
	switch {
	case len(args) > 3:
		c.Out.Error(wrongSubcommand(args))
		return
	case len(args) == 3:
		g.pattern = args[2]
	}
	if c.tooLong(g.pattern) {
		return
	}
	l := c.list()
	for _, name := range c.Server.push.channels.Names(kind) {
		if len(args) < 3 || g.match([]byte(name)) {
			l.addIf(true, name)
		}
	}
	l.end()
}

func pubsubNumSub(c *Context, args [][]byte)      { c.numSub(push.Plain, args[2:]) }
func pubsubShardNumSub(c *Context, args [][]byte) { c.numSub(push.Shard, args[2:]) }

func (c *Context) numSub(kind push.Kind, names [][]byte) {
	c.Out.Array(2 * len(names))
	for _, name := range names {
		c.Out.Bulk(name)
		c.Out.Int(int64(c.Server.push.channels.Listeners(kind, string(name))))
	}
}

func pubsubNumPat(c *Context, _ [][]byte) {
	_, patterns, _ := c.Server.push.channels.Counts()
	c.Out.Int(int64(patterns))
}

// listensOnly says that the connection may do nothing but listen: in RESP2 a message cannot be told from a reply.
func (c *Context) listensOnly(cmd *Command) bool {
	if c.Out.Proto == 3 || !c.Client.push.ListensToAny() {
		return false
	}
	switch cmd.FullName {
	case "ping", "quit", "reset", "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe":
		return false
	}
	return true
}

// pong is PING of a connection that listens: it looks like a message.
func (c *Context) pong(args [][]byte) {
	var payload []byte
	if len(args) > 1 {
		payload = args[1]
	}
	c.Out.Array(2)
	c.Out.BulkString("pong")
	c.Out.Bulk(payload)
}
