package tlv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors of reading. They come wrapped with what was being read.
var (
	// ErrIncomplete says that the data ends before its outermost record does: with more of it, it may be right.
	ErrIncomplete = errors.New("incomplete record")
	// ErrMalformed says that the data is wrong, whatever follows.
	ErrMalformed = errors.New("malformed record")
)

const (
	maxTiny   = 9
	maxShort  = math.MaxUint8
	shortHead = 2
	longHead  = 5
)

// AppendHeader appends the header of a record of type typ ('A'..'Z') whose body has n bytes, at most 4 GiB - 1.
func AppendHeader(buf []byte, typ byte, n int) []byte {
	if n <= maxShort {
		return append(buf, typ|0x20, byte(n))
	}
	if uint64(n) > math.MaxUint32 {
		panic("tlv: a record of 4 GiB")
	}
	return binary.LittleEndian.AppendUint32(append(buf, typ), uint32(n))
}

// Append appends a record of type typ ('A'..'Z').
func Append(buf []byte, typ byte, body []byte) []byte {
	return append(AppendHeader(buf, typ, len(body)), body...)
}

// AppendTiny appends a record whose type the position implies: tiny if it can be.
func AppendTiny(buf []byte, typ byte, body []byte) []byte {
	if len(body) > maxTiny {
		return Append(buf, typ, body)
	}
	return append(append(buf, '0'+byte(len(body))), body...)
}

// openRecord leaves room for a header: the body is appended next, its size being unknown yet. closeRecord ends it.
func openRecord(buf []byte) []byte { return append(buf, make([]byte, longHead)...) }

// closeRecord writes the header of the record that openRecord began at start, and draws the body up to it.
func closeRecord(buf []byte, start int, typ byte) []byte {
	body := buf[start+longHead:]
	return append(AppendHeader(buf[:start], typ, len(body)), body...)
}

// Take reads one record from the start of data: its type in upper case, or '0' for a tiny one.
// body and rest are slices of data; body has no capacity beyond its length.
func Take(data []byte) (typ byte, body, rest []byte, err error) {
	typ, head, n, err := takeHeader(data)
	if err != nil {
		return 0, nil, data, err
	}
	if n > uint64(len(data)-head) {
		return 0, nil, data, ErrIncomplete
	}
	end := head + int(n)
	return typ, data[head:end:end], data[end:], nil
}

func takeHeader(data []byte) (typ byte, head int, n uint64, err error) {
	if len(data) == 0 {
		return 0, 0, 0, ErrIncomplete
	}
	switch c := data[0]; {
	case c >= '0' && c <= '9':
		return '0', 1, uint64(c - '0'), nil
	case c >= 'a' && c <= 'z':
		if len(data) < shortHead {
			return 0, 0, 0, ErrIncomplete
		}
		return c &^ 0x20, shortHead, uint64(data[1]), nil
	case c >= 'A' && c <= 'Z':
		return takeLongHeader(data)
	default:
		return 0, 0, 0, malformed("type 0x%02x", c)
	}
}

func takeLongHeader(data []byte) (typ byte, head int, n uint64, err error) {
	if len(data) < longHead {
		return 0, 0, 0, ErrIncomplete
	}
	size := binary.LittleEndian.Uint32(data[1:])
	if size <= maxShort {
		return 0, 0, 0, malformed("long form of %d bytes", size)
	}
	return data[0], longHead, uint64(size), nil
}

// Expect reads one record that has to be of type typ.
func Expect(data []byte, typ byte) (body, rest []byte, err error) {
	got, body, rest, err := Take(data)
	if err == nil && got != typ {
		err = malformed("record %c where %c belongs", got, typ)
	}
	if err != nil {
		return nil, data, err
	}
	return body, rest, nil
}

// TakeTiny reads one record whose type the position implies: tiny, or typ if it is too long for that.
func TakeTiny(data []byte, typ byte) (body, rest []byte, err error) {
	got, body, rest, err := Take(data)
	if err == nil && got != '0' && (got != typ || len(body) <= maxTiny) {
		err = malformed("record %c of %d bytes where a tiny %c belongs", got, len(body), typ)
	}
	if err != nil {
		return nil, data, err
	}
	return body, rest, nil
}

// countRecords counts the records of type typ in data, up to the first with a body of fewer than least bytes: what is
// counted takes room in data, so room may be made for it before it is read.
func countRecords(data []byte, typ byte, least int) (n int) {
	for {
		got, head, size, err := takeHeader(data)
		if err != nil || size < uint64(least) || size > uint64(len(data)-head) {
			return n
		}
		if got == typ {
			n++
		}
		data = data[head+int(size):]
	}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// inside is err as it is said of a record that is itself complete: no more data can help.
func inside(err error) error {
	if errors.Is(err, ErrIncomplete) {
		return malformed("body cut short")
	}
	return err
}
