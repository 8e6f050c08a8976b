package resp

import "strconv"

// AppendNull appends the null of RESP3.
func AppendNull(b []byte) []byte { return append(b, "_\r\n"...) }

// AppendMap announces n pairs.
func AppendMap(b []byte, n int) []byte { return appendLength(b, '%', n) }

// AppendSet announces n elements without an order.
func AppendSet(b []byte, n int) []byte { return appendLength(b, '~', n) }

// AppendPush announces n parts of what is no reply.
func AppendPush(b []byte, n int) []byte { return appendLength(b, '>', n) }

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "#t\r\n"...)
	}
	return append(b, "#f\r\n"...)
}

// AppendDouble appends a floating-point number.
func AppendDouble(b []byte, f float64) []byte { return appendLine(b, ',', formatDouble(f)) }

// AppendBigNumber appends an integer of any size, which must not hold a line end.
func AppendBigNumber(b []byte, digits string) []byte { return appendLine(b, '(', digits) }

// AppendVerbatim appends text of a three-letter format.
func AppendVerbatim(b []byte, format, text string) []byte {
	b = appendLength(b, '=', len(format)+1+len(text))
	b = append(append(b, format...), ':')
	return append(append(b, text...), '\r', '\n')
}

func appendLength(b []byte, mark byte, n int) []byte {
	b = strconv.AppendInt(append(b, mark), int64(n), 10)
	return append(b, '\r', '\n')
}

func appendLine(b []byte, mark byte, text string) []byte {
	return append(append(append(b, mark), text...), '\r', '\n')
}
