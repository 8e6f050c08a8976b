package commands

import (
	"math"

	"atomiccounter/engine"
)

// ParseInt reads a decimal int64 as strictly as Redis: one way to write each number, so that what is read back is what was
// written. No plus sign, no leading zero, no minus zero, no space, not empty.
func ParseInt(b []byte) (int64, bool) { return engine.ParseInteger(b) }

// integer reads an argument; false: it is none, and the reply is written.
func (c *Context) integer(arg []byte) (int64, bool) {
	n, ok := ParseInt(arg)
	if !ok {
		c.notInteger()
	}
	return n, ok
}

// int32 reads an argument that Redis keeps in a C int; false: it is none, and the reply is written.
func (c *Context) int32(arg []byte) (int, bool) {
	n, ok := c.integer(arg)
	if ok && int64(int32(n)) != n {
		c.Out.Error("ERR value is out of range, value must between -2147483648 and 2147483647")
		return 0, false
	}
	return int(n), ok
}

// parseCursor reads a cursor of SCAN as C's strtoul does: an empty one is 0, a sign is allowed, a minus wraps, and a zero
// byte ends it.
func parseCursor(b []byte) (uint64, bool) {
	b = cString(b)
	negative := len(b) > 0 && b[0] == '-'
	if len(b) > 1 && (negative || b[0] == '+') {
		b = b[1:]
	}
	var n uint64
	for _, d := range b {
		if d < '0' || d > '9' || n > math.MaxUint64/10 {
			return 0, false
		}
		next := n*10 + uint64(d-'0')
		if next < n*10 {
			return 0, false
		}
		n = next
	}
	if negative {
		n = -n
	}
	return n, true
}
