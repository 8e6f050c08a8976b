package commands

import (
	"encoding/base64"
	"fmt"
	"time"

	"atomiccounter/tlv"
)

// wait replies how many peers have made durable what this connection has written, once there are as many as are asked for,
// or the time is over.
func wait(c *Context, args [][]byte) {
	wanted, ok := c.integer(args[1])
	if !ok {
		return
	}
	until, ok := c.timeout(args[2])
	if !ok {
		return
	}
	c.whenSettled(until, func() {
		stamp, err := c.Pipe.Written() // what is written is journaled now
		if err != nil {
			c.fail(err)
			return
		}
		c.acked(wanted, stamp, until, false)
	}, func() { c.Out.Int(0) })
}

func (c *Context) acked(wanted int64, stamp tlv.Stamp, until time.Time, expired bool) {
	var news <-chan struct{}
	n := int64(0)
	if node := c.Server.Replication; node != nil {
		news = node.AckNews()
		n = int64(node.Acked(stamp))
	}
	if n >= wanted || expired {
		c.Out.Int(n)
		return
	}
	c.Server.Engine.Hurry()
	c.wait(news, until, func(expired bool) { c.acked(wanted, stamp, until, expired) })
}

// timeout reads a number of milliseconds, 0 for ever. False: it is none, and the reply is written.
func (c *Context) timeout(arg []byte) (time.Time, bool) {
	ms, ok := ParseInt(arg)
	switch {
	case !ok:
		c.Out.Error("ERR timeout is not an integer or out of range")
	case ms < 0:
		c.Out.Error("ERR timeout is negative")
		ok = false
	}
	return deadline(max(ms, 0)), ok
}

// tokenText is how a token is printed: it has only letters, digits, - and _.
var tokenText = base64.RawURLEncoding

// cToken gives what this replica shows now, for CWAIT at another one.
func cToken(c *Context, _ [][]byte) {
	c.whenSettled(time.Time{}, func() {
		seen, err := c.Pipe.Seen()
		if err != nil {
			c.fail(err)
			return
		}
		c.Server.Engine.Hurry()
		c.Out.BulkString(tokenText.EncodeToString(tlv.AppendVector(nil, seen)))
	}, c.unsettled)
}

// cWait replies 1 when this replica shows all that another one showed when it gave the token, or 0 when the time is over. It is an
// error if that is known never to be.
func cWait(c *Context, args [][]byte) {
	seen, err := parseToken(args[1])
	if err != nil {
		c.failIn("CWAIT", err)
		return
	}
	until, ok := c.timeout(args[2])
	if ok {
		c.apart(func() { c.covered(seen, until, false) })
	}
}

func parseToken(arg []byte) (tlv.Vector, error) {
	b, err := tokenText.DecodeString(string(arg))
	if err != nil {
		return nil, fmt.Errorf("this is not a token of CTOKEN: %w", err)
	}
	seen, err := tlv.ParseVector(b)
	if err != nil {
		return nil, fmt.Errorf("this is not a token of CTOKEN: %w", err)
	}
	return seen, nil
}

func (c *Context) covered(seen tlv.Vector, until time.Time, expired bool) {
	e := c.Server.Engine
	news := e.News()
	if err := e.Attainable(seen); err != nil {
		c.failIn("CWAIT", err)
		return
	}
	switch {
	case e.Vector().Covers(seen):
		e.Refresh()
		c.Out.Int(1)
	case expired:
		c.Out.Int(0)
	default:
		e.Hurry() // the token may be of this replica
		c.wait(news, until, func(expired bool) { c.covered(seen, until, expired) })
	}
}
