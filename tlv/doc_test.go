package tlv

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// unhex reads annotated hex: blanks do not count, and # begins a comment that ends with the line.
func unhex(t testing.TB, annotated string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(annotated) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("bad hex in the test: %v", err)
	}
	return b
}

// docExamples are the blocks of annotated hex in the package comment.
func docExamples(t *testing.T) (examples []string) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var block strings.Builder
	for line := range strings.Lines(string(text)) {
		code, ok := strings.CutPrefix(line, "//\t")
		digits, _, _ := strings.Cut(code, "#")
		_, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if ok && err == nil {
			block.WriteString(code)
		} else if block.Len() > 0 {
			examples = append(examples, block.String())
			block.Reset()
		}
	}
	return examples
}

// rewrite reads data as what its first byte says, and writes it back.
func rewrite(data []byte) (back []byte, err error) {
	switch data[0] {
	case 'h':
		_, state, err := Expect(data, 'H')
		if err != nil {
			return nil, err
		}
		s, err := ParseState(state)
		return AppendDump(nil, ClusterID(binary.LittleEndian.Uint64(data[2:])), &s), err
	case 'c', 'r':
		s, err := ParseState(data)
		return AppendState(nil, &s), err
	case 'b', 'B':
		b, _, err := ParseBatch(data)
		b.encoded = nil
		return AppendBatch(nil, &b), err
	case 'v':
		v, err := ParseVector(data)
		return AppendVector(nil, v), err
	case 't':
		n, err := ParseN(data)
		return AppendN(nil, n), err
	case 'i':
		z, err := ParseZ(data)
		return AppendZ(nil, z), err
	}
	for len(data) > 0 && err == nil {
		var typ byte
		var body []byte
		if typ, body, data, err = Take(data); typ == '0' {
			back = AppendTiny(back, 'X', body)
		} else {
			back = Append(back, typ, body)
		}
	}
	return back, err
}

func TestDocExamplesAreWrittenBackAlike(t *testing.T) {
	examples := docExamples(t)
	if len(examples) != 12 {
		t.Errorf("%d examples in the package comment; want 12", len(examples))
	}
	for _, e := range examples {
		data := unhex(t, e)
		if back, err := rewrite(data); err != nil || !bytes.Equal(back, data) {
			t.Errorf("written back: % x, %v; want\n%s", back, err, e)
		}
	}
}

var (
	exampleAdd   = Contribution{Replica: 1, Birth: 0x10, Rev: 0x10, Last: 0x10, Total: FromInt64(5)}
	exampleSet   = Contribution{Replica: 2, Birth: 0x10, Rev: 0x20, Last: 0x20, HasValue: true, Assigned: -1, Expiry: Expiry{0x18, 1000}}
	exampleText  = Contribution{Replica: 3, Birth: 0x10, Rev: 0x10, Last: 0x10, HasValue: true, IsText: true, Text: "hello"}
	exampleReset = Reset{Replica: 1, Rev: 0x10, Base: FromInt64(5)}
)

// exampleForeign is exampleAdd as it is where it was merged from a plain counter of replica 7.
func exampleForeign() State {
	o := NewOrigin(PlainCluster, 7)
	c := exampleAdd
	c.Replica = o.ID
	return State{Contributions: []Contribution{c}, Origins: []Origin{o}}
}

func exampleBatch() Batch {
	return Batch{Replica: 1, Hash: 0x123456789abcdef, Stamp: 0x10, Life: 7, Deltas: []Delta{{Key: []byte("\x00hi"), State: State{Contributions: []Contribution{exampleAdd}}}}}
}

func TestDocExamplesAreWhatTheySay(t *testing.T) {
	batch, foreign := exampleBatch(), exampleForeign()
	want := map[string][]byte{
		"C, 16 bytes": AppendState(nil, &State{Contributions: []Contribution{exampleAdd}}),
		"C, 24 bytes": AppendState(nil, &State{Contributions: []Contribution{exampleSet}}),
		"C, 23 bytes": AppendState(nil, &State{Contributions: []Contribution{exampleText}}),
		"R, 12 bytes": AppendState(nil, &State{Resets: []Reset{exampleReset}}),
		"H, 8 bytes":  AppendDump(nil, 0x123456789abcdef, &foreign),
		"B, 62 bytes": AppendBatch(nil, &batch),
		"V, 21 bytes": AppendVector(nil, Vector{{Replica: 1, Stamp: 0x10, Life: 7, Hash: 0x123456789abcdef}}),
		"T: total":    AppendN(nil, N{{Replica: 1, Total: 5}}),
		"I: revision": AppendZ(nil, Z{{Replica: 1, Revision: 4, Value: -12}}),
		"1000\n":      AppendTinyZip(nil, 1000),
		"1000 and 26": AppendTiny(nil, 'X', AppendZipPair(nil, 1000, 26)),
		`U "hi"`:      Append(nil, 'U', []byte("hi")),
	}
	for _, e := range docExamples(t) {
		for name, data := range want {
			if _, comment, _ := strings.Cut(e, "# "); strings.HasPrefix(comment, name) {
				delete(want, name)
				if text := unhex(t, e); !bytes.HasPrefix(text, data) {
					t.Errorf("example %q: % x; the code writes % x", name, text, data)
				}
			}
		}
	}
	for name := range want {
		t.Errorf("no example %q in the package comment", name)
	}
}
