package commands

import (
	"math"
	"strconv"
	"strings"
)

// Reply collects replies in RESP2, or in RESP3 after HELLO 3. Its owner takes Buf and sends it.
type Reply struct {
	Buf    []byte
	Proto  int   // 2 or 3
	Errors int64 // error replies; the owner counts them into Stats and sets it back to 0
}

func (r *Reply) number(mark byte, n int64) {
	r.Buf = append(r.Buf, mark)
	r.Buf = strconv.AppendInt(r.Buf, n, 10)
	r.Buf = append(r.Buf, '\r', '\n')
}

// Int writes an integer.
func (r *Reply) Int(n int64) { r.number(':', n) }

// Bool writes 1 or 0, as commands say whether they did something.
func (r *Reply) Bool(b bool) {
	if b {
		r.Int(1)
	} else {
		r.Int(0)
	}
}

// Status writes a simple string, which must not hold a line end.
func (r *Reply) Status(s string) {
	r.Buf = append(r.Buf, '+')
	r.Buf = append(r.Buf, s...)
	r.Buf = append(r.Buf, '\r', '\n')
}

// OK writes the usual status.
func (r *Reply) OK() { r.Status("OK") }

// Error writes an error line, its code first ("ERR …"). Line ends in msg become spaces, at its end
// nothing.
func (r *Reply) Error(msg string) {
	r.Errors++
	r.Buf = append(r.Buf, '-')
	msg = strings.TrimRight(msg, "\r\n")
	for i := range len(msg) {
		c := msg[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		r.Buf = append(r.Buf, c)
	}
	r.Buf = append(r.Buf, '\r', '\n')
}

// Bulk writes a binary-safe string.
func (r *Reply) Bulk(b []byte) {
	r.number('$', int64(len(b)))
	r.Buf = append(r.Buf, b...)
	r.Buf = append(r.Buf, '\r', '\n')
}

// BulkString writes a binary-safe string.
func (r *Reply) BulkString(s string) {
	r.number('$', int64(len(s)))
	r.Buf = append(r.Buf, s...)
	r.Buf = append(r.Buf, '\r', '\n')
}

// BulkInt writes an integer as a string, as GET does.
func (r *Reply) BulkInt(n int64) {
	var b [20]byte
	r.Bulk(strconv.AppendInt(b[:0], n, 10))
}

// Null writes the absence of a string.
func (r *Reply) Null() {
	if r.Proto == 3 {
		r.Buf = append(r.Buf, "_\r\n"...)
	} else {
		r.Buf = append(r.Buf, "$-1\r\n"...)
	}
}

// NullArray writes the absence of an array.
func (r *Reply) NullArray() {
	if r.Proto == 3 {
		r.Buf = append(r.Buf, "_\r\n"...)
	} else {
		r.Buf = append(r.Buf, "*-1\r\n"...)
	}
}

// Array announces n replies.
func (r *Reply) Array(n int) { r.number('*', int64(n)) }

// Push announces n parts of what is no reply; in RESP2 they are an array.
func (r *Reply) Push(n int) {
	if r.Proto == 3 {
		r.number('>', int64(n))
	} else {
		r.number('*', int64(n))
	}
}

// Map announces n pairs of replies; in RESP2 they are an array.
func (r *Reply) Map(n int) {
	if r.Proto == 3 {
		r.number('%', int64(n))
	} else {
		r.number('*', int64(2*n))
	}
}

// Set announces n replies without an order; in RESP2 they are an array.
func (r *Reply) Set(n int) {
	if r.Proto == 3 {
		r.number('~', int64(n))
	} else {
		r.number('*', int64(n))
	}
}

// Verbatim writes text of a three-letter format; in RESP2 it is a plain string.
func (r *Reply) Verbatim(format, text string) {
	if r.Proto != 3 {
		r.BulkString(text)
		return
	}
	r.number('=', int64(len(text)+4))
	r.Buf = append(r.Buf, format...)
	r.Buf = append(r.Buf, ':')
	r.Buf = append(r.Buf, text...)
	r.Buf = append(r.Buf, '\r', '\n')
}

// Double writes a floating-point number; in RESP2 it is a string.
func (r *Reply) Double(f float64) {
	s := strconv.FormatFloat(f, 'g', 17, 64)
	switch {
	case math.IsInf(f, 1):
		s = "inf"
	case math.IsInf(f, -1):
		s = "-inf"
	case math.IsNaN(f):
		s = "nan"
	}
	if r.Proto != 3 {
		r.BulkString(s)
		return
	}
	r.Buf = append(append(append(r.Buf, ','), s...), '\r', '\n')
}
