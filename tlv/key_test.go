package tlv

import (
	"bytes"
	"strings"
	"testing"
)

func TestFieldNames(t *testing.T) {
	for _, c := range []struct{ hash, field string }{{"", ""}, {"h", ""}, {"", "f"}, {"h", "field"}, {strings.Repeat("h", 300), "f"}, {strings.Repeat("h", 64000), strings.Repeat("f", 1000)}} {
		name := AppendFieldName(nil, []byte(c.hash), []byte(c.field))
		hash, field, ok := SplitFieldName(name)
		if !ok || string(hash) != c.hash || string(field) != c.field {
			t.Errorf("SplitFieldName of %.20q %.20q = %.20q, %.20q, %v", c.hash, c.field, hash, field, ok)
		}
		if err := ValidateKey(append([]byte{FieldByte(15)}, name...)); err != nil {
			t.Errorf("validateKey of %.20q %.20q = %v", c.hash, c.field, err)
		}
		if prefix := AppendFieldName(nil, []byte(c.hash), nil); !bytes.HasPrefix(name, prefix) {
			t.Errorf("the name of %.20q %.20q does not begin with that of an empty field", c.hash, c.field)
		}
	}
}

func TestBadKeys(t *testing.T) {
	for name, key := range map[string]string{
		"empty":             "",
		"space 2":           "\x20k",
		"space 15":          "\xf3k",
		"field of nothing":  "\x10",
		"hash cut short":    "\x1019h",
		"length in letters": "\x10hi",
		"length too wide":   "\x102\x01\x00h",
		"too long":          "\x00" + strings.Repeat("k", MaxKey),
	} {
		if err := ValidateKey([]byte(key)); err == nil {
			t.Errorf("%s: validateKey = nil; want an error", name)
		}
	}
}

// TestFieldWithExpiry: there is none, whoever says so.
func TestFieldWithExpiry(t *testing.T) {
	c := Contribution{Replica: 1, Birth: 5, Rev: 5, Last: 5, Expiry: Expiry{Stamp: 5, At: 100}}
	d := Delta{Key: []byte("\x101\x01hf"), State: State{Contributions: []Contribution{c}}}
	if err := d.validate(); err == nil {
		t.Errorf("validate = nil; want an error")
	}
	d.Key = []byte("\x00hf")
	if err := d.validate(); err != nil {
		t.Errorf("validate of a key = %v", err)
	}
}
