package tlv

import (
	"bytes"
	"errors"
	"testing"
)

func TestTake(t *testing.T) {
	for _, test := range []struct {
		hex, body, rest string
		typ             byte
	}{
		{"75 02 68 69", "hi", "", 'U'},
		{"75 02 68 69 75 00", "hi", "u\x00", 'U'},
		{"30", "", "", '0'},
		{"32 68 69 30", "hi", "0", '0'},
		{"55 00 01 00 00" + string(bytes.Repeat([]byte("61"), 256)), string(bytes.Repeat([]byte("a"), 256)), "", 'U'},
	} {
		typ, body, rest, err := Take(unhex(t, test.hex))
		if typ != test.typ || string(body) != test.body || string(rest) != test.rest || err != nil {
			t.Errorf("Take(%.20s) = %c, %.20q, %q, %v; want %c, %.20q, %q", test.hex, typ, body, rest, err, test.typ, test.body, test.rest)
		}
		if cap(body) != len(body) {
			t.Errorf("Take(%.20s): capacity %d of a body of %d bytes", test.hex, cap(body), len(body))
		}
	}
}

func TestTakeRefuses(t *testing.T) {
	for _, test := range []struct {
		hex  string
		want error
	}{
		{"", ErrIncomplete},
		{"75", ErrIncomplete},
		{"75 02 68", ErrIncomplete},
		{"39 00 00", ErrIncomplete},
		{"55 00 01 00", ErrIncomplete},
		{"55 ff ff ff ff", ErrIncomplete},
		{"55 ff 00 00 00  # fits the short form", ErrMalformed},
		{"00", ErrMalformed},
		{"2f", ErrMalformed},
		{"3a", ErrMalformed},
		{"7b 00", ErrMalformed},
		{"ff", ErrMalformed},
	} {
		data := unhex(t, test.hex)
		_, body, rest, err := Take(data)
		if !errors.Is(err, test.want) || body != nil || !bytes.Equal(rest, data) {
			t.Errorf("Take(%s) = % x, % x, %v; want nothing taken, %v", test.hex, body, rest, err, test.want)
		}
	}
}

func TestExpectAndTakeTiny(t *testing.T) {
	if _, _, err := Expect([]byte("u\x00"), 'V'); !errors.Is(err, ErrMalformed) {
		t.Errorf("Expect of another type: %v; want %v", err, ErrMalformed)
	}
	if _, _, err := TakeTiny([]byte("i\x0201"), 'I'); !errors.Is(err, ErrMalformed) {
		t.Errorf("TakeTiny of a short record of 2 bytes: %v; want %v", err, ErrMalformed)
	}
	ten := AppendTiny(nil, 'I', []byte("0123456789"))
	if body, rest, err := TakeTiny(ten, 'I'); string(body) != "0123456789" || len(rest) > 0 || err != nil {
		t.Errorf("TakeTiny(%q) = %q, %q, %v; want its ten bytes", ten, body, rest, err)
	}
	if _, _, err := TakeTiny(ten, 'T'); !errors.Is(err, ErrMalformed) {
		t.Errorf("TakeTiny of another type: %v; want %v", err, ErrMalformed)
	}
}

func TestOpenAndCloseRecord(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 70000} {
		body := bytes.Repeat([]byte{7}, n)
		want := Append([]byte("before"), 'X', body)
		got := closeRecord(append(openRecord([]byte("before")), body...), len("before"), 'X')
		if !bytes.Equal(got, want) {
			t.Errorf("record of %d bytes begins % x; want % x", n, got[:min(len(got), 12)], want[:min(len(want), 12)])
		}
	}
}

func TestCountRecordsCountsWhatIsThere(t *testing.T) {
	data := Append(Append(Append(nil, 'C', make([]byte, 15)), 'R', make([]byte, 15)), 'C', make([]byte, 15))
	for _, test := range []struct {
		data []byte
		want int
	}{
		{data, 2},
		{data[:len(data)-1], 1},
		{bytes.Repeat([]byte("c\x00"), 1000), 0}, // too short to be any
		{nil, 0},
	} {
		if got := countRecords(test.data, 'C', 15); got != test.want {
			t.Errorf("countRecords(% .20x) = %d; want %d", test.data, got, test.want)
		}
	}
}
