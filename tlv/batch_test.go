package tlv

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestBatchIsReadAsWritten(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100} {
		b := Batch{Replica: 7, Prev: 0x0f, Stamp: 0x10, Life: 5, Chain: 9}
		for i := range n {
			key := fmt.Appendf(nil, "%c%s%d", i%databases, strings.Repeat("k", i*i), n-i)
			b.Deltas = append(b.Deltas, Delta{Key: key, State: State{
				Contributions: []Contribution{{Replica: 7, Birth: 3, Rev: 0x10, Last: 9, Total: FromInt64(int64(i))}},
				Resets:        []Reset{exampleReset},
			}})
		}
		var content []byte
		b.Seal(func(data []byte) Hash { content = bytes.Clone(data); return 1 << 63 })
		data := AppendBatch([]byte("before"), &b)[len("before"):]
		if b.Hash != 1<<63 || !bytes.HasSuffix(data, content) || len(content) < 8+4 {
			t.Errorf("%d deltas: hash %x of % x", n, b.Hash, content)
		}
		got, rest, err := ParseBatch(append(data, "rest"...))
		if encoded := got.Encoded(); !bytes.Equal(encoded, data) {
			t.Errorf("Encoded of %d deltas = %x; want %x", n, encoded, data)
		}
		got.encoded = nil
		if !reflect.DeepEqual(got, b) || string(rest) != "rest" || err != nil {
			t.Errorf("ParseBatch of %d deltas = %+v, %q, %v; want %+v", n, got, rest, err, b)
		}
	}
}

func TestBatchValidate(t *testing.T) {
	state := State{Resets: []Reset{exampleReset}}
	for name, test := range map[string]struct {
		change func(*Batch)
		ok     bool
	}{
		"as it is":       {func(*Batch) {}, true},
		"no delta":       {func(b *Batch) { b.Deltas = nil }, true},
		"empty name":     {func(b *Batch) { b.Deltas[0].Key = []byte{15} }, true},
		"longest name":   {func(b *Batch) { b.Deltas[0].Key = make([]byte, MaxKey) }, true},
		"two keys":       {func(b *Batch) { b.Deltas = append(b.Deltas, Delta{[]byte("\x01hi"), state}) }, true},
		"old foreign":    {func(b *Batch) { b.Replica = 2 }, true},
		"replica 0":      {func(b *Batch) { b.Replica = 0 }, false},
		"stamp":          {func(b *Batch) { b.Prev = b.Stamp }, false},
		"no key":         {func(b *Batch) { b.Deltas[0].Key = nil }, false},
		"database 16":    {func(b *Batch) { b.Deltas[0].Key = []byte("\x10hi") }, false},
		"name too long":  {func(b *Batch) { b.Deltas[0].Key = make([]byte, MaxKey+1) }, false},
		"empty delta":    {func(b *Batch) { b.Deltas[0].State = State{} }, false},
		"bad state":      {func(b *Batch) { b.Deltas[0].State.Contributions[0].Birth = 0 }, false},
		"own rev":        {func(b *Batch) { b.Stamp++ }, false},
		"same key twice": {func(b *Batch) { b.Deltas = append(b.Deltas, Delta{[]byte("\x00hi"), state}) }, false},
	} {
		b := exampleBatch()
		test.change(&b)
		if err := b.Validate(); (err == nil) != test.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Validate = %v; want ok %t", name, err, test.ok)
		}
		if _, _, err := ParseBatch(AppendBatch(nil, &b)); (err == nil) != test.ok {
			t.Errorf("%s: ParseBatch = %v; want ok %t", name, err, test.ok)
		}
	}
}

// A caller that reads from a stream waits for more after ErrIncomplete, so only a batch that is not all there may say it.
func TestParseBatchSaysWhetherMoreHelps(t *testing.T) {
	b := exampleBatch()
	data := AppendBatch(nil, &b)
	for n := range data {
		if _, rest, err := ParseBatch(data[:n]); !errors.Is(err, ErrIncomplete) || len(rest) != n {
			t.Errorf("first %d bytes: ParseBatch = %d bytes rest, %v; want %v", n, len(rest), err, ErrIncomplete)
		}
		if n < 2 {
			continue
		}
		cut := Append(nil, 'B', data[2:n])
		if _, _, err := ParseBatch(cut); err != nil && (!errors.Is(err, ErrMalformed) || errors.Is(err, ErrIncomplete)) {
			t.Errorf("body of %d bytes: ParseBatch = %v; want %v", n-2, err, ErrMalformed)
		}
	}
}

func TestRepeatedKey(t *testing.T) {
	var deltas []Delta
	for i := range 1000 {
		deltas = append(deltas, Delta{Key: fmt.Append(nil, i)})
	}
	for n := range 30 {
		if got := repeatedKey(deltas[:n]); got != -1 {
			t.Errorf("repeatedKey of %d different = %d; want -1", n, got)
		}
	}
	for _, at := range []int{0, 1, 500, 999} {
		if got := repeatedKey(append(deltas, Delta{Key: bytes.Clone(deltas[at].Key)})); got != 1000 {
			t.Errorf("repeatedKey with %d again at the end = %d; want 1000", at, got)
		}
	}
}
