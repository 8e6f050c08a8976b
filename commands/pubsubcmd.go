package commands

func subscribe(c *Context, args [][]byte)  { c.subscribe(plainChannel, "subscribe", args[1:]) }
func pSubscribe(c *Context, args [][]byte) { c.subscribe(channelPattern, "psubscribe", args[1:]) }
func sSubscribe(c *Context, args [][]byte) { c.subscribe(shardChannel, "ssubscribe", args[1:]) }

func unsubscribe(c *Context, args [][]byte) { c.unsubscribe(plainChannel, "unsubscribe", args[1:]) }
func pUnsubscribe(c *Context, args [][]byte) {
	c.unsubscribe(channelPattern, "punsubscribe", args[1:])
}
func sUnsubscribe(c *Context, args [][]byte) { c.unsubscribe(shardChannel, "sunsubscribe", args[1:]) }

// subscribe confirms each channel. As in Redis that is no reply that could be turned off.
func (c *Context) subscribe(kind channelKind, word string, names [][]byte) {
	c.unmuted = true
	for _, name := range names {
		if c.tooLong(name) {
			continue
		}
		if !c.Server.channels.add(c.Client, kind, string(name), c.Server.Config.QueryBuffer()) {
			c.Out.Error("ERR the names of the channels that this client listens to exceed client-query-buffer-limit")
			continue
		}
		c.confirm(kind, word, name)
	}
	c.Server.boundClients()
}

// unsubscribe leaves the channels named, or all. Messages that came before are sent before the confirmation.
func (c *Context) unsubscribe(kind channelKind, word string, names [][]byte) {
	c.unmuted = true
	if len(names) == 0 {
		for _, name := range c.Server.channels.listing(c.Client, kind) {
			names = append(names, []byte(name))
		}
	}
	for _, name := range names {
		c.Server.channels.remove(c.Client, kind, string(name))
		c.deliver(c.Client.inbox.takeAll(0))
		c.confirm(kind, word, name)
	}
	if len(names) == 0 {
		c.confirm(kind, word, nil)
	}
}

// confirm says how many channels the client listens to now; those of shards are counted on their own.
func (c *Context) confirm(kind channelKind, word string, name []byte) {
	n := c.Client.listens[shardChannel].Load()
	if kind != shardChannel {
		n = c.Client.listens[plainChannel].Load() + c.Client.listens[channelPattern].Load()
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

func publish(c *Context, args [][]byte)  { c.announce(plainChannel, args[1], args[2]) }
func sPublish(c *Context, args [][]byte) { c.announce(shardChannel, args[1], args[2]) }

func (c *Context) announce(kind channelKind, channel, payload []byte) {
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

func pubsubChannels(c *Context, args [][]byte)      { c.activeChannels(plainChannel, args) }
func pubsubShardChannels(c *Context, args [][]byte) { c.activeChannels(shardChannel, args) }

func (c *Context) activeChannels(kind channelKind, args [][]byte) {
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
	for _, name := range c.Server.channels.names(kind) {
		if len(args) < 3 || g.match([]byte(name)) {
			l.addIf(true, name)
		}
	}
	l.end()
}

func pubsubNumSub(c *Context, args [][]byte)      { c.numSub(plainChannel, args[2:]) }
func pubsubShardNumSub(c *Context, args [][]byte) { c.numSub(shardChannel, args[2:]) }

func (c *Context) numSub(kind channelKind, names [][]byte) {
	c.Out.Array(2 * len(names))
	for _, name := range names {
		c.Out.Bulk(name)
		c.Out.Int(int64(c.Server.channels.listeners(kind, string(name))))
	}
}

func pubsubNumPat(c *Context, _ [][]byte) {
	_, patterns, _ := c.Server.channels.counts()
	c.Out.Int(int64(patterns))
}

// listensOnly says that the connection may do nothing but listen: in RESP2 nobody could tell a message from a reply.
func (c *Context) listensOnly(cmd *Command) bool {
	if c.Out.Proto == 3 || !c.Client.listensToAny() {
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
