package engine

import (
	"errors"
	"strconv"
	"unsafe"

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
	if !e.exists || e.due(p.now()) {
		return Value{}
	}
	if e.text {
		return Value{Text: e.view(p.e.self.id).Text, IsText: true, OK: true}
	}
	return IntValue(e.value.Load())
}

// Value gives what a key shows. With ErrWrongType OK says that there is something.
func (p *Pipeline) Value(key []byte) (Value, error) { return p.read(key, false) }

func (p *Pipeline) read(key []byte, fresh bool) (Value, error) {
	e, err := p.shared(key, fresh)
	if err != nil {
		return Value{}, err
	}
	if e.fields != nil && p.typeOf(e) == TypeHash {
		return Value{OK: true}, ErrWrongType
	}
	if e.text || e.expire.Load() != 0 {
		return p.valueOf(e), nil
	}
	return Value{Int: e.value.Load(), OK: e.exists}, nil
}

// Put makes v the value, in place of all that is observed. While the key is a Natural, that is an integer and not negative.
func (p *Pipeline) Put(key []byte, v Value, o SetOptions) (SetResult, error) {
	if err := p.writableValue(v); err != nil {
		if o.Get {
			err = p.unlessType(key, TypeHash, err)
		}
		return SetResult{}, err
	}
	t := takesAll
	if o.NX || o.Get { // otherwise a hash stays
		t = takesDue
	}
	e, err := p.toChange(key, true, t)
	if err != nil {
		return SetResult{}, err
	}
	return p.set(e, v, o)
}

// Edit puts in place of the value what edit makes of it, and leaves the expiry as it is. False from edit leaves everything.
// It is a read and a SET at one moment of this replica: of concurrent ones on several replicas the last wins, and what
// the others made is lost. Edit is called while the key is locked, and must not call the pipeline.
func (p *Pipeline) Edit(key []byte, edit func(old Value) (next Value, change bool, err error)) error {
	if err := p.writableText(MaxText); err != nil {
		return err
	}
	e, err := p.toChange(key, true, takesDue)
	if err != nil {
		return err
	}
	if p.typeOf(e) == TypeHash {
		return ErrWrongType
	}
	v, change, err := edit(p.valueOf(e))
	if err != nil || !change {
		return err
	}
	if len(v.Text) > MaxText {
		return ErrTextTooLong
	}
	_, err = p.set(e, v, SetOptions{KeepTTL: true})
	return err
}

// kindFor is the kind that the key has, or gets, when v is assigned to it.
func (p *Pipeline) kindFor(e *entry, v Value) (tlv.Kind, error) {
	kind := p.kindOf(e)
	switch {
	case kind == tlv.ZCounter:
		return kind, nil
	case v.IsText:
		return kind, ErrNaturalText
	case v.Int < 0:
		return kind, ErrNegative
	}
	return kind, nil
}

// unlessType is err, which says that a value is too long, but for a key of the wrong type: that comes first.
func (p *Pipeline) unlessType(key []byte, wrong Type, err error) error {
	if t, typeErr := p.Type(key); errors.Is(err, ErrTextTooLong) && typeErr == nil && t == wrong {
		return ErrWrongType
	}
	return err
}

// writableValue begins a write of v, or says why there can be none.
func (p *Pipeline) writableValue(v Value) error {
	switch {
	case !v.IsText:
		return p.writable()
	case len(v.Text) > MaxText:
		return ErrTextTooLong
	}
	return p.writableText(len(v.Text))
}

// maxTexts bounds the texts that one flush writes, in bytes; those of commands in flight come on top. So batches stay far
// below what a peer takes, and what the disk needs is looked at before the next that many.
const maxTexts = 32 << 20

// writableText begins a write that may be of n bytes of text: a flush comes first if there is much to flush.
func (p *Pipeline) writableText(n int) error {
	if p.e.pace.texts.Load() >= maxTexts && !p.section.open {
		p.pause()
		p.e.relieveTexts()
	}
	return p.writableSize(n)
}

// relieveTexts flushes if there are many texts to flush. False: it cannot.
func (e *Engine) relieveTexts() bool {
	if e.enterScan() == nil {
		e.checkSpace()
		e.scans.RUnlock()
	}
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	switch {
	case e.pace.texts.Load() < maxTexts:
		return true
	case e.awaiting || e.mayCommit() != nil || e.tight():
		return false
	}
	err := e.flush(flushStep{})
	if err != nil {
		e.log.Error("flush", "err", err)
	}
	return err == nil
}

// besides is how many bytes of memory the entry holds beside itself: texts, and what is known of other replicas.
func (e *entry) besides() int {
	n := len(e.own.Text)
	if e.pend != nil {
		n += len(e.pend.text)
	}
	if f := e.foreign; f != nil {
		n += foreignSize + stateSize(&f.other)
		if f.incoming != nil {
			n += stateSize(f.incoming)
		}
	}
	return n
}

const foreignSize = int(unsafe.Sizeof(foreign{}))

func stateSize(s *tlv.State) int {
	return len(s.Contributions)*int(unsafe.Sizeof(tlv.Contribution{})) + len(s.Resets)*int(unsafe.Sizeof(tlv.Reset{})) +
		len(s.Origins)*int(unsafe.Sizeof(tlv.Origin{})) + s.Texts()
}

// weigh counts what e holds in memory beside itself. The caller holds e exclusively.
func (t *table) weigh(e *entry) {
	n := uint32(min(e.besides(), 1<<31))
	if e.isHead() {
		n += fieldsSize
	}
	if n == e.weight || e.gone {
		return
	}
	s := t.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := int64(n) - int64(e.weight)
	e.weight = n
	s.bytes += d
	t.bytes.Add(d)
}

// shrink evicts from e's shard if it has grown beyond its part of the cache.
func (e *Engine) shrink(hash uint64) { e.table.evict(hash, e.cuts.flushed.Load(), e.forget) }
