package commands

import (
	"math"
	"time"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
	"atomiccounter/replica/csync"
)

func incr(c *Context, args [][]byte) { c.add(args[1], 1) }
func decr(c *Context, args [][]byte) { c.add(args[1], -1) }

func incrBy(c *Context, args [][]byte) {
	if n, ok := c.integer(args[2]); ok {
		c.add(args[1], n)
	}
}

func decrBy(c *Context, args [][]byte) {
	n, ok := c.integer(args[2])
	switch {
	case !ok:
	case n == math.MinInt64: // has no negative
		c.Out.Error("ERR decrement would overflow")
	default:
		c.add(args[1], -n)
	}
}

func (c *Context) add(key []byte, n int64) {
	v, err := c.Pipe.Incr(key, n)
	if err != nil {
		c.fail(err)
		return
	}
	c.notify(stringEvent, "incrby", key)
	c.Out.Int(v)
}

// incrExCall is an INCREX as parsed.
type incrExCall struct {
	engine.IncrExOptions
	expiry expiryOption

	by, lower, upper []byte // nil: not given
}

func incrEx(c *Context, args [][]byte) {
	call, ok := parseIncrEx(args[2:])
	switch {
	case !ok, call.ENX && call.Persist:
		c.syntaxError()
		return
	case call.ENX && !call.expiry.given():
		c.Out.Error("ERR ENX flag requires an expiration")
		return
	}
	if !c.readIncrEx(&call) {
		return
	}
	r, err := c.Pipe.IncrEx(args[1], call.IncrExOptions)
	if err != nil {
		c.fail(err)
		return
	}
	c.notifyIncrEx(args[1], call.ExpireAt, r)
	c.Out.Array(2)
	c.Out.Int(r.Value)
	c.Out.Int(r.Applied)
}

// parseIncrEx sorts the options. None may be given twice, unlike those of SET.
func parseIncrEx(options [][]byte) (call incrExCall, ok bool) {
	for i := 0; i < len(options); i++ {
		var number *[]byte
		switch arg := options[i]; {
		case same(arg, "saturate") && !call.Saturate:
			call.Saturate = true
		case same(arg, "enx") && !call.ENX:
			call.ENX = true
		case same(arg, "persist") && !call.Persist && !call.expiry.given():
			call.Persist = true
		case same(arg, "byint"):
			number = &call.by
		case same(arg, "lbound"):
			number = &call.lower
		case same(arg, "ubound"):
			number = &call.upper
		case !call.Persist && !call.expiry.given() && call.expiry.parse(options[i:]):
			i++
		default:
			return call, false
		}
		if number != nil {
			if i++; i == len(options) || *number != nil {
				return call, false
			}
			*number = options[i]
		}
	}
	return call, true
}

// readIncrEx reads the numbers of a call. False: one is wrong, and the reply is written.
func (c *Context) readIncrEx(call *incrExCall) (ok bool) {
	call.By, call.Lower, call.Upper = 1, engine.NoLower, engine.NoUpper
	if !c.optional("Increment", call.by, &call.By) || !c.optional("LBOUND", call.lower, &call.Lower) ||
		!c.optional("UBOUND", call.upper, &call.Upper) {
		return false
	}
	if call.Lower > call.Upper {
		c.Out.Error("ERR LBOUND can't be greater than UBOUND")
		return false
	}
	if call.expiry.given() {
		call.ExpireAt, ok = c.expireTime(call.expiry, "increx")
		return ok
	}
	return true
}

// optional reads a named argument that may be absent into n. False: it is no integer, and the reply is written.
func (c *Context) optional(name string, arg []byte, n *int64) (ok bool) {
	if arg == nil {
		return true
	}
	if *n, ok = ParseInt(arg); !ok {
		c.Out.Error("ERR " + name + " is not an integer or out of range")
	}
	return ok
}

