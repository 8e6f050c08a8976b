package tlv

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(data []byte) (err error) {
	*h, err = hex.DecodeString(strings.Trim(string(data), `"`))
	return err
}

type plainVector struct {
	Hex           hexBytes
	Value         int64
	Contributions []struct {
		Replica         ReplicaID
		Revision, Value int64
	}
}

type mergeVector struct {
	Inputs []hexBytes
	Merged hexBytes
	Value  int64
}

type rdxVectors struct {
	Framing []struct {
		Type       string
		BodyLength int      `json:"body_length"`
		Header     hexBytes `json:"header"`
		TinyHeader hexBytes `json:"tiny_header"`
	}
	ZipUint64 []struct {
		Hex   hexBytes
		Value uint64
	} `json:"zip_uint64"`
	ZipUint64Pair []struct {
		First, Second uint64
		Hex           hexBytes
	} `json:"zip_uint64_pair"`
	ZipZigzagInt64 []struct {
		Hex   hexBytes
		Value int64
	} `json:"zip_zigzag_int64"`
	Natural       []plainVector
	Zcounter      []plainVector
	NaturalMerge  []mergeVector `json:"natural_merge"`
	ZcounterMerge []mergeVector `json:"zcounter_merge"`
}

// readVectors fails if the file has a category that the tests do not know.
func readVectors(t *testing.T) (v rdxVectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/rdx.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsOfFraming(t *testing.T) {
	for _, v := range readVectors(t).Framing {
		body := bytes.Repeat([]byte{'b'}, v.BodyLength)
		if got, want := Append(nil, v.Type[0], body), append(v.Header, body...); !bytes.Equal(got, want) {
			t.Errorf("Append of %d bytes: % .8x; want % .8x", v.BodyLength, got, want)
		}
		tiny := append(v.TinyHeader, body...)
		if got := AppendTiny(nil, v.Type[0], body); !bytes.Equal(got, tiny) {
			t.Errorf("AppendTiny of %d bytes: % .8x; want % .8x", v.BodyLength, got, tiny)
		}
		if got, _, err := TakeTiny(tiny, v.Type[0]); !bytes.Equal(got, body) || err != nil {
			t.Errorf("TakeTiny(% .8x) = % .8x, %v; want %d bytes", tiny, got, err, v.BodyLength)
		}
	}
}

func TestVectorsOfZippedIntegers(t *testing.T) {
	vectors := readVectors(t)
	for _, v := range vectors.ZipUint64 {
		if got := AppendZip(nil, v.Value); !bytes.Equal(got, v.Hex) {
			t.Errorf("AppendZip(%d) = % x; want % x", v.Value, got, v.Hex)
		}
		if got, err := Unzip(v.Hex); got != v.Value || err != nil {
			t.Errorf("Unzip(% x) = %d, %v; want %d", v.Hex, got, err, v.Value)
		}
	}
	for _, v := range vectors.ZipZigzagInt64 {
		if got := AppendZip(nil, Zigzag(v.Value)); !bytes.Equal(got, v.Hex) {
			t.Errorf("AppendZip(Zigzag(%d)) = % x; want % x", v.Value, got, v.Hex)
		}
		if got, err := Unzip(v.Hex); Unzigzag(got) != v.Value || err != nil {
			t.Errorf("Unzigzag(Unzip(% x)) = %d, %v; want %d", v.Hex, Unzigzag(got), err, v.Value)
		}
	}
}

func TestVectorsOfZippedPairs(t *testing.T) {
	for _, v := range readVectors(t).ZipUint64Pair {
		if got := AppendZipPair(nil, v.First, v.Second); !bytes.Equal(got, v.Hex) {
			t.Errorf("AppendZipPair(%d, %d) = % x; want % x", v.First, v.Second, got, v.Hex)
		}
		if a, b, err := UnzipPair(v.Hex); a != v.First || b != v.Second || err != nil {
			t.Errorf("UnzipPair(% x) = %d, %d, %v; want %d, %d", v.Hex, a, b, err, v.First, v.Second)
		}
	}
}

func TestVectorsOfN(t *testing.T) {
	for _, v := range readVectors(t).Natural {
		want := N{}
		for _, c := range v.Contributions {
			want = append(want, NTotal{c.Replica, uint64(c.Value)})
		}
		n, err := ParseN(v.Hex)
		if !slices.Equal(n, want) || err != nil || n.Value() != FromInt64(v.Value) {
			t.Errorf("ParseN(% x) = %v, %v, value %v; want %v, value %d", v.Hex, n, err, n.Value(), want, v.Value)
		}
		if got := AppendN(nil, want); !bytes.Equal(got, v.Hex) {
			t.Errorf("AppendN(%v) = % x; want % x", want, got, v.Hex)
		}
	}
}

func TestVectorsOfZ(t *testing.T) {
	for _, v := range readVectors(t).Zcounter {
		want := Z{}
		for _, c := range v.Contributions {
			want = append(want, ZValue{c.Replica, c.Revision, c.Value})
		}
		z, err := ParseZ(v.Hex)
		if !slices.Equal(z, want) || err != nil || z.Value() != FromInt64(v.Value) {
			t.Errorf("ParseZ(% x) = %v, %v, value %v; want %v, value %d", v.Hex, z, err, z.Value(), want, v.Value)
		}
		if got := AppendZ(nil, want); !bytes.Equal(got, v.Hex) {
			t.Errorf("AppendZ(%v) = % x; want % x", want, got, v.Hex)
		}
	}
}

func TestVectorsOfMergedN(t *testing.T) {
	for _, v := range readVectors(t).NaturalMerge {
		var merged N
		for _, in := range v.Inputs {
			n, err := ParseN(in)
			if err != nil {
				t.Fatalf("ParseN(% x): %v", in, err)
			}
			merged = MergeN(merged, n)
		}
		if got := AppendN(nil, merged); !bytes.Equal(got, v.Merged) || merged.Value() != FromInt64(v.Value) {
			t.Errorf("merged %x: % x, value %v; want % x, value %d", v.Inputs, got, merged.Value(), v.Merged, v.Value)
		}
	}
}

func TestVectorsOfMergedZ(t *testing.T) {
	for _, v := range readVectors(t).ZcounterMerge {
		var merged Z
		for _, in := range v.Inputs {
			z, err := ParseZ(in)
			if err != nil {
				t.Fatalf("ParseZ(% x): %v", in, err)
			}
			merged = MergeZ(merged, z)
		}
		if got := AppendZ(nil, merged); !bytes.Equal(got, v.Merged) || merged.Value() != FromInt64(v.Value) {
			t.Errorf("merged %x: % x, value %v; want % x, value %d", v.Inputs, got, merged.Value(), v.Merged, v.Value)
		}
	}
}

func TestParsePlainRefuses(t *testing.T) {
	for _, h := range []string{
		"74",                                // cut in the header
		"74 03 32 05",                       // cut in the body
		"74 03 32 05 00",                    // replica 0, and not the shortest pair
		"74 02 31 05",                       // replica 0
		"74 04 32 05 01 00",                 // a byte too many
		"74 05 74 02 05 01 00",              // pair not tiny
		"75 03 32 05 01",                    // another type
		"33 05 01 00",                       // tiny
		"74 03 32 05 02 74 03 32 05 01",     // order
		"74 03 32 05 01 74 03 32 05 01",     // twice
		"69 04 32 01 01 02",                 // negative revision
		"69 05 32 02 01 02 00",              // value with a zero at the end
		"69 0c 32 02 01 010203040506070809", // value of nine bytes
		"69 03 31 02 02",                    // replica 0
		"69 04 32 02 01 02 69 04 32 02 01 02",
		"6a 00",
	} {
		data := unhex(t, h)
		if n, err := ParseN(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseN(%s) = %v, %v; want %v", h, n, err, ErrMalformed)
		}
		if z, err := ParseZ(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseZ(%s) = %v, %v; want %v", h, z, err, ErrMalformed)
		}
	}
}

func drawN(t *rapid.T) (n N) {
	for id := ReplicaID(1); id <= 5; id++ {
		if rapid.Bool().Draw(t, "there") {
			n = append(n, NTotal{id * 0x9e3779b9, rapid.Uint64Range(0, 3).Draw(t, "total")})
		}
	}
	return n
}

func drawZ(t *rapid.T) (z Z) {
	for id := ReplicaID(1); id <= 5; id++ {
		if rapid.Bool().Draw(t, "there") {
			z = append(z, ZValue{id, rapid.Int64Range(0, 2).Draw(t, "revision"), rapid.Int64Range(-2, 2).Draw(t, "value")})
		}
	}
	return z
}

func TestMergeLawsOfN(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkLaws(t, drawN, MergeN, slices.Equal) })
}

func TestMergeLawsOfZ(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkLaws(t, drawZ, MergeZ, slices.Equal) })
}

// checkLaws checks that merge, which works in the memory of its first list, is a least upper bound.
func checkLaws[L ~[]E, E any](t *rapid.T, draw func(*rapid.T) L, merge func(a, b L) L, equal func(a, b L) bool) {
	a, b, c := draw(t), draw(t), draw(t)
	join := func(a, b L) L { return merge(slices.Clone(a), b) }
	if got := join(a, a); !equal(got, a) {
		t.Errorf("%v merged with itself: %v", a, got)
	}
	if x, y := join(a, b), join(b, a); !equal(x, y) {
		t.Errorf("%v and %v merge to %v or %v", a, b, x, y)
	}
	if x, y := join(join(a, b), c), join(a, join(b, c)); !equal(x, y) {
		t.Errorf("%v, %v and %v merge to %v or %v", a, b, c, x, y)
	}
}
