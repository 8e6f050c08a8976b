package tlv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// AppendZip appends v little-endian without its zero bytes at the end.
func AppendZip(buf []byte, v uint64) []byte {
	for ; v != 0; v >>= 8 {
		buf = append(buf, byte(v))
	}
	return buf
}

// Unzip reads what AppendZip wrote: the whole body, at most 8 bytes, no zero at the end.
func Unzip(body []byte) (uint64, error) {
	if len(body) > 8 || len(body) > 0 && body[len(body)-1] == 0 {
		return 0, fmt.Errorf("%w: zipped integer % x", ErrMalformed, body)
	}
	var b [8]byte
	copy(b[:], body)
	return binary.LittleEndian.Uint64(b[:]), nil
}

// Zigzag maps small integers of either sign to small ones without: 0 -1 1 -2 to 0 1 2 3.
func Zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

// Unzigzag is the inverse of Zigzag.
func Unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// ZipLen is the number of bytes AppendZip takes for v.
func ZipLen(v uint64) int { return (bits.Len64(v) + 7) / 8 }

// AppendTinyZip appends v as a tiny record.
func AppendTinyZip(buf []byte, v uint64) []byte {
	return AppendZip(append(buf, '0'+byte(ZipLen(v))), v)
}

// pairWidths says, per length of a zipped pair, how many bytes each number has. Both are little-endian, first before
// second; the first is never narrower than the second, so that the length alone tells.
var pairWidths = [...][2]int{
	0: {0, 0}, 1: {1, 0}, 2: {1, 1}, 3: {2, 1}, 4: {2, 2}, 5: {4, 1}, 6: {4, 2}, 8: {4, 4}, 9: {8, 1}, 10: {8, 2}, 12: {8, 4}, 16: {8, 8},
}

// AppendZipPair appends two numbers in the fewest bytes that pairWidths offers.
func AppendZipPair(buf []byte, first, second uint64) []byte {
	w2 := pairWidth(second)
	w1 := max(pairWidth(first), w2)
	if w1 > 1 {
		w2 = max(w2, 1)
	}
	return appendWidth(appendWidth(buf, first, w1), second, w2)
}

// UnzipPair reads what AppendZipPair wrote, the whole body.
func UnzipPair(body []byte) (first, second uint64, err error) {
	if len(body) >= len(pairWidths) || len(body) > 0 && pairWidths[len(body)][0] == 0 {
		return 0, 0, fmt.Errorf("%w: zipped pair of %d bytes", ErrMalformed, len(body))
	}
	w := pairWidths[len(body)]
	first, second = readWidth(body[:w[0]]), readWidth(body[w[0]:])
	var b [16]byte
	if !bytes.Equal(AppendZipPair(b[:0], first, second), body) {
		return 0, 0, fmt.Errorf("%w: zipped pair % x is not the shortest form", ErrMalformed, body)
	}
	return first, second, nil
}

func pairWidth(v uint64) int {
	switch {
	case v == 0:
		return 0
	case v < 1<<8:
		return 1
	case v < 1<<16:
		return 2
	case v < 1<<32:
		return 4
	}
	return 8
}

func appendWidth(buf []byte, v uint64, width int) []byte {
	for range width {
		buf, v = append(buf, byte(v)), v>>8
	}
	return buf
}

func readWidth(b []byte) (v uint64) {
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// TakeZip reads one tiny zipped integer.
func TakeZip(data []byte) (v uint64, rest []byte, err error) {
	body, rest, err := TakeTiny(data, 'I')
	if err != nil {
		return 0, data, err
	}
	v, err = Unzip(body)
	return v, rest, err
}
