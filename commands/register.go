package commands

import (
	"errors"
	"math/big"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
)

// Errors of commands that read a string and write it changed.
var (
	errBulkLimit = errors.New("string exceeds maximum allowed size (proto-max-bulk-len)")
	errNotFloat  = errors.New("value is not a valid float")
	errNotFinite = errors.New("increment would produce NaN or Infinity")
)

func appendTo(c *Context, args [][]byte) {
	c.edit(args[1], func(old engine.Value) (engine.Value, bool, error) {
		if old.OK && len(args[2]) == 0 {
			return old, false, nil
		}
		if err := c.mayBeLong(int64(old.Len()), int64(len(args[2]))); err != nil {
			return old, false, err
		}
		return engine.ParseValue(append(old.Append(nil), args[2]...)), true, nil
	}, "append")
}

func setRange(c *Context, args [][]byte) {
	offset, ok := c.integer(args[2])
	if !ok {
		return
	}
	if offset < 0 {
		c.Out.Error("ERR offset is out of range")
		return
	}
	c.edit(args[1], func(old engine.Value) (engine.Value, bool, error) {
		if len(args[3]) == 0 {
			return old, false, nil
		}
		if err := c.mayBeLong(offset, int64(len(args[3]))); err != nil {
			return old, false, err
		}
		s := old.Append(make([]byte, 0, max(old.Len(), int(offset)+len(args[3]))))
		s = s[:max(len(s), int(offset)+len(args[3]))] // what lies between is zero
		copy(s[offset:], args[3])
		return engine.ParseValue(s), true, nil
	}, "setrange")
}

// edit replaces a value by what change makes of it, and replies its length. As in Redis an APPEND of nothing is an event, and a
// write for the clients that watch the key.
func (c *Context) edit(key []byte, change func(engine.Value) (engine.Value, bool, error), event string) {
	n, changed := 0, false
	err := c.Pipe.Edit(key, func(old engine.Value) (engine.Value, bool, error) {
		next, changes, err := change(old)
		n, changed = next.Len(), changes
		return next, changes, err
	})
	if err == nil && !changed && event == "append" {
		err = c.Pipe.Touch(key)
	}
	if err != nil {
		c.fail(err)
		return
	}
	if changed || event == "append" {
		c.notify(stringEvent, event, key)
	}
	c.Out.Int(int64(n))
}

// mayBeLong says why a string of size and more bytes may not be made.
func (c *Context) mayBeLong(size, more int64) error {
	switch limit := c.Server.Config.ProtoMaxBulk(); {
	case more > limit || size > limit-more:
		return errBulkLimit
	case size > engine.MaxText-more:
		return engine.ErrTextTooLong
	}
	return nil
}

// getRange is SUBSTR, too. Places count from the end if negative.
func getRange(c *Context, args [][]byte) {
	from, ok := c.integer(args[2])
	if !ok {
		return
	}
	to, ok := c.integer(args[3])
	if !ok {
		return
	}
	v, err := c.Pipe.Value(args[1])
	c.looked(args[1], v.OK)
	if err != nil {
		c.fail(err)
		return
	}
	if v.IsText {
		at, end := cut(from, to, len(v.Text))
		c.Out.BulkString(v.Text[at:end])
		return
	}
	var b [20]byte
	s := v.Append(b[:0])
	at, end := cut(from, to, len(s))
	c.Out.Bulk(s[at:end])
}

// cut is the part of a string of size bytes that a range names.
func cut(from, to int64, size int) (at, end int) {
	if from < 0 && to < 0 && from > to {
		return 0, 0
	}
	n := int64(size)
	if from < 0 {
		from = max(from+n, 0)
	}
	if to < 0 {
		to = max(to+n, 0)
	}
	if to = min(to, n-1); from > to {
		return 0, 0
	}
	return int(from), int(to) + 1
}

// incrByFloat reads a number, adds to it and writes it back: of two that run at the same time on two replicas one is lost.
func incrByFloat(c *Context, args [][]byte) {
	var text string
	err := c.Pipe.Edit(args[1], func(old engine.Value) (engine.Value, bool, error) {
		by, ok := resp.ParseLongDouble(args[2])
		if !ok {
			return old, false, errNotFloat
		}
		var err error
		text, err = addFloat(old, by, errNotFloat)
		return engine.ParseValue([]byte(text)), true, err
	})
	if err != nil {
		c.fail(err)
		return
	}
	c.notify(stringEvent, "incrbyfloat", args[1])
	c.Out.BulkString(text)
}

// addFloat gives the sum of what a value is, 0 if there is none, and by, as INCRBYFLOAT replies it; notFloat if the value is no number.
func addFloat(old engine.Value, by *big.Float, notFloat error) (string, error) {
	number, ok := new(big.Float), true
	if old.OK {
		number, ok = resp.ParseLongDouble(old.Append(nil))
	}
	if !ok {
		return "", notFloat
	}
	sum, ok := resp.AddLongDouble(number, by)
	if !ok {
		return "", errNotFinite
	}
	return resp.FormatLongDouble(sum), nil
}
