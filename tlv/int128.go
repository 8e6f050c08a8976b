package tlv

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
)

// Int128 is a signed integer of 128 bits in two's complement. Sums of contributions are kept in it: a merge may push
// the true sum past int64, and one client on two replicas can push one replica's total there. Arithmetic wraps at
// 128 bits, which no number of 64-bit increments reaches. The zero Int128 is 0; values compare with ==.
type Int128 struct {
	Hi int64
	Lo uint64
}

// FromInt64 is v in 128 bits.
func FromInt64(v int64) Int128 { return Int128{Hi: v >> 63, Lo: uint64(v)} }

// Add is i + o.
func (i Int128) Add(o Int128) Int128 {
	lo, carry := bits.Add64(i.Lo, o.Lo, 0)
	hi, _ := bits.Add64(uint64(i.Hi), uint64(o.Hi), carry)
	return Int128{int64(hi), lo}
}

// Sub is i - o.
func (i Int128) Sub(o Int128) Int128 {
	lo, borrow := bits.Sub64(i.Lo, o.Lo, 0)
	hi, _ := bits.Sub64(uint64(i.Hi), uint64(o.Hi), borrow)
	return Int128{int64(hi), lo}
}

// IsInt64 says whether Clamp is exact.
func (i Int128) IsInt64() bool { return i.Hi == int64(i.Lo)>>63 }

// Clamp is the nearest int64.
func (i Int128) Clamp() int64 {
	switch {
	case i.IsInt64():
		return int64(i.Lo)
	case i.Hi < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// String is the number in decimal.
func (i Int128) String() string {
	if i.IsInt64() {
		return fmt.Sprint(int64(i.Lo))
	}
	b := new(big.Int).Lsh(big.NewInt(i.Hi), 64)
	return b.Add(b, new(big.Int).SetUint64(i.Lo)).String()
}

const maxZip128 = 16 // bytes of a zipped 128-bit integer

// appendTiny128 appends i zigzagged and zipped: a tiny record, or I beyond 9 bytes; at most 18 bytes in all.
func appendTiny128(buf []byte, i Int128) []byte {
	sign := uint64(i.Hi >> 63)
	lo := i.Lo<<1 ^ sign
	hi := (uint64(i.Hi)<<1 | i.Lo>>63) ^ sign
	if hi == 0 {
		return AppendTinyZip(buf, lo)
	}
	if n := maxZip + ZipLen(hi); n > maxTiny {
		buf = AppendHeader(buf, 'I', n)
	} else {
		buf = append(buf, '0'+byte(n))
	}
	return AppendZip(appendWidth(buf, lo, maxZip), hi)
}

// takeTiny128 reads what appendTiny128 wrote.
func takeTiny128(data []byte) (i Int128, rest []byte, err error) {
	if len(data) > 0 && data[0] <= '0'+maxZip {
		v, rest, err := TakeZip(data)
		return FromInt64(Unzigzag(v)), rest, err
	}
	body, rest, err := TakeTiny(data, 'I')
	if err == nil && !isZip(body, maxZip128) {
		err = malformed("zipped 128-bit integer % x", body)
	}
	if err != nil {
		return Int128{}, data, err
	}
	lo, hi := readWidth(body[:maxZip]), readWidth(body[maxZip:])
	sign := -(lo & 1)
	return Int128{Hi: int64(hi>>1 ^ sign), Lo: (lo>>1 | hi<<63) ^ sign}, rest, nil
}
