package tlv

import "bytes"

// pairWidths says, per length of a zipped pair, how many bytes each number has: first, then second, both little-endian.
// The first is never narrower than the second, and a first of more than a byte never stands alone; so every pair of
// widths has a length of its own, and the length alone tells. Lengths that are not here cannot be.
var pairWidths = [...][2]int{
	0: {0, 0}, 1: {1, 0}, 2: {1, 1},
	3: {2, 1}, 4: {2, 2},
	5: {4, 1}, 6: {4, 2}, 8: {4, 4},
	9: {8, 1}, 10: {8, 2}, 12: {8, 4}, 16: {8, 8},
}

const maxPair = 16 // bytes of a zipped pair

// AppendZipPair appends two numbers in the fewest bytes that pairWidths offers: 0 to 16.
func AppendZipPair(buf []byte, first, second uint64) []byte {
	w2 := pairWidth(second)
	w1 := max(pairWidth(first), w2)
	if w1 > 1 {
		w2 = max(w2, 1)
	}
	return appendWidth(appendWidth(buf, first, w1), second, w2)
}

// UnzipPair reads what AppendZipPair wrote: the whole body, in its shortest form.
func UnzipPair(body []byte) (first, second uint64, err error) {
	if len(body) >= len(pairWidths) || len(body) > 0 && pairWidths[len(body)][0] == 0 {
		return 0, 0, malformed("zipped pair of %d bytes", len(body))
	}
	w := pairWidths[len(body)][0]
	first, second = readWidth(body[:w]), readWidth(body[w:])
	var b [maxPair + maxZip]byte // appendWidth writes beyond before it cuts
	if !bytes.Equal(AppendZipPair(b[:0], first, second), body) {
		return 0, 0, malformed("zipped pair % x is not the shortest form", body)
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
