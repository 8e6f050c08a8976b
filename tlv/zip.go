package tlv

import (
	"encoding/binary"
	"math/bits"
)

const maxZip = 8 // bytes of a zipped uint64

// AppendZip appends v little-endian without its zero bytes at the end: 0 to 8 bytes.
func AppendZip(buf []byte, v uint64) []byte {
	n := len(buf) + ZipLen(v)
	return binary.LittleEndian.AppendUint64(buf, v)[:n]
}

// Unzip reads what AppendZip wrote: the whole body, at most 8 bytes, no zero at the end.
func Unzip(body []byte) (uint64, error) {
	if !isZip(body, maxZip) {
		return 0, malformed("zipped integer % x", body)
	}
	return readWidth(body), nil
}

func isZip(body []byte, most int) bool {
	n := len(body)
	return n == 0 || n <= most && body[n-1] != 0
}

// ZipLen is the number of bytes AppendZip takes for v.
func ZipLen(v uint64) int { return (bits.Len64(v) + 7) / 8 }

// Zigzag maps small integers of either sign to small ones without: 0 -1 1 -2 to 0 1 2 3.
func Zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

// Unzigzag is the inverse of Zigzag.
func Unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// AppendTinyZip appends v as a tiny record: 1 to 9 bytes.
func AppendTinyZip(buf []byte, v uint64) []byte {
	return AppendZip(append(buf, '0'+byte(ZipLen(v))), v)
}

// TakeZip reads one tiny zipped integer.
func TakeZip(data []byte) (v uint64, rest []byte, err error) {
	// The short way for what is right; the rest of the function is there to say what is wrong.
	if len(data) > 0 {
		if n := int(data[0] - '0'); n <= maxZip && n < len(data) && isZip(data[1:1+n], maxZip) {
			return readWidth(data[1 : 1+n]), data[1+n:], nil
		}
	}
	body, rest, err := TakeTiny(data, 'I')
	if err == nil {
		v, err = Unzip(body)
	}
	if err != nil {
		return 0, data, err
	}
	return v, rest, nil
}

func appendWidth(buf []byte, v uint64, width int) []byte {
	n := len(buf) + width
	return binary.LittleEndian.AppendUint64(buf, v)[:n]
}

func readWidth(b []byte) (v uint64) {
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}
