package commands

import (
	"slices"

	"atomiccounter/commands/push"
	"atomiccounter/engine"
)

// publish sends a message to all that listen to a channel, and says to how many. Patterns are matched before, without the lock, for
// there may be many.
func (c *Context) publish(kind push.Kind, channel, payload []byte) int64 {
	var matching []string
	if kind == push.Plain {
		for _, pattern := range c.Server.push.channels.Patterns() {
			if (glob{pattern: []byte(pattern)}).match(channel) {
				matching = append(matching, pattern)
			}
		}
	}
	return c.Server.push.channels.Publish(kind, channel, payload, matching, c.post)
}

// post sends a message to one listener. What the client itself listens to is in its own hands before the reply to its command.
func (c *Context) post(to *push.Receiver, m push.Message) {
	switch {
	case c.Client == nil || to != c.Client.push:
		c.tell(to, m)
	case c.Out.Proto == 3:
		c.early = append(c.early, m.RESP3...)
	default:
		c.early = append(c.early, m.RESP2...)
	}
}

// letter is a message on its way to another client.
type letter struct {
	to *push.Receiver
	push.Message
}

// tell sends a message to another client. In a section it may repeat what the section has counted, so it goes out when that is
// journaled.
func (c *Context) tell(to *push.Receiver, m push.Message) {
	if c.Pipe != nil && c.Pipe.InSection() {
		c.letters = append(c.letters, letter{to, m})
		return
	}
	to.Send(m, 0)
}

// endSection ends the pipeline's section, and sends the messages that had to wait for that.
func (c *Context) endSection() {
	c.Pipe.End()
	if len(c.letters) == 0 {
		return
	}
	c.Pipe.Pause()
	pos := c.Server.Engine.Appended()
	for _, l := range c.letters {
		l.to.Send(l.Message, pos)
	}
	c.letters = nil
}

// sendEarly puts what the command itself sent to its client before its reply.
func (c *Context) sendEarly(before int) {
	c.Out.Buf = slices.Insert(c.Out.Buf, min(before, len(c.Out.Buf)), c.early...)
	c.early = nil
}

// Mail says whether there is something that others have sent.
func (c *Context) Mail() bool { return c.Client.push.HasMail() }

// Deliver appends some of what others have sent to Out, whole messages, between two replies. It is called again until Mail
// says that there is no more. It may not be sent before pos is durable, in the mode Always; what Pipe.Commit gives later includes
// that.
func (c *Context) Deliver() (pos engine.Position) { return c.deliver(c.Client.push.Take()) }

func (c *Context) deliver(messages []byte, pos engine.Position) engine.Position {
	c.Client.Queued(-int64(len(messages)))
	c.Out.Buf = append(c.Out.Buf, messages...)
	c.Pipe.DependOn(pos)
	return pos
}
