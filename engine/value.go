package engine

import (
	"errors"
	"strconv"

	"atomiccounter/tlv"
)

// Errors of keys that hold a text.
var (
	ErrNotInteger  = errors.New("value is not an integer or out of range") // the key shows a text: it cannot be added to
	ErrTextTooLong = errors.New("string exceeds maximum allowed size (1 MiB)")
	ErrNaturalText = errors.New("a natural counter holds a number, not a text")
)

// MaxText is the greatest length of a text in bytes.
const MaxText = tlv.MaxText

// Value is what a key shows: an integer, or a text, which is any other string. OK is false where there is none.
type Value struct {
	Int    int64
	Text   string
	IsText bool // Text is meant
	OK     bool
	Hash   bool // of MGet: there is no value, but a hash
}

// IntValue is an integer.
func IntValue(n int64) Value { return Value{Int: n, OK: true} }

// ParseInteger says whether a string is a decimal int64 as that is written back, and so an integer and no text.
func ParseInteger(s []byte) (int64, bool) { return tlv.ParseInteger(s) }

// ParseValue is the value that a string is. Nothing of s is kept.
func ParseValue(s []byte) Value {
	if n, ok := tlv.ParseInteger(s); ok {
		return IntValue(n)
	}
	return Value{Text: string(s), IsText: true, OK: true}
}

// Append appends the value as a string.
func (v Value) Append(buf []byte) []byte {
	switch {
	case v.IsText:
		return append(buf, v.Text...)
	case v.OK:
		return strconv.AppendInt(buf, v.Int, 10)
	}
	return buf
}

// Len is the length of the value as a string.
func (v Value) Len() int {
	if v.IsText {
		return len(v.Text)
	}
	var b [20]byte
	return len(v.Append(b[:0]))
}

func (p *Pipeline) valueOf(e *entry) Value {
	if !e.is(there) || e.due(p.now()) {
		return Value{}
	}
	if e.showsText() {
		return Value{Text: e.state().View(p.e.self.id).Text, IsText: true, OK: true}
	}
	return IntValue(e.value.Load())
}

// Value gives what a key shows. With ErrWrongType OK says that there is something.
func (p *Pipeline) Value(key []byte) (Value, error) {
	e, err := p.read(key, inTime)
	if err != nil {
		return Value{}, err
	}
	if e.fields() != nil && p.typeOf(e) == TypeHash {
		return Value{OK: true}, ErrWrongType
	}
	if e.showsText() || e.expire.Load() != 0 {
		return p.valueOf(e), nil
	}
	return Value{Int: e.value.Load(), OK: e.is(there)}, nil
}

// Get gives the value of a counter; ok is false if there is none. ErrNotInteger: the key holds a text, see Value.
func (p *Pipeline) Get(key []byte) (v int64, ok bool, err error) {
	val, err := p.Value(key)
	if val.IsText {
		return 0, false, ErrNotInteger
	}
	return val.Int, val.OK, err
}

// MGet appends the values of the keys at one moment to out; a hash has none.
func (p *Pipeline) MGet(keys [][]byte, out []Value) ([]Value, error) {
	list, err := p.readAll(keys)
	if err != nil {
		return out, err
	}
	for _, key := range keys {
		e := list[string(key)]
		v := p.valueOf(e)
		v.Hash = !v.OK && p.typeOf(e) == TypeHash
		out = append(out, v)
	}
	return out, nil
}
