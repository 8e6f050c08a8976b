package commands

import (
	"math"
	"time"

	"atomiccounter/engine"
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
	if !ok {
		c.syntaxError()
		return
	}
	call.By, call.Lower, call.Upper = 1, engine.NoLower, engine.NoUpper
	if !c.optional(call.by, &call.By) || !c.optional(call.lower, &call.Lower) || !c.optional(call.upper, &call.Upper) {
		return
	}
	if call.Lower > call.Upper {
		c.Out.Error("ERR LBOUND can't be greater than UBOUND")
		return
	}
	if call.expiry.given() {
		if call.ExpireAt, ok = c.expireTime(call.expiry, "increx"); !ok {
			return
		}
	}
	value, applied, err := c.Pipe.IncrEx(args[1], call.IncrExOptions)
	if err != nil {
		c.fail(err)
		return
	}
	if applied != 0 || call.By == 0 { // otherwise nothing has changed
		c.notify(stringEvent, "incrby", args[1])
		if call.ExpireAt != 0 {
			c.notify(genericEvent, "expire", args[1])
		}
	}
	c.Out.Array(2)
	c.Out.Int(value)
	c.Out.Int(applied)
}

func parseIncrEx(options [][]byte) (call incrExCall, ok bool) {
	for i := 0; i < len(options); i++ {
		var number *[]byte
		switch arg := options[i]; {
		case same(arg, "saturate"):
			call.Saturate = true
		case same(arg, "enx"):
			call.ENX = true
		case same(arg, "persist") && !call.expiry.given():
			call.Persist = true
		case same(arg, "byint"):
			number = &call.by
		case same(arg, "lbound"):
			number = &call.lower
		case same(arg, "ubound"):
			number = &call.upper
		case !call.Persist && call.expiry.parse(options[i:]):
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
	return call, !call.ENX || call.expiry.given()
}

// optional reads an argument that may be absent into n. False: it is no integer, and the reply is written.
func (c *Context) optional(arg []byte, n *int64) bool {
	if arg == nil {
		return true
	}
	v, ok := c.integer(arg)
	*n = v
	return ok
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
	if info.Text != nil {
		out.BulkString("text")
		out.BulkString("value")
		out.BulkString(*info.Text)
	} else {
		out.BulkString(info.Kind.String())
		out.BulkString("value")
		out.Int(info.Value)
	}
	out.BulkString("expire-at-ms")
	out.orNull(info.ExpireAt, info.ExpireAt != 0)
	out.BulkString("loaded-at-ms")
	out.Int(info.Loaded.UnixMilli())
	out.BulkString("contributions")
	out.Array(len(info.Contributions))
	for i := range info.Contributions {
		out.contribution(&info.Contributions[i], c.Server.heard(&info.Contributions[i]))
	}
}

// heard is how many ms ago a replica was last heard of, through whomever; -1: never since the start.
func (s *Server) heard(p *engine.ContributionInfo) int64 {
	switch {
	case p.Own:
		return 0
	case s.Replication == nil:
		return -1
	}
	at, ok := s.Replication.LastHeard(p.Replica)
	if !ok {
		return -1
	}
	return millisSince(at, time.Now())
}

// contribution writes one replica's part. Its sums may be beyond 64 bits, so they are strings.
func (r *Reply) contribution(p *engine.ContributionInfo, heard int64) {
	r.Map(9)
	r.BulkString("replica")
	r.BulkString(hexID(uint64(p.Replica)))
	r.BulkString("own")
	r.Bool(p.Own)
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
	r.orNull(p.ExpireAt, p.ExpireAt != 0)
	r.BulkString("heard-ms-ago")
	r.orNull(heard, heard >= 0)
}

func (r *Reply) orNull(n int64, ok bool) {
	if ok {
		r.Int(n)
	} else {
		r.Null()
	}
}
