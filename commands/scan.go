package commands

import (
	"errors"
	"slices"
	"strconv"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
)

func keys(c *Context, args [][]byte) {
	if c.tooLong(args[1]) {
		return
	}
	g := glob{pattern: args[1]}
	l := c.list()
	err := c.Pipe.Keys(func(key []byte, _ engine.Type) error {
		l.addMatch(g, key)
		if c.stopped() {
			return errStopped
		}
		return l.fits(c)
	})
	if err != nil {
		l.drop()
		c.fail(err)
		return
	}
	l.end()
}

var errStopped = errors.New("the client is disconnected, or its script was stopped")

// stopped says that the client is gone: what takes long ends then.
func (c *Context) stopped() bool {
	return c.Client.Ended.Load() || c.script != nil && c.script.Stopped()
}

// list is an array in the making, whose length is known at its end.
type list struct {
	out   *resp.Reply
	begin int
	n     int
	taken int // bytes that count as the client's
}

// listStep is in which steps the memory for a list is counted.
const listStep = 1 << 20

// fits says whether the list may go on.
func (l *list) fits(c *Context) error {
	switch size := len(l.out.Buf) - l.begin; {
	case size > int(c.Server.Config.ProtoMaxBulk()):
		return errReplyTooLong
	case size > l.taken+listStep:
		step := size - l.taken
		l.taken = size
		return c.takes(int64(step))
	}
	return nil
}

func (c *Context) list() list { return list{out: &c.Out, begin: len(c.Out.Buf)} }

func (l *list) addMatch(g glob, key []byte) {
	if g.all() || g.match(key) {
		l.out.Bulk(key)
		l.n++
	}
}

func (l *list) addIf(wanted bool, name string) {
	if wanted {
		l.out.BulkString(name)
		l.n++
	}
}

// end puts the array's header before its elements.
func (l *list) end() { l.head(func(r *resp.Reply) { r.Array(l.n) }) }

// endMap makes a map of n pairs of it.
func (l *list) endMap() { l.head(func(r *resp.Reply) { r.Map(l.n) }) }

func (l *list) head(write func(*resp.Reply)) {
	r := resp.Reply{Proto: l.out.Proto}
	write(&r)
	l.out.Buf = slices.Insert(l.out.Buf, l.begin, r.Buf...)
}

func (l *list) drop() { l.out.Buf = l.out.Buf[:l.begin] }

// scanCall is a SCAN as parsed.
type scanCall struct {
	cursor uint64
	count  int
	match  glob
	typ    []byte // only keys of that type; nil: of any

	noValues bool // of HSCAN: only the fields
}

func scan(c *Context, args [][]byte) {
	call, ok := c.parseScan(args)
	if !ok {
		return
	}
	reply := len(c.Out.Buf)
	l := c.list()
	next, err := c.Pipe.Scan(call.cursor, call.count, func(key []byte, t engine.Type) {
		if (call.typ == nil || same(call.typ, typeNames[t])) && !c.stopped() {
			l.addMatch(call.match, key)
		}
	})
	if err != nil {
		l.drop()
		c.fail(err)
		return
	}
	l.end()
	c.Out.Buf = slices.Insert(c.Out.Buf, reply, scanHeader(next)...)
}

// scanHeader is what precedes the keys: an array of two, the cursor first.
func scanHeader(next uint64) []byte {
	var r resp.Reply
	r.Array(2)
	r.BulkString(strconv.FormatUint(next, 10))
	return r.Buf
}

const (
	scanCount    = 10      // keys per call if COUNT says nothing
	scanCountMax = 1 << 20 // bounds how long a call holds up its connection; COUNT is only a wish
)

func (c *Context) parseScan(args [][]byte) (call scanCall, ok bool) {
	cursor, ok := parseCursor(args[1])
	if !ok {
		c.Out.Error("ERR invalid cursor")
		return call, false
	}
	call, ok = c.parseScanOptions(args[2:], true)
	call.cursor = cursor
	return call, ok
}

// parseScanOptions takes those of SCAN and of those like it, which know no types.
func (c *Context) parseScanOptions(options [][]byte, types bool) (call scanCall, ok bool) {
	call = scanCall{count: scanCount, match: glob{pattern: []byte("*")}}
	for ; len(options) > 0; options = options[2:] {
		if len(options) == 1 {
			c.syntaxError()
			return call, false
		}
		if !c.scanOption(&call, options[0], options[1], types) {
			return call, false
		}
	}
	return call, true
}

// scanOption takes one option. False: it is wrong, and the reply is written.
func (c *Context) scanOption(call *scanCall, name, value []byte, types bool) bool {
	switch {
	case same(name, "match"):
		if c.tooLong(value) {
			return false
		}
		call.match.pattern = value
	case same(name, "type") && types:
		call.typ = value
	case same(name, "count"):
		n, ok := c.integer(value)
		if !ok {
			return false
		}
		if n < 1 {
			c.syntaxError()
			return false
		}
		call.count = int(min(n, scanCountMax))
	default:
		c.syntaxError()
		return false
	}
	return true
}
