package commands

import (
	"errors"
	"strings"

	"atomiccounter/engine"
)

// Errors that many commands share.
const (
	errSyntax     = "ERR syntax error"
	errNotInteger = "ERR value is not an integer or out of range"
)

// ErrorLine is the RESP error, its code first, for an error of the engine. What is wrong with the disk is a MISCONF, as in
// Redis: clients know that it is no fault of the command.
func ErrorLine(err error) string {
	line := lineOf(err)
	if text := engine.ErrPartly.Error(); errors.Is(err, engine.ErrPartly) && !strings.HasSuffix(line, text) {
		line += ": " + text
	}
	return line
}

func lineOf(err error) string {
	switch {
	case errors.Is(err, engine.ErrOverflow):
		return "ERR increment or decrement would overflow"
	case errors.Is(err, engine.ErrNegative):
		return "ERR a natural counter only grows"
	case errors.Is(err, engine.ErrKindFixed):
		return "ERR key already exists with another kind"
	case errors.Is(err, engine.ErrWrongType):
		return "WRONGTYPE Operation against a key holding the wrong kind of value"
	case errors.Is(err, engine.ErrKeyTooLong):
		return "ERR key is longer than 64 KiB"
	case errors.Is(err, engine.ErrNoSpace):
		return "MISCONF no space left on device: writes are refused until there is room"
	case errors.Is(err, engine.ErrNoFiles):
		return "MISCONF too many open files: writes are refused until some are closed, by themselves; a greater ulimit -n avoids that"
	case errors.Is(err, engine.ErrFailed):
		return "MISCONF the store has failed, writes are refused until the server is restarted: " + err.Error()
	case errors.Is(err, engine.ErrBusy):
		return errBusyScript
	case errors.Is(err, engine.ErrClosed):
		return "ERR server is shutting down"
	}
	return "ERR " + err.Error()
}

func (c *Context) fail(err error) { c.Out.Error(ErrorLine(err)) }

// failIn names the command, for errors whose text does not tell what was wanted.
func (c *Context) failIn(command string, err error) {
	line := ErrorLine(err)
	if text, ok := strings.CutPrefix(line, "ERR "); ok {
		line = "ERR " + command + ": " + text
	}
	c.Out.Error(line)
}

func (c *Context) syntaxError() { c.Out.Error(errSyntax) }

func (c *Context) notInteger() { c.Out.Error(errNotInteger) }
