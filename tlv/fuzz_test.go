package tlv

import (
	"bytes"
	"errors"
	"testing"
)

// What is accepted is written back alike; what is not says why, in one of two ways.
func checkRefusal(t *testing.T, data []byte, err error) {
	t.Helper()
	if errors.Is(err, ErrMalformed) == errors.Is(err, ErrIncomplete) {
		t.Errorf("% x: %v; want one of %v, %v", data, err, ErrIncomplete, ErrMalformed)
	}
}

func FuzzTake(f *testing.F) {
	for _, s := range []string{"", "u\x02hi", "0", "2hi", "U\x00\x01\x00\x00" + string(make([]byte, 256)), "U\xff\xff\xff\xff", "i\x0a0123456789"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		typ, body, rest, err := Take(data)
		if err != nil {
			checkRefusal(t, data, err)
			return
		}
		back := append([]byte{'0' + byte(len(body))}, body...)
		if typ != '0' {
			back = Append(nil, typ, body)
		}
		if back = append(back, rest...); !bytes.Equal(back, data) {
			t.Errorf("Take(% x) = %c, % x, % x", data, typ, body, rest)
		}
	})
}

func FuzzParseState(f *testing.F) {
	f.Add(AppendState(nil, &State{Contributions: []Contribution{exampleAdd, exampleSet}, Resets: []Reset{exampleReset}}))
	f.Add(AppendState(nil, &State{Contributions: []Contribution{{Replica: 1, Birth: 9, Rev: 9, Last: 9, Kind: Natural, Total: Int128{Hi: -1 << 63}}}}))
	f.Add(AppendState(nil, &State{Contributions: []Contribution{{Replica: 1, Birth: 9, Rev: 9, Closed: true}}}))
	f.Add(AppendState(nil, &State{Contributions: []Contribution{exampleAdd, exampleSet, exampleText}}))
	f.Add(AppendState(nil, &State{Contributions: []Contribution{{Replica: 3, Birth: 9, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: string(make([]byte, 300))}}}))
	foreign := exampleForeign()
	f.Add(AppendState(nil, &foreign))
	foreign.PutReset(Reset{Replica: foreign.Origins[0].ID, Rev: 0x10, Base: FromInt64(5)})
	foreign.Merge(&State{Contributions: []Contribution{exampleAdd}})
	f.Add(AppendState(nil, &foreign))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseState(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("ParseState(% x): %v; want %v", data, err, ErrMalformed)
			}
			return
		}
		if back := AppendState(nil, &s); !bytes.Equal(back, data) {
			t.Errorf("ParseState(% x) = %+v, written back % x", data, s, back)
		}
		merged := s.Clone()
		merged.Merge(&s)
		if err := merged.Validate(); err != nil {
			t.Errorf("merged with itself: %+v, %v", merged, err)
		}
		if v := merged.View(); v.IsText && s.Texts() < len(v.Text) {
			t.Errorf("%+v shows %q, and has %d bytes of texts", s, v.Text, s.Texts())
		}
	})
}

// What one store dumps and another has made foreign, it dumps again alike, and takes for the same.
func FuzzParseDump(f *testing.F) {
	foreign := exampleForeign()
	f.Add(AppendDump(nil, 5, &foreign))
	f.Add(AppendDump(nil, 5, &State{Contributions: []Contribution{exampleAdd, exampleSet}, Resets: []Reset{exampleReset}}))
	f.Add(AppendState(nil, &foreign))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseDump(data)
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("ParseDump(% x) = %+v, %v", data, s, err)
		}
		if n, _ := s.Foreign(); n < len(s.Contributions) || n < len(s.Resets) {
			t.Errorf("ParseDump(% x) = %+v: not all of it is foreign", data, s)
		}
		if again, err := ParseDump(AppendDump(nil, 9, &s)); err != nil || !sameState(&again, &s) {
			t.Errorf("%+v by way of another cluster is %+v, %v", s, again, err)
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	b := exampleBatch()
	f.Add(AppendBatch(nil, &b))
	b.Deltas = append(b.Deltas, Delta{[]byte("\x0f"), State{Resets: []Reset{exampleReset}}}, Delta{make([]byte, 300), State{Resets: []Reset{exampleReset}}})
	f.Add(AppendBatch(nil, &b))
	b.Deltas = []Delta{{[]byte("\x00k"), exampleForeign()}}
	f.Add(AppendBatch(nil, &b))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, rest, err := ParseBatch(data)
		if err != nil {
			checkRefusal(t, data, err)
			return
		}
		b.encoded = nil
		if back := append(AppendBatch(nil, &b), rest...); !bytes.Equal(back, data) {
			t.Errorf("ParseBatch(% x) = %+v, written back % x", data, b, back)
		}
	})
}

func FuzzParseN(f *testing.F) {
	f.Add(AppendN(nil, N{{1, 5}, {1 << 40, 1 << 62}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ParseN(data)
		if back := AppendN(nil, n); err == nil && !bytes.Equal(back, data) {
			t.Errorf("ParseN(% x) = %v, written back % x", data, n, back)
		} else if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseN(% x): %v; want %v", data, err, ErrMalformed)
		}
	})
}

func FuzzParseZ(f *testing.F) {
	f.Add(AppendZ(nil, Z{{1, 4, -12}, {1 << 40, 1 << 33, 1 << 62}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := ParseZ(data)
		if back := AppendZ(nil, z); err == nil && !bytes.Equal(back, data) {
			t.Errorf("ParseZ(% x) = %v, written back % x", data, z, back)
		} else if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseZ(% x): %v; want %v", data, err, ErrMalformed)
		}
	})
}

func FuzzUnzipPair(f *testing.F) {
	for _, pair := range [][2]uint64{{0, 0}, {1, 0}, {0, 1}, {1 << 9, 1}, {1, 1 << 20}, {1 << 40, 0}, {1 << 63, 1 << 63}} {
		f.Add(AppendZipPair(nil, pair[0], pair[1]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b, err := UnzipPair(data)
		if back := AppendZipPair(nil, a, b); err == nil && !bytes.Equal(back, data) {
			t.Errorf("UnzipPair(% x) = %d, %d, written back % x", data, a, b, back)
		} else if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("UnzipPair(% x): %v; want %v", data, err, ErrMalformed)
		}
	})
}

func FuzzParseVector(f *testing.F) {
	f.Add(AppendVector(nil, nil))
	f.Add(AppendVector(nil, Vector{{1, 2, 3, 5, 0, 0}, {4, 1 << 63, 0, 0, 0, 0}, {5, 0, 0, 0, 7, 8}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParseVector(data)
		if err != nil {
			checkRefusal(t, data, err)
			return
		}
		if back := AppendVector(nil, v); !bytes.Equal(back, data) {
			t.Errorf("ParseVector(% x) = %v, written back % x", data, v, back)
		}
	})
}

func FuzzParseDeltas(f *testing.F) {
	b := exampleBatch()
	f.Add(AppendDelta(nil, &b.Deltas[0]))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseDeltas(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("ParseDeltas(% x): %v; want %v", data, err, ErrMalformed)
			}
			return
		}
		var back, encoded []byte
		for i := range list {
			back = AppendDelta(back, &list[i])
			encoded = AppendEncodedDelta(encoded, list[i].Key, AppendState(nil, &list[i].State))
		}
		if !bytes.Equal(back, data) || !bytes.Equal(encoded, data) {
			t.Errorf("ParseDeltas(% x) = %v, written back % x and % x", data, list, back, encoded)
		}
	})
}
