package commands

import "atomiccounter/engine"

// usage tells how a key is used. False: it has replied, with an error or null.
func (c *Context) usage(key []byte) (engine.Usage, bool) {
	u, ok, err := c.Pipe.Usage(key)
	switch {
	case err != nil:
		c.fail(err)
		return u, false
	case !ok:
		c.Out.Null()
	}
	return u, ok
}

// objectFreq gives what Redis does under an LFU policy, about. Elsewhere it is an error there; here it is always known.
func objectFreq(c *Context, args [][]byte) {
	if u, ok := c.usage(args[2]); ok {
		c.Out.Int(int64(u.Heat))
	}
}

func objectIdleTime(c *Context, args [][]byte) {
	if u, ok := c.usage(args[2]); ok {
		c.Out.Int(u.Idle)
	}
}

// What Redis shows of the integers from 0 to 9999, which all keys share.
const (
	sharedIntegers = 10000
	sharedRefs     = 1<<31 - 1
)

// objectRefCount is what Redis would show of the value if it was just set.
func objectRefCount(c *Context, args [][]byte) {
	v, err := c.Pipe.Value(args[2])
	switch {
	case err != nil:
		c.fail(err)
	case !v.OK:
		c.Out.Null()
	case !v.IsText && v.Int >= 0 && v.Int < sharedIntegers:
		c.Out.Int(sharedRefs)
	default:
		c.Out.Int(1)
	}
}
