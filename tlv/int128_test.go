package tlv

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func drawInt128(t *rapid.T) Int128 {
	switch rapid.IntRange(0, 3).Draw(t, "width") {
	case 0:
		return FromInt64(int64(rapid.IntRange(-300, 300).Draw(t, "small")))
	case 1:
		return FromInt64(rapid.Int64().Draw(t, "int64"))
	case 2: // just beyond int64
		return FromInt64(rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64}).Draw(t, "edge")).
			Add(FromInt64(int64(rapid.IntRange(-2, 2).Draw(t, "past"))))
	}
	return Int128{Hi: rapid.Int64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
}

func toBig(i Int128) *big.Int {
	b := new(big.Int).Lsh(big.NewInt(i.Hi), 64)
	return b.Add(b, new(big.Int).SetUint64(i.Lo))
}

// wrap is b in 128 bits, two's complement.
func wrap(b *big.Int) *big.Int {
	mod := new(big.Int).Lsh(big.NewInt(1), 128)
	b = new(big.Int).Mod(b, mod)
	if b.Bit(127) == 1 {
		b.Sub(b, mod)
	}
	return b
}

func TestInt128AgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawInt128(t), drawInt128(t)
		bx, by := toBig(x), toBig(y)
		if got, want := toBig(x.Add(y)), wrap(new(big.Int).Add(bx, by)); got.Cmp(want) != 0 {
			t.Errorf("%v + %v = %v; want %v", bx, by, got, want)
		}
		if got, want := toBig(x.Sub(y)), wrap(new(big.Int).Sub(bx, by)); got.Cmp(want) != 0 {
			t.Errorf("%v - %v = %v; want %v", bx, by, got, want)
		}
		if got := x.String(); got != bx.String() {
			t.Errorf("String = %s; want %v", got, bx)
		}
		if got := x.IsInt64(); got != bx.IsInt64() {
			t.Errorf("%v.IsInt64() = %t; want %t", bx, got, bx.IsInt64())
		}
		if got, want := x.Clamp(), clampBig(bx); got != want {
			t.Errorf("%v.Clamp() = %d; want %d", bx, got, want)
		}
	})
}

func clampBig(b *big.Int) int64 {
	if b.IsInt64() {
		return b.Int64()
	} else if b.Sign() < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

func TestTiny128AgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawInt128(t)
		data := appendTiny128(nil, x)
		body, _, err := TakeTiny(data, 'I')
		if err != nil {
			t.Fatalf("TakeTiny(% x): %v", data, err)
		}
		if got, want := unzigzagBig(body), toBig(x); got.Cmp(want) != 0 {
			t.Errorf("% x is %v; want %v", data, got, want)
		}
		if got, rest, err := takeTiny128(append(data, 'x')); got != x || string(rest) != "x" || err != nil {
			t.Errorf("takeTiny128(% x) = %v, %q, %v; want %v", data, got, rest, err, x)
		}
	})
}

func unzigzagBig(body []byte) *big.Int {
	u := new(big.Int)
	for i := len(body) - 1; i >= 0; i-- {
		u.Or(u.Lsh(u, 8), big.NewInt(int64(body[i])))
	}
	odd := u.Bit(0) == 1
	u.Rsh(u, 1)
	if odd {
		u.Not(u)
	}
	return u
}

func TestTakeTiny128Refuses(t *testing.T) {
	for hex, want := range map[string]error{
		"":                                    ErrIncomplete,
		"39 01 02 03":                         ErrIncomplete,
		"31 00":                               ErrMalformed,
		"39 01 02 03 04 05 06 07 08 00":       ErrMalformed,
		"69 02 01 02":                         ErrMalformed,
		"69 0a 01 02 03 04 05 06 07 08 09 00": ErrMalformed,
		"69 11 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11": ErrMalformed,
		"74 0a 01 02 03 04 05 06 07 08 09 0a":                      ErrMalformed,
	} {
		if got, _, err := takeTiny128(unhex(t, hex)); !errors.Is(err, want) {
			t.Errorf("takeTiny128(%s) = %v, %v; want %v", hex, got, err, want)
		}
	}
}
