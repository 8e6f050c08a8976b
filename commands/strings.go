package commands

import "atomiccounter/engine"

func get(c *Context, args [][]byte) {
	v, err := c.Pipe.Value(args[1])
	c.looked(args[1], v.OK)
	c.valueOr(v, err)
}

func (c *Context) valueOr(v engine.Value, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.value(v)
}

// value replies with what a key shows.
func (c *Context) value(v engine.Value) {
	switch {
	case v.IsText:
		c.Out.BulkString(v.Text)
	case v.OK:
		c.Out.BulkInt(v.Int)
	default:
		c.Out.Null()
	}
}

// setCall is a SET as parsed.
type setCall struct {
	engine.SetOptions
	expiry expiryOption
}

func set(c *Context, args [][]byte) {
	call, ok := parseSet(args[3:])
	if !ok {
		c.syntaxError()
		return
	}
	if call.expiry.given() {
		if call.ExpireAt, ok = c.expireTime(call.expiry, "set"); !ok {
			return
		}
	}
	c.set(args[1], args[2], call.SetOptions)
}

func parseSet(options [][]byte) (call setCall, ok bool) {
	for i := 0; i < len(options); i++ {
		arg := options[i]
		switch {
		case same(arg, "nx") && !call.XX:
			call.NX = true
		case same(arg, "xx") && !call.NX:
			call.XX = true
		case same(arg, "get"):
			call.Get = true
		case same(arg, "keepttl") && !call.expiry.given():
			call.KeepTTL = true
		default:
			if call.KeepTTL || !call.expiry.parse(options[i:]) {
				return call, false
			}
			i++
		}
	}
	return call, true
}

// set is the shared body of SET, SETEX and PSETEX.
func (c *Context) set(key, value []byte, o engine.SetOptions) {
	r, err := c.Pipe.Put(key, engine.ParseValue(value), o)
	if err == nil && o.Get {
		c.looked(key, r.Old.OK)
	}
	if r.Done {
		c.notifySet(key, o.ExpireAt)
	}
	switch {
	case err != nil:
		c.fail(err)
	case o.Get:
		c.value(r.Old)
	case r.Done:
		c.Out.OK()
	default:
		c.Out.Null()
	}
}

func setNX(c *Context, args [][]byte) {
	r, err := c.Pipe.Put(args[1], engine.ParseValue(args[2]), engine.SetOptions{NX: true})
	if err != nil {
		c.fail(err)
		return
	}
	if r.Done {
		c.notifySet(args[1], 0)
	}
	c.Out.Bool(r.Done)
}

func setEX(c *Context, args [][]byte) { c.setFor(args, expiryOption{amount: args[2]}, "setex") }

func pSetEX(c *Context, args [][]byte) {
	c.setFor(args, expiryOption{amount: args[2], milli: true}, "psetex")
}

func (c *Context) setFor(args [][]byte, e expiryOption, name string) {
	at, ok := c.expireTime(e, name)
	if ok {
		c.set(args[1], args[3], engine.SetOptions{ExpireAt: at})
	}
}

func getSet(c *Context, args [][]byte) { c.set(args[1], args[2], engine.SetOptions{Get: true}) }

func getDel(c *Context, args [][]byte) {
	v, err := c.Pipe.GetDel(args[1])
	c.looked(args[1], v.OK)
	if v.OK && err == nil {
		c.notify(genericEvent, "del", args[1])
	}
	c.valueOr(v, err)
}

func getEX(c *Context, args [][]byte) {
	e, o, ok := parseGetEX(args[2:])
	if !ok {
		c.syntaxError()
		return
	}
	if e.given() {
		if v, err := c.Pipe.Value(args[1]); err != nil || !v.OK { // in Redis a missing key comes before a wrong time
			c.looked(args[1], v.OK)
			c.valueOr(engine.Value{}, err)
			return
		}
		if o.At, ok = c.expireTime(e, "getex"); !ok {
			return
		}
	}
	had := o.Persist && c.hasExpiry(args[1])
	v, err := c.Pipe.GetEx(args[1], o)
	c.looked(args[1], v.OK)
	switch {
	case !v.OK || err != nil:
	case o.At != 0:
		c.notifyExpire(args[1], o.At)
	case had:
		c.notify(genericEvent, "persist", args[1])
	}
	c.valueOr(v, err)
}

func parseGetEX(options [][]byte) (e expiryOption, o engine.ExpireOptions, ok bool) {
	for i := 0; i < len(options); i++ {
		switch {
		case same(options[i], "persist") && !e.given():
			o.Persist = true
		case !o.Persist && e.parse(options[i:]):
			i++
		default:
			return e, o, false
		}
	}
	return e, o, true
}

func mGet(c *Context, args [][]byte) {
	values, err := c.Pipe.MGet(args[1:], c.values[:0])
	c.valuesOr(values, args[1:], err)
}

// valuesOr replies with values at one moment: of keys, or of fields if keys is nil.
func (c *Context) valuesOr(values []engine.Value, keys [][]byte, err error) {
	c.values = values
	if err != nil {
		c.fail(err)
		return
	}
	defer clear(values) // texts may be long
	size := int64(0)
	for _, v := range values {
		size += int64(len(v.Text))
	}
	if size > c.Server.Config.ProtoMaxBulk() { // one key may be named a million times
		c.fail(errReplyTooLong)
		return
	}
	if size > listStep {
		if err := c.takes(size); err != nil {
			c.fail(err)
			return
		}
	}
	c.Out.Array(len(values))
	for i, v := range values {
		if keys != nil {
			c.looked(keys[i], v.OK || v.Hash)
		}
		c.value(v)
	}
}

func mSet(c *Context, args [][]byte) {
	if _, ok := c.setAll(args, engine.Overwrite); ok {
		c.Out.OK()
	}
}

func mSetNX(c *Context, args [][]byte) {
	if done, ok := c.setAll(args, engine.Refuse); ok {
		c.Out.Bool(done)
	}
}

// setAll is the shared body of MSET and MSETNX. Unless ok it has replied.
func (c *Context) setAll(args [][]byte, existing engine.Existing) (done, ok bool) {
	if len(args)%2 == 0 {
		c.wrongArity(c.table.lookup(args[0]))
		return false, false
	}
	keys, values := make([][]byte, 0, len(args)/2), make([]engine.Value, 0, len(args)/2)
	for i := 1; i < len(args); i += 2 {
		keys, values = append(keys, args[i]), append(values, engine.ParseValue(args[i+1]))
	}
	done, err := c.Pipe.MSet(keys, values, existing)
	if err != nil {
		c.fail(err)
	}
	for i := 0; done && i < len(keys); i++ {
		c.notifySet(keys[i], 0)
	}
	return done, err == nil
}

func strLen(c *Context, args [][]byte) {
	v, err := c.Pipe.Value(args[1])
	if err != nil {
		c.fail(err)
		return
	}
	c.looked(args[1], v.OK)
	c.Out.Int(int64(v.Len()))
}
