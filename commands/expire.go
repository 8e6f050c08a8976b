package commands

import (
	"fmt"
	"math"

	"atomiccounter/engine"
)

// expiryOption is an EX, PX, EXAT or PXAT with its amount.
type expiryOption struct {
	amount   []byte // nil: not given
	milli    bool   // of milliseconds, not seconds
	absolute bool   // since the Unix epoch, not from now on
}

func (e *expiryOption) given() bool { return e.amount != nil }

// parse takes the option with its amount from the front of the arguments. False: it is another word, or one that does not
// go with what was given before; the same again replaces it.
func (e *expiryOption) parse(args [][]byte) bool {
	if len(args) < 2 {
		return false
	}
	next := expiryOption{amount: args[1]}
	switch word := args[0]; {
	case same(word, "ex"):
	case same(word, "px"):
		next.milli = true
	case same(word, "exat"):
		next.absolute = true
	case same(word, "pxat"):
		next.milli, next.absolute = true, true
	default:
		return false
	}
	if e.given() && (e.milli != next.milli || e.absolute != next.absolute) {
		return false
	}
	*e = next
	return true
}

// at is the time n amounts to, in ms since the Unix epoch. False: int64 does not hold it.
func (e *expiryOption) at(n, now int64) (int64, bool) {
	if !e.milli {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return 0, false
		}
		n *= 1000
	}
	if !e.absolute {
		if n > math.MaxInt64-now {
			return 0, false
		}
		n += now
	}
	return n, true
}

// expireTime is when a key set by the named command expires, in ms since the Unix epoch: it must be a positive amount.
// False: it is wrong, and the reply is written.
func (c *Context) expireTime(e expiryOption, name string) (int64, bool) {
	n, ok := c.integer(e.amount)
	if !ok {
		return 0, false
	}
	at, ok := e.at(n, c.Pipe.Now())
	if !ok || n <= 0 {
		c.badExpireTime(name)
		return 0, false
	}
	return at, true
}

func (c *Context) badExpireTime(name string) {
	c.Out.Error("ERR invalid expire time in '" + name + "' command")
}

func expire(c *Context, args [][]byte) { c.expire(args, expiryOption{}, "expire") }

func pExpire(c *Context, args [][]byte) { c.expire(args, expiryOption{milli: true}, "pexpire") }

func expireAt(c *Context, args [][]byte) { c.expire(args, expiryOption{absolute: true}, "expireat") }

func pExpireAt(c *Context, args [][]byte) {
	c.expire(args, expiryOption{milli: true, absolute: true}, "pexpireat")
}

// expire is the shared body of the four. A time in the past is allowed: the key goes at once.
func (c *Context) expire(args [][]byte, e expiryOption, name string) {
	cond, ok := c.expireCond(args[3:])
	if !ok {
		return
	}
	n, ok := c.integer(args[2])
	if !ok {
		return
	}
	at, ok := e.at(n, c.Pipe.Now())
	if !ok {
		c.badExpireTime(name)
		return
	}
	done, err := c.Pipe.ExpireAt(args[1], at, cond)
	if err != nil {
		c.fail(err)
		return
	}
	if done {
		c.notifyExpire(args[1], at)
	}
	c.Out.Bool(done)
}

func (c *Context) expireCond(options [][]byte) (cond engine.ExpireCond, ok bool) {
	for _, arg := range options {
		switch {
		case same(arg, "nx"):
			cond |= engine.ExpireNX
		case same(arg, "xx"):
			cond |= engine.ExpireXX
		case same(arg, "gt"):
			cond |= engine.ExpireGT
		case same(arg, "lt"):
			cond |= engine.ExpireLT
		default:
			c.Out.Error(fmt.Sprintf("ERR Unsupported option %s", cString(arg)))
			return 0, false
		}
	}
	switch {
	case cond&engine.ExpireNX != 0 && cond != engine.ExpireNX:
		c.Out.Error("ERR NX and XX, GT or LT options at the same time are not compatible")
		return 0, false
	case cond&engine.ExpireGT != 0 && cond&engine.ExpireLT != 0:
		c.Out.Error("ERR GT and LT options at the same time are not compatible")
		return 0, false
	}
	return cond, true
}

func persist(c *Context, args [][]byte) {
	done, err := c.Pipe.Persist(args[1])
	if err != nil {
		c.fail(err)
		return
	}
	if done {
		c.notify(genericEvent, "persist", args[1])
	}
	c.Out.Bool(done)
}

func ttl(c *Context, args [][]byte) {
	c.expiry(args[1], func(at int64) int64 { return roundSeconds(max(at-c.Pipe.Now(), 0)) })
}

func pTTL(c *Context, args [][]byte) {
	c.expiry(args[1], func(at int64) int64 { return max(at-c.Pipe.Now(), 0) })
}

func expireTime(c *Context, args [][]byte) { c.expiry(args[1], roundSeconds) }

func pExpireTime(c *Context, args [][]byte) {
	c.expiry(args[1], func(at int64) int64 { return at })
}

// Replies of TTL and those like it where there is no time.
const (
	noSuchKey = -2
	noExpiry  = -1
)

func (c *Context) expiry(key []byte, show func(at int64) int64) {
	at, ok, err := c.Pipe.ExpireTime(key)
	c.looked(key, ok)
	switch {
	case err != nil:
		c.fail(err)
	case !ok:
		c.Out.Int(noSuchKey)
	case at == 0:
		c.Out.Int(noExpiry)
	default:
		c.Out.Int(show(at))
	}
}

func roundSeconds(ms int64) int64 { return ms/1000 + (ms%1000+500)/1000 }
