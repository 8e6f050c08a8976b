package commands

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"atomiccounter/engine"
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
	c.awaitAcks(&ackWait{command: "WAIT", wanted: wanted, until: until, reply: func(_ bool, peers int64) { c.Out.Int(peers) }})
}

// waitAOF is WAIT, which with 1 for numlocal also waits until what was written is synced here.
func waitAOF(c *Context, args [][]byte) {
	local, ok := c.integer(args[1])
	if !ok {
		return
	}
	if local < 0 || local > 1 {
		c.Out.Error("ERR value is out of range, value must between 0 and 1")
		return
	}
	wanted, ok := c.integer(args[2])
	if !ok {
		return
	}
	if wanted < 0 {
		c.Out.Error("ERR value is out of range, must be positive")
		return
	}
	until, ok := c.timeout(args[3])
	if !ok {
		return
	}
	w := &ackWait{command: "WAITAOF", wanted: wanted, until: until, reply: func(here bool, peers int64) {
		c.Out.Array(2)
		c.Out.Int(oneIf(here))
		c.Out.Int(peers)
	}}
	if local == 0 || c.inside {
		c.awaitAcks(w)
		return
	}
	c.work(func() {
		w.journaled = c.Server.Engine.Appended()
		if err := c.Server.Engine.SyncJournal(); err != nil {
			c.fail(err)
			return
		}
		if wanted == 0 && !c.settled() { // no peer need have it, so none need confirm this store
			w.reply(true, 0)
			return
		}
		c.awaitAcks(w)
	})
}

// ackWait is a WAIT or a WAITAOF.
type ackWait struct {
	command   string
	wanted    int64           // peers that have what was written
	journaled engine.Position // where that is in the journal, at most; 0: not yet asked
	written   tlv.VectorEntry
	until     time.Time
	reply     func(here bool, peers int64)
}

func (c *Context) awaitAcks(w *ackWait) {
	c.whenSettled(w.until, func() {
		w.written.Replica = c.Server.Engine.ReplicaID()
		var err error
		if w.written.Stamp, err = c.Pipe.Written(); err != nil { // what is written is journaled now
			c.fail(err)
			return
		}
		if w.journaled == 0 {
			w.journaled = c.Server.Engine.Appended()
		}
		c.acked(w, false)
	}, func() { w.reply(w.journaled != 0, 0) })
}

var errRenamed = errors.New("this replica got a new ID meanwhile: which peers have what was written under the old one is not known")

// acked waits until what is written is in the database, and so on its way, and then for the peers.
func (c *Context) acked(w *ackWait, expired bool) {
	e, written := c.Server.Engine, w.written
	news := e.News()
	var acks <-chan struct{}
	n := int64(0)
	if node := c.Server.Replication; node != nil {
		acks = node.AckNews()
		n = int64(node.Acked(written.Stamp))
	}
	stored := e.Vector().Entry(written.Replica).Stamp >= written.Stamp
	if stored {
		news = acks
	}
	here := stored || !c.inside && e.Durable() >= w.journaled // of a transaction nothing is journaled yet
	err := e.Attainable(tlv.Vector{written})
	if written.Stamp != 0 && e.ReplicaID() != written.Replica {
		err = errRenamed
	}
	switch {
	case n >= w.wanted:
		w.reply(here, n)
	case err != nil:
		c.failIn(w.command, err)
	case expired:
		w.reply(here, n)
	default:
		e.Hurry()
		c.wait(news, w.until, func(expired bool) { c.acked(w, expired) })
	}
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
