// Package resp writes replies, and reads and writes the numbers in them. What RESP2 has is written with redcon's Append functions;
// those of this package add what is new in RESP3, in the same style. A Reply chooses between the two.
//
// Redcon's AppendBulkInt and AppendBulkFloat are not used: they allocate, and a float is written there in another form than C's %.17g.
// AppendError makes line ends spaces, as Redis does; those at the end of an error are cut off before.
package resp

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/redcon"
)

// Reply collects replies in RESP2, or in RESP3 after HELLO 3. Its owner takes Buf and sends it.
type Reply struct {
	Buf    []byte
	Proto  int   // 2 or 3
	Errors int64 // error replies so far
}

// Int writes an integer.
func (r *Reply) Int(n int64) { r.Buf = redcon.AppendInt(r.Buf, n) }

// Bool writes 1 or 0, as commands say whether they did something.
func (r *Reply) Bool(b bool) {
	if b {
		r.Int(1)
	} else {
		r.Int(0)
	}
}

// Status writes a simple string. Line ends in it become spaces.
func (r *Reply) Status(s string) { r.Buf = redcon.AppendString(r.Buf, s) }

// OK writes the usual status.
func (r *Reply) OK() { r.Buf = redcon.AppendOK(r.Buf) }

// Error writes an error line, its code first ("ERR …"). Line ends in msg become spaces, at its end
// nothing.
func (r *Reply) Error(msg string) {
	r.Errors++
	r.Buf = redcon.AppendError(r.Buf, strings.TrimRight(msg, "\r\n"))
}

// Bulk writes a binary-safe string.
func (r *Reply) Bulk(b []byte) { r.Buf = redcon.AppendBulk(r.Buf, b) }

// BulkString writes a binary-safe string.
func (r *Reply) BulkString(s string) { r.Buf = redcon.AppendBulkString(r.Buf, s) }

// BulkInt writes an integer as a string, as GET does.
func (r *Reply) BulkInt(n int64) {
	var b [20]byte
	r.Bulk(strconv.AppendInt(b[:0], n, 10))
}

// Null writes the absence of a string.
func (r *Reply) Null() {
	if r.Proto == 3 {
		r.Buf = AppendNull(r.Buf)
	} else {
		r.Buf = redcon.AppendNull(r.Buf)
	}
}

// NullArray writes the absence of an array.
func (r *Reply) NullArray() {
	if r.Proto == 3 {
		r.Buf = AppendNull(r.Buf)
	} else {
		r.Array(-1)
	}
}

// Array announces n replies.
func (r *Reply) Array(n int) { r.Buf = redcon.AppendArray(r.Buf, n) }

// Push announces n parts of what is no reply; in RESP2 they are an array.
func (r *Reply) Push(n int) {
	if r.Proto == 3 {
		r.Buf = AppendPush(r.Buf, n)
	} else {
		r.Array(n)
	}
}

// Map announces n pairs of replies; in RESP2 they are an array.
func (r *Reply) Map(n int) {
	if r.Proto == 3 {
		r.Buf = AppendMap(r.Buf, n)
	} else {
		r.Array(2 * n)
	}
}

// Set announces n replies without an order; in RESP2 they are an array.
func (r *Reply) Set(n int) {
	if r.Proto == 3 {
		r.Buf = AppendSet(r.Buf, n)
	} else {
		r.Array(n)
	}
}

// Verbatim writes text of a three-letter format; in RESP2 it is a plain string.
func (r *Reply) Verbatim(format, text string) {
	if r.Proto == 3 {
		r.Buf = AppendVerbatim(r.Buf, format, text)
	} else {
		r.BulkString(text)
	}
}

// BigNumber writes an integer of any size; in RESP2 it is a string.
func (r *Reply) BigNumber(digits string) {
	if r.Proto == 3 {
		r.Buf = AppendBigNumber(r.Buf, digits)
	} else {
		r.BulkString(digits)
	}
}

// Double writes a floating-point number; in RESP2 it is a string.
func (r *Reply) Double(f float64) {
	if r.Proto == 3 {
		r.Buf = AppendDouble(r.Buf, f)
	} else {
		r.BulkString(formatDouble(f))
	}
}

// formatDouble writes a number as C's %.17g does.
func formatDouble(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', 17, 64)
}
