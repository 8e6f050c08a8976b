package commands

import (
	"errors"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
)

// Errors of fields that hold something else than what is added to.
var (
	errFieldNotInteger = errors.New("hash value is not an integer")
	errFieldNotFloat   = errors.New("hash value is not a float")
	errNoFloat         = errors.New("value is NaN or Infinity")
)

func hIncrBy(c *Context, args [][]byte) {
	n, ok := c.integer(args[3])
	if !ok {
		return
	}
	v, err := c.Pipe.IncrField(args[1], args[2], n)
	switch {
	case errors.Is(err, engine.ErrNotInteger):
		c.fail(errFieldNotInteger)
	case err != nil:
		c.fail(err)
	default:
		c.notify(hashEvent, "hincrby", args[1])
		c.Out.Int(v)
	}
}

// hIncrByFloat is INCRBYFLOAT of a field.
func hIncrByFloat(c *Context, args [][]byte) {
	by, ok := resp.ParseLongDouble(args[3])
	switch {
	case !ok:
		c.fail(errNotFloat)
		return
	case by.IsInf():
		c.fail(errNoFloat)
		return
	}
	var text string
	err := c.Pipe.EditField(args[1], args[2], func(old engine.Value) (engine.Value, bool, error) {
		var err error
		text, err = addFloat(old, by, errFieldNotFloat)
		return engine.ParseValue([]byte(text)), true, err
	})
	if err != nil {
		c.fail(err)
		return
	}
	c.notify(hashEvent, "hincrbyfloat", args[1])
	c.Out.BulkString(text)
}

func hSet(c *Context, args [][]byte) {
	if n, ok := c.setFields(args, engine.Overwrite); ok {
		c.notify(hashEvent, "hset", args[1])
		c.Out.Int(int64(n))
	}
}

func hMSet(c *Context, args [][]byte) {
	if _, ok := c.setFields(args, engine.Overwrite); ok {
		c.notify(hashEvent, "hset", args[1])
		c.Out.OK()
	}
}

func hSetNX(c *Context, args [][]byte) {
	n, ok := c.setFields(args, engine.Refuse)
	if !ok {
		return
	}
	if n > 0 {
		c.notify(hashEvent, "hset", args[1])
	}
	c.Out.Int(int64(n))
}

// setFields is the shared body of HSET, HMSET and HSETNX: how many fields there were not before. Unless ok it has replied.
func (c *Context) setFields(args [][]byte, existing engine.Existing) (created int, ok bool) {
	if len(args)%2 == 1 {
		c.wrongArity(c.table.lookup(args[0]))
		return 0, false
	}
	fields, values := make([][]byte, 0, len(args)/2), make([]engine.Value, 0, len(args)/2)
	for i := 2; i < len(args); i += 2 {
		fields, values = append(fields, args[i]), append(values, engine.ParseValue(args[i+1]))
	}
	created, err := c.Pipe.SetFields(args[1], fields, values, existing)
	if err != nil {
		c.fail(err)
		return 0, false
	}
	return created, true
}

func hDel(c *Context, args [][]byte) {
	n, err := c.Pipe.DelFields(args[1], args[2:])
	if err != nil {
		c.fail(err)
		return
	}
	if n > 0 && c.Server.Config.Load().Events != 0 {
		c.notify(hashEvent, "hdel", args[1])
		if left, err := c.Pipe.Len(args[1]); left == 0 && err == nil {
			c.notify(genericEvent, "del", args[1])
		}
	}
	c.Out.Int(int64(n))
}

// lookedHash is looked of a hash; a key of another type is there too.
func (c *Context) lookedHash(key []byte, found bool, err error) {
	c.looked(key, found || errors.Is(err, engine.ErrWrongType))
}

// field is the shared beginning of commands that read one field. Unless ok it has replied.
func (c *Context) field(args [][]byte) (v engine.Value, ok bool) {
	v, found, err := c.Pipe.Field(args[1], args[2])
	c.lookedHash(args[1], found, err)
	if err != nil {
		c.fail(err)
	}
	return v, err == nil
}

func hGet(c *Context, args [][]byte) {
	if v, ok := c.field(args); ok {
		c.value(v)
	}
}

func hExists(c *Context, args [][]byte) {
	if v, ok := c.field(args); ok {
		c.Out.Bool(v.OK)
	}
}

func hStrLen(c *Context, args [][]byte) {
	if v, ok := c.field(args); ok {
		c.Out.Int(int64(v.Len()))
	}
}

func hMGet(c *Context, args [][]byte) {
	values, found, err := c.Pipe.Fields(args[1], args[2:], c.values[:0])
	c.lookedHash(args[1], found, err)
	c.valuesOr(values, nil, err)
}

// size is the number of fields of a hash that is read. Unless ok it has replied.
func (c *Context) size(key []byte) (n int64, ok bool) {
	n, err := c.Pipe.Len(key)
	c.lookedHash(key, n > 0, err)
	if err != nil {
		c.fail(err)
	}
	return n, err == nil
}

func hLen(c *Context, args [][]byte) {
	if n, ok := c.size(args[1]); ok {
		c.Out.Int(n)
	}
}
