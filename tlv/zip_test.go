package tlv

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestZipRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v") >> rapid.IntRange(0, 63).Draw(t, "shift")
		data := AppendTinyZip([]byte("x"), v)[1:]
		if len(data) != 1+ZipLen(v) {
			t.Errorf("AppendTinyZip(%d): %d bytes; want 1 + ZipLen = %d", v, len(data), 1+ZipLen(v))
		}
		if got, rest, err := TakeZip(append(data, "rest"...)); got != v || string(rest) != "rest" || err != nil {
			t.Errorf("TakeZip(% x) = %d, %q, %v; want %d", data, got, rest, err, v)
		}
	})
}

func TestZigzag(t *testing.T) {
	for v, want := range map[int64]uint64{0: 0, -1: 1, 1: 2, -2: 3, math.MaxInt64: math.MaxUint64 - 1, math.MinInt64: math.MaxUint64} {
		if got := Zigzag(v); got != want {
			t.Errorf("Zigzag(%d) = %d; want %d", v, got, want)
		}
		if got := Unzigzag(want); got != v {
			t.Errorf("Unzigzag(%d) = %d; want %d", want, got, v)
		}
	}
}

func TestTakeZipRefuses(t *testing.T) {
	for hex, want := range map[string]error{
		"":                                    ErrIncomplete,
		"32 01":                               ErrIncomplete,
		"31 00":                               ErrMalformed, // zero at the end
		"32 01 00":                            ErrMalformed,
		"39 01 02 03 04 05 06 07 08 09":       ErrMalformed, // nine bytes
		"69 01 05":                            ErrMalformed, // fits tiny
		"69 0a 01 02 03 04 05 06 07 08 09 0a": ErrMalformed,
	} {
		data := unhex(t, hex)
		if v, rest, err := TakeZip(data); v != 0 || !bytes.Equal(rest, data) || !errors.Is(err, want) {
			t.Errorf("TakeZip(%s) = %d, % x, %v; want nothing taken, %v", hex, v, rest, err, want)
		}
	}
}
