package engine

import (
	"testing"

	"atomiccounter/tlv"
)

// FuzzRecord: whatever the bytes, no panic; what is accepted is a whole record.
func FuzzRecord(f *testing.F) {
	f.Add(appendAdd(nil, "\x00k", -5, 7, tlv.Natural, true))
	f.Add(appendAssign(nil, "\x0fk", 5, 7, 3, tlv.ZCounter))
	f.Add(appendText(nil, "\x0fk", "hello", 7, 6))
	f.Add(appendText(nil, "\x00k", string(make([]byte, 300)), 7, 0))
	f.Add(appendExpire(nil, "\x00k", tlv.Expiry{Stamp: 7, At: 1000}, 8, false))
	f.Add(appendCancel(nil, "\x00k", true, []tlv.Reset{{Replica: 1, Rev: 2}}, tlv.Expiry{Stamp: 7, At: 1000}))
	f.Add(appendFlush(nil, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, rest, err := parseRecord(data)
		if err == nil && (len(r.key) == 0 && r.typ != recordCut && r.typ != recordLife || len(rest) >= len(data)) {
			t.Fatalf("parseRecord(%x) = %+v, %d bytes left", data, r, len(rest))
		}
	})
}

// TestRecordsWithoutSince: a journal of the release before, in which a SET did not say since when its field had been there.
func TestRecordsWithoutSince(t *testing.T) {
	for name, data := range map[string][]byte{
		"V": appendNumbers(nil, 'V', "\x0fk", tlv.Zigzag(5), 7, 0),
		"T": tlv.Append(nil, 'T', append(append(tlv.Append(nil, 'K', []byte("\x0fk")), tlv.Append(nil, 'X', []byte("hi"))...), tlv.AppendTinyZip(nil, 7)...)),
	} {
		if r, rest, err := parseRecord(data); err != nil || len(rest) > 0 || r.stamp != 7 || r.since != 0 || r.n+int64(len(r.text)) == 0 {
			t.Errorf("%s: parseRecord = %+v, %q, %v", name, r, rest, err)
		}
	}
}
