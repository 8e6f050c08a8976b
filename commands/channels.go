package commands

import (
	"maps"
	"slices"
	"sync"

	"atomiccounter/commands/resp"
)

// channels knows who listens to which channel. Messages go to those who listen at that moment, in the same order to all. The
// zero value is empty.
type channels struct {
	mu       sync.Mutex
	of       [channelKinds]map[string]map[*Client]struct{}
	patterns []string // the patterns in of; nil: they have changed. Not changed in place
}

// channelKind is one of the three ways to listen.
type channelKind uint8

const (
	plainChannel channelKind = iota
	channelPattern
	shardChannel
	channelKinds
)

// subscribed are the channels that one client listens to. The mutex of channels guards it.
type subscribed [channelKinds]map[string]struct{}

// add has a client listen to a channel. False: the names of its channels would take more than most bytes.
func (ch *channels) add(cl *Client, kind channelKind, name string, most int64) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if _, have := cl.subscribed[kind][name]; !have {
		if cl.subscribedBytes+nameSize(name) > most {
			return false
		}
		cl.subscribedBytes += nameSize(name)
		cl.memory.set(listened, cl.subscribedBytes, cl.server)
	}
	if ch.of[kind] == nil {
		ch.of[kind] = make(map[string]map[*Client]struct{})
	}
	if ch.of[kind][name] == nil {
		ch.of[kind][name] = make(map[*Client]struct{})
		ch.changed(kind)
	}
	ch.of[kind][name][cl] = struct{}{}
	if cl.subscribed[kind] == nil {
		cl.subscribed[kind] = make(map[string]struct{})
	}
	cl.subscribed[kind][name] = struct{}{}
	cl.listens[kind].Store(int64(len(cl.subscribed[kind])))
	return true
}

// nameSize is about what a channel takes in memory for each client that listens to it.
func nameSize(name string) int64 { return int64(len(name)) + 128 }

func (ch *channels) remove(cl *Client, kind channelKind, name string) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.drop(cl, kind, name)
}

func (ch *channels) drop(cl *Client, kind channelKind, name string) {
	delete(ch.of[kind][name], cl)
	if len(ch.of[kind][name]) == 0 {
		delete(ch.of[kind], name)
		ch.changed(kind)
	}
	if _, had := cl.subscribed[kind][name]; had {
		delete(cl.subscribed[kind], name)
		cl.subscribedBytes -= nameSize(name)
		cl.memory.set(listened, cl.subscribedBytes, cl.server)
	}
	cl.listens[kind].Store(int64(len(cl.subscribed[kind])))
}

// removeAll has a client listen to nothing any more.
func (ch *channels) removeAll(cl *Client) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for kind := range channelKinds {
		for name := range cl.subscribed[kind] {
			ch.drop(cl, kind, name)
		}
	}
}

// listing gives what a client listens to.
func (ch *channels) listing(cl *Client, kind channelKind) []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return slices.Sorted(maps.Keys(cl.subscribed[kind]))
}

// listens says whether the client waits for messages.
func (cl *Client) listensToAny() bool {
	return cl.listens[plainChannel].Load()+cl.listens[channelPattern].Load()+cl.listens[shardChannel].Load() > 0
}

// counts are the numbers of channels, of patterns and of shard channels that somebody listens to.
func (ch *channels) counts() (plain, patterns, shards int) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.of[plainChannel]), len(ch.of[channelPattern]), len(ch.of[shardChannel])
}

func (ch *channels) changed(kind channelKind) {
	if kind == channelPattern {
		ch.patterns = nil
	}
}

// names lists the channels of a kind that somebody listens to.
func (ch *channels) names(kind channelKind) []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return slices.Collect(maps.Keys(ch.of[kind]))
}

// matching lists the patterns that match a channel. The lock is not held meanwhile, for there may be many.
func (ch *channels) matching(channel []byte) (list []string) {
	for _, pattern := range ch.allPatterns() {
		if (glob{pattern: []byte(pattern)}).match(channel) {
			list = append(list, pattern)
		}
	}
	return list
}

func (ch *channels) allPatterns() []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.patterns == nil {
		ch.patterns = slices.Collect(maps.Keys(ch.of[channelPattern]))
	}
	return ch.patterns
}

func (ch *channels) listeners(kind channelKind, name string) int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.of[kind][name])
}

// message is a push in both protocols.
type message struct{ resp2, resp3 []byte }

// newMessage makes a push of strings.
func newMessage(parts ...[]byte) message {
	var r resp.Reply
	for _, part := range parts {
		r.Bulk(part)
	}
	head2, head3 := resp.Reply{Proto: 2}, resp.Reply{Proto: 3}
	head2.Push(len(parts))
	head3.Push(len(parts))
	return message{append(head2.Buf, r.Buf...), append(head3.Buf, r.Buf...)}
}

// publish sends a message to all who listen to a channel, and says to how many. What the publisher listens to himself is
// in his own hands, before the reply to his command.
func (c *Context) publish(kind channelKind, channel, payload []byte) (n int64) {
	ch := &c.Server.channels
	var patterns []string
	if kind == plainChannel {
		patterns = ch.matching(channel)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if list := ch.of[kind][string(channel)]; len(list) > 0 {
		word := "message"
		if kind == shardChannel {
			word = "smessage"
		}
		n += c.post(list, newMessage([]byte(word), channel, payload))
	}
	for _, pattern := range patterns {
		if list := ch.of[channelPattern][pattern]; len(list) > 0 {
			n += c.post(list, newMessage([]byte("pmessage"), []byte(pattern), channel, payload))
		}
	}
	return n
}

func (c *Context) post(list map[*Client]struct{}, m message) int64 {
	for cl := range list {
		switch {
		case cl == c.Client && c.Out.Proto == 3:
			c.early = append(c.early, m.resp3...)
		case cl == c.Client:
			c.early = append(c.early, m.resp2...)
		default:
			c.tell(cl, m)
		}
	}
	return int64(len(list))
}

// letter is a message on its way to another client.
type letter struct {
	to *Client
	message
}

// tell sends a message to another client. In a section it may repeat what the section has counted, so it goes out when that is
// journaled.
func (c *Context) tell(cl *Client, m message) {
	if c.Pipe != nil && c.Pipe.InSection() {
		c.letters = append(c.letters, letter{cl, m})
		return
	}
	cl.push(m.resp2, m.resp3, 0)
}

// endSection ends the pipeline's section, and sends the messages that had to wait for that.
func (c *Context) endSection() {
	c.Pipe.End()
	if len(c.letters) == 0 {
		return
	}
	pos := c.Server.Engine.Appended()
	for _, l := range c.letters {
		l.to.push(l.resp2, l.resp3, pos)
	}
	c.letters = nil
}

// sendEarly puts what the command itself sent to its client before its reply.
func (c *Context) sendEarly(before int) {
	c.Out.Buf = slices.Insert(c.Out.Buf, min(before, len(c.Out.Buf)), c.early...)
	c.early = nil
}
