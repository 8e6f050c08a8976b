package commands

import (
	"errors"
	"math/big"

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
		c.Out.Int(v)
	}
}

// hIncrByFloat is INCRBYFLOAT of a field.
func hIncrByFloat(c *Context, args [][]byte) {
	by, ok := parseLongDouble(args[3])
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
		number, ok := newLongDouble(), true
		if old.OK {
			number, ok = parseLongDouble(old.Append(nil))
		}
		if !ok {
			return old, false, errFieldNotFloat
		}
		var sum *big.Float
		if sum, ok = addLongDouble(number, by); !ok {
			return old, false, errNotFinite
		}
		text = formatLongDouble(sum)
		return engine.ParseValue([]byte(text)), true, nil
	})
	if err != nil {
		c.fail(err)
		return
	}
	c.Out.BulkString(text)
}

func hSet(c *Context, args [][]byte) {
	if n, ok := c.setFields(args, false); ok {
		c.Out.Int(int64(n))
	}
}

func hMSet(c *Context, args [][]byte) {
	if _, ok := c.setFields(args, false); ok {
		c.Out.OK()
	}
}

func hSetNX(c *Context, args [][]byte) {
	if n, ok := c.setFields(args, true); ok {
		c.Out.Int(int64(n))
	}
}

// setFields is the shared body of HSET, HMSET and HSETNX: how many fields there were not before. Unless ok it has replied.
func (c *Context) setFields(args [][]byte, nx bool) (created int, ok bool) {
	if len(args)%2 == 1 {
		c.wrongArity(c.table.lookup(args[0]))
		return 0, false
	}
	fields, values := make([][]byte, 0, len(args)/2), make([]engine.Value, 0, len(args)/2)
	for i := 2; i < len(args); i += 2 {
		fields, values = append(fields, args[i]), append(values, engine.ParseValue(args[i+1]))
	}
	created, err := c.Pipe.SetFields(args[1], fields, values, nx)
	if err != nil {
		c.fail(err)
		return 0, false
	}
	return created, true
}

func hGet(c *Context, args [][]byte) {
	v, err := c.Pipe.Field(args[1], args[2])
	c.valueOr(v, err)
}

func hMGet(c *Context, args [][]byte) {
	values, err := c.Pipe.Fields(args[1], args[2:], c.values[:0])
	c.valuesOr(values, err)
}

func hDel(c *Context, args [][]byte) {
	n, err := c.Pipe.DelFields(args[1], args[2:])
	c.intOr(int64(n), err)
}

func hLen(c *Context, args [][]byte) {
	n, err := c.Pipe.Len(args[1])
	c.intOr(n, err)
}

func hExists(c *Context, args [][]byte) {
	v, err := c.Pipe.Field(args[1], args[2])
	if err != nil {
		c.fail(err)
		return
	}
	c.Out.Bool(v.OK)
}

func hStrLen(c *Context, args [][]byte) {
	v, err := c.Pipe.Field(args[1], args[2])
	c.intOr(int64(v.Len()), err)
}

func (c *Context) intOr(n int64, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.Out.Int(n)
}
