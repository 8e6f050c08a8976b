package store

import (
	"bytes"
	"testing"

	"atomiccounter/tlv"
)

func TestKeys(t *testing.T) {
	at := Place{Group: 0x0102030405060708, Hash: 0x1112131415161718}
	const group, hash = "\x01\x02\x03\x04\x05\x06\x07\x08", "\x11\x12\x13\x14\x15\x16\x17\x18"
	field := string([]byte{tlv.FieldByte(3)})
	for _, test := range []struct {
		what, want string
		got        []byte
	}{
		{"a state", "s\x03" + hash + "k", StateKey(nil, at, "\x03k")},
		{"a field's state", "s" + field + group + hash + "k", StateKey(nil, at, field+"k")},
		{"a number of fields", "f\x03" + hash + "k", FieldsKey(nil, at.Hash, "\x03k")},
		{"a met key, behind something", "...u\x03" + hash + "k", MetKey([]byte("..."), at, "\x03k")},
		{"the index", "x" + hash + "\x03k", IndexKey(nil, int64(at.Hash), "\x03k")},
	} {
		if string(test.got) != test.want {
			t.Errorf("the key of %s is %q; want %q", test.what, test.got, test.want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	for _, key := range []string{"\x03k", "\x03", string([]byte{tlv.FieldByte(3), 'k'})} {
		k := StateKey(nil, Place{Hash: 7}, key)
		if got, ok := KeyOf(k); !ok || string(got) != key {
			t.Errorf("KeyOf(%q) = %q, %t; want %q", k, got, ok, key)
		}
		if _, ok := KeyOf(k[:len(k)-len(key)]); ok {
			t.Errorf("KeyOf(%q), which is cut, is accepted", k[:len(k)-len(key)])
		}
	}
	k := IndexKey(nil, 5, "\x03k")
	if at, key, ok := ParseIndexKey(k); at != 5 || string(key) != "\x03k" || !ok {
		t.Errorf("ParseIndexKey(%q) = %d, %q, %t", k, at, key, ok)
	}
	if _, _, ok := ParseIndexKey(k[:9]); ok {
		t.Errorf("ParseIndexKey(%q), which is cut, is accepted", k[:9])
	}
}

func TestPlacesAreInTheOrderOfTheirKeys(t *testing.T) {
	places := []Place{{}, {Hash: 1}, {Hash: 1 << 63}, {First: 1}, {First: tlv.FieldByte(0)}, {First: tlv.FieldByte(0), Hash: 2}, {First: tlv.FieldByte(0), Group: 1, Hash: 1}}
	for _, a := range places {
		for _, b := range places {
			keys := bytes.Compare(StateKey(nil, a, string([]byte{a.First})), StateKey(nil, b, string([]byte{b.First})))
			if got := a.Compare(b); got != keys {
				t.Errorf("%v.Compare(%v) = %d; the keys give %d", a, b, got, keys)
			}
		}
	}
}
