package commands

import "atomiccounter/engine"

// onceCall is a CINCRBY as parsed: its options, nil where they are not given.
type onceCall struct{ token, seconds []byte }

func cIncrBy(c *Context, args [][]byte) {
	n, ok := c.integer(args[2])
	if !ok {
		return
	}
	call, ok := parseOnce(args[3:])
	if !ok {
		c.syntaxError()
		return
	}
	life, ok := c.tokenLife(call.seconds)
	if !ok {
		return
	}
	v, counted, err := c.Pipe.IncrOnce(args[1], call.token, n, life)
	if err != nil {
		c.fail(err)
		return
	}
	if counted {
		c.notify(stringEvent, "incrby", args[1])
	}
	c.Out.Int(v)
}

func parseOnce(options [][]byte) (call onceCall, ok bool) {
	for ; len(options) >= 2; options = options[2:] {
		switch {
		case same(options[0], "token") && call.token == nil:
			call.token = options[1]
		case same(options[0], "ex") && call.seconds == nil:
			call.seconds = options[1]
		default:
			return call, false
		}
	}
	return call, len(options) == 0 && call.token != nil
}

// tokenLife is how long a token is to be remembered, in ms. False: the argument says nothing of the kind, and the reply is written.
func (c *Context) tokenLife(arg []byte) (ms int64, ok bool) {
	if arg == nil {
		return engine.TokenLife, true
	}
	seconds, ok := c.integer(arg)
	if ok && (seconds <= 0 || seconds > engine.MaxTokenLife/1000) {
		c.fail(engine.ErrTokenLife)
		ok = false
	}
	return seconds * 1000, ok
}