// notifyIncrEx tells of the increment and of what became of the expiry; of a time that has passed, only that the key is gone.
func (c *Context) notifyIncrEx(key []byte, at int64, r engine.IncrExResult) {
	switch {
	case !r.Done:
		return
	case !r.Expires:
		c.notify(stringEvent, "incrby", key)
	case at > c.Pipe.Now():
		c.notify(stringEvent, "incrby", key)
		c.notify(genericEvent, "expire", key)
	default:
		c.notify(genericEvent, "del", key)
	}
	if r.Persisted {
		c.notify(genericEvent, "persist", key)
	}
}

func cNew(c *Context, args [][]byte) {
	var kind engine.Kind
	switch {
	case same(args[2], "natural"):
		kind = engine.Natural
	case same(args[2], "zcounter"):
		kind = engine.ZCounter
	default:
		c.syntaxError()
		return
	}
	created, err := c.Pipe.New(args[1], kind)
	if err != nil {
		c.fail(err)
		return
	}
	if created {
		c.notify(stringEvent, "set", args[1])
	}
	c.Out.Bool(created)
}

func cInfo(c *Context, args [][]byte) {
	info, ok, err := c.Pipe.Inspect(args[1])
	switch {
	case err != nil:
		c.fail(err)
	case !ok:
		c.Out.NullArray()
	default:
		c.keyInfo(info)
	}
}

func (c *Context) keyInfo(info engine.Info) {
	out := &c.Out
	out.Map(5)
	out.BulkString("kind")
	switch {
	case info.Hash:
		out.BulkString("hash")
		out.BulkString("fields")
		out.Int(info.Fields)
	case info.Text != nil:
		out.BulkString("text")
		out.BulkString("value")
		out.BulkString(*info.Text)
	default:
		out.BulkString(info.Kind.String())
		out.BulkString("value")
		out.Int(info.Value)
	}
	out.BulkString("expire-at-ms")
	writeOrNull(out, info.ExpireAt, info.ExpireAt != 0)
	out.BulkString("loaded-at-ms")
	out.Int(info.Loaded.UnixMilli())
	out.BulkString("contributions")
	out.Array(len(info.Contributions))
	for i := range info.Contributions {
		writeContribution(out, &info.Contributions[i], c.Server.heard(&info.Contributions[i]))
	}
}

// heard is how many ms ago a replica was last heard of, through whomever; -1: never since the start.
func (s *Server) heard(p *engine.ContributionInfo) int64 {
	switch {
	case p.Own:
		return 0
	case s.Replication == nil || p.Foreign:
		return -1
	}
	at, ok := s.Replication.LastHeard(p.Replica)
	if !ok {
		return -1
	}
	return millisSince(at, time.Now())
}

// contribution writes one replica's part. Its sums may be beyond 64 bits, so they are strings.
func writeContribution(r *resp.Reply, p *engine.ContributionInfo, heard int64) {
	r.Map(10)
	r.BulkString("replica")
	r.BulkString(csync.Hex(p.Replica))
	r.BulkString("own")
	r.Bool(p.Own)
	r.BulkString("foreign")
	r.Bool(p.Foreign)
	r.BulkString("kind")
	r.BulkString(p.Kind.String())
	r.BulkString("live")
	r.Bool(p.Live)
	r.BulkString("total")
	r.BulkString(p.Total)
	r.BulkString("net")
	r.BulkString(p.Net)
	r.BulkString("assigned")
	switch {
	case p.Assigned != nil:
		r.Int(*p.Assigned)
	case p.Text != nil:
		r.BulkString(*p.Text)
	default:
		r.Null()
	}
	r.BulkString("expire-at-ms")
	writeOrNull(r, p.ExpireAt, p.ExpireAt != 0)
	r.BulkString("heard-ms-ago")
	writeOrNull(r, heard, heard >= 0)
}

func writeOrNull(r *resp.Reply, n int64, ok bool) {
	if ok {
		r.Int(n)
	} else {
		r.Null()
	}
}
