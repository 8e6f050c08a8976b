// Package tlv frames records as type, length and body, and writes the states of counters in them.
//
//	short   a..z  length (1 B)                  body    up to 255 bytes
//	long    A..Z  length (4 B, little-endian)   body    256 bytes and more
//	tiny    0..9                                body    up to 9 bytes, where the position implies the type
//
// The letter is the type; its case only says which form the length has. There is one way to write a record: the
// shortest. Readers refuse any other, so what is accepted is written back alike.
//
// Integers are zipped: little-endian without the zero bytes at the end, so 0 is an empty body. Signed ones are
// zigzagged first. `75 02 68 69` is the record U with the body "hi"; `32 e8 03` is a tiny 1000.
//
// Reading never panics and never allocates more than the input is long; bodies are slices of the input.
package tlv

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of reading. They come wrapped with what was being read.
var (
	ErrIncomplete = errors.New("incomplete record")
	ErrMalformed  = errors.New("malformed record")
)

const (
	maxTiny  = 9
	maxShort = 255
)

// AppendHeader appends the header of a record of type typ ('A'..'Z') whose body has n bytes.
func AppendHeader(buf []byte, typ byte, n int) []byte {
	if n <= maxShort {
		return append(buf, typ|0x20, byte(n))
	}
	return binary.LittleEndian.AppendUint32(append(buf, typ), uint32(n))
}

// Append appends a record.
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

// Take reads one record from the start of data: its type in upper case, or '0' for a tiny one.
// body and rest are slices of data.
func Take(data []byte) (typ byte, body, rest []byte, err error) {
	if len(data) == 0 {
		return 0, nil, data, ErrIncomplete
	}
	var head, n int
	switch c := data[0]; {
	case c >= '0' && c <= '9':
		typ, head, n = '0', 1, int(c-'0')
	case c >= 'a' && c <= 'z':
		if len(data) < 2 {
			return 0, nil, data, ErrIncomplete
		}
		typ, head, n = c&^0x20, 2, int(data[1])
	case c >= 'A' && c <= 'Z':
		if len(data) < 5 {
			return 0, nil, data, ErrIncomplete
		}
		size := binary.LittleEndian.Uint32(data[1:])
		if size <= maxShort {
			return 0, nil, data, fmt.Errorf("%w: long form of %d bytes", ErrMalformed, size)
		}
		if uint64(size) > uint64(len(data)-5) {
			return 0, nil, data, ErrIncomplete
		}
		typ, head, n = c, 5, int(size)
	default:
		return 0, nil, data, fmt.Errorf("%w: type 0x%02x", ErrMalformed, c)
	}
	if n > len(data)-head {
		return 0, nil, data, ErrIncomplete
	}
	return typ, data[head : head+n : head+n], data[head+n:], nil
}

// Expect reads one record that has to be of type typ.
func Expect(data []byte, typ byte) (body, rest []byte, err error) {
	got, body, rest, err := Take(data)
	if err == nil && got != typ {
		err = fmt.Errorf("%w: record %c where %c belongs", ErrMalformed, got, typ)
	}
	return body, rest, err
}

// TakeTiny reads one record whose type the position implies: tiny, or typ if it is too long for that.
func TakeTiny(data []byte, typ byte) (body, rest []byte, err error) {
	got, body, rest, err := Take(data)
	if err != nil {
		return nil, data, err
	}
	if got != '0' && (got != typ || len(body) <= maxTiny) {
		return nil, data, fmt.Errorf("%w: record %c where a tiny %c belongs", ErrMalformed, got, typ)
	}
	return body, rest, nil
}
