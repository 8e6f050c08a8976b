package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// foundField is one field that exists.
type foundField struct {
	hash  uint64
	name  string // as the table has it
	value Value
	birth tlv.Stamp // of a small hash
}

// fieldWalk collects a page of the fields of one hash, in the order of their hash.
type fieldWalk struct {
	p      *Pipeline
	head   *entry
	prefix []byte // of the names of all fields
	want   int
	small  bool
	list   []foundField
	bytes  int // of names and texts in list
}

// pageBytes ends a page of fields, whatever their number.
const pageBytes = 16 << 20

// fieldPage gives those that exist of about count fields, what is left of dead ones included, from cursor on, and the cursor to
// go on with; cursorEnd: that was all. Fields that share a cursor are never split. No lock is held but the head's, or it is pinned.
func (p *Pipeline) fieldPage(head *entry, cursor uint64, count int) ([]foundField, uint64, error) {
	w := &fieldWalk{p: p, head: head, want: max(count, 1), small: head.size() <= SmallHash, prefix: tlv.AppendFieldName(nil, []byte(head.key()[1:]), nil)}
	pending := head.fields().pending() // noted before the database is opened, or a flush in between would hide them
	next, err := w.stored(cursor)
	if err != nil {
		return nil, 0, err
	}
	w.update(pending, cursor, next)
	return w.cut(next)
}

// update puts what the cache knows in place of what was stored, and adds what was not.
func (w *fieldWalk) update(pending []*entry, cursor, next uint64) {
	noted := make(map[string]*entry)
	for _, f := range pending {
		if at := f.hash >> cursorShift; at >= cursor && at < next {
			noted[f.key()[1:]] = f
		}
	}
	first := tlv.FieldByte(database(w.head.key()))
	for i := range w.list {
		found := &w.list[i]
		f := noted[found.name]
		if f == nil {
			f = w.p.e.table.find(name{first, []byte(found.name), found.hash})
		} else {
			delete(noted, found.name)
		}
		if f != nil {
			found.value, found.birth = w.look(f)
		}
	}
	for field, f := range noted {
		found := foundField{hash: f.hash, name: field}
		found.value, found.birth = w.look(f)
		w.list = append(w.list, found)
	}
	w.list = slices.DeleteFunc(w.list, func(f foundField) bool { return !f.value.OK })
}

// cut sorts the page and ends it where it is full.
func (w *fieldWalk) cut(next uint64) ([]foundField, uint64, error) {
	slices.SortFunc(w.list, func(a, b foundField) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name)) })
	for i := w.want; i < len(w.list); i++ {
		if at := w.list[i].hash >> cursorShift; at != w.list[i-1].hash>>cursorShift {
			return w.list[:i], at, nil
		}
	}
	return w.list, next, nil
}

// stored collects what the database has until the page is full at the end of a group, and gives the cursor after that.
func (w *fieldWalk) stored(cursor uint64) (next uint64, err error) {
	if w.p.isWiped(database(w.head.key())) {
		return cursorEnd, nil
	}
	lower := binary.BigEndian.AppendUint64([]byte{store.StatePrefix, tlv.FieldByte(database(w.head.key()))}, w.head.hash)
	upper := store.After(lower)
	next = cursorEnd
	for k, v := range store.Scan(w.p.e.db, binary.BigEndian.AppendUint64(lower, cursor<<cursorShift), upper, &err) {
		hash := binary.BigEndian.Uint64(k[store.FieldKeyHeader-8:])
		if n := len(w.list); n > 0 && (n >= w.want || w.bytes > pageBytes) && hash>>cursorShift != w.list[n-1].hash>>cursorShift {
			next = hash >> cursorShift
			break
		}
		if err = w.take(hash, k[store.FieldKeyHeader:], v); err != nil {
			break
		}
	}
	return next, err
}

// take adds a stored field, whether or not it exists.
func (w *fieldWalk) take(hash uint64, name, v []byte) error {
	if !bytes.HasPrefix(name, w.prefix) {
		return nil // of another hash, whose key collides
	}
	s, err := tlv.ParseState(v)
	if err == nil {
		view := s.View()
		w.list = append(w.list, foundField{hash, string(name), valueIn(&view), s.Began()})
		w.bytes += len(name) + s.Texts()
	}
	return err
}

// look gives what a field shows, with all that has arrived if its period is over.
func (w *fieldWalk) look(f *entry) (Value, tlv.Stamp) {
	f.mu.RLock()
	if !f.stale() || !w.p.periodOver(f) {
		defer f.mu.RUnlock()
		return w.seen(f)
	}
	f.mu.RUnlock()
	w.p.e.lockState(f)
	defer w.p.e.unlockState(f)
	w.p.ready(f, everything)
	return w.seen(f)
}

func (w *fieldWalk) seen(f *entry) (v Value, birth tlv.Stamp) {
	w.p.tells(f)
	if v = w.p.valueOf(f); v.OK && w.small {
		k := f.copied(w.p.e.self.id)
		birth = k.Began(w.p.e.self.id)
	}
	return v, birth
}

// SmallHash is up to how many fields a hash has that is shown in the order in which its fields came to be, if none of them is longer
// than SmallField: as Redis does.
const SmallHash = 512

// SmallField is up to how many bytes the name and the value of a field of such a hash have.
const SmallField = 64

// inOrder puts the whole of a hash into that order, if it is small.
func inOrder(list []foundField, prefix int) {
	if len(list) > SmallHash || slices.ContainsFunc(list, func(f foundField) bool { return len(f.name)-prefix > SmallField || f.value.Len() > SmallField }) {
		return
	}
	slices.SortFunc(list, func(a, b foundField) int { return cmp.Or(cmp.Compare(a.birth, b.birth), cmp.Compare(a.name, b.name)) })
}

// valueIn is what a view shows.
func valueIn(v *tlv.View) Value {
	switch {
	case !v.Exists:
		return Value{}
	case v.IsText:
		return Value{Text: v.Text, IsText: true, OK: true}
	}
	return IntValue(v.Sum.Clamp())
}

// field is what the user calls it.
func (f *foundField) field(prefix int) []byte { return []byte(f.name[prefix:]) }

// EachField calls f with every field of a hash and its value; the field is only valid during the call. Up to 10,000 fields of up
// to 16 MiB are as they are at one moment; greater hashes are read as ScanFields reads them, but in a section.
func (p *Pipeline) EachField(key []byte, f func(field []byte, v Value)) error {
	for cursor := uint64(0); ; {
		p.publish() // fields that this pipeline holds itself
		m := shared
		if cursor == 0 {
			m = exclusive
		}
		head, err := p.headOf(key, toRead, m)
		if head == nil || err != nil {
			return err
		}
		count := math.MaxInt
		if cursor > 0 || head.size() > maxWhole {
			count = 1000
		}
		all := p.showsAll()
		if all && !p.keepsOut() {
			continue
		}
		page, next, err := p.fieldPage(head, cursor, count)
		if all {
			p.e.loads.RUnlock()
		}
		if err != nil {
			return err
		}
		if cursor == 0 && next >= cursorEnd {
			inOrder(page, fieldPrefix(key))
		}
		for i := range page {
			f(page[i].field(fieldPrefix(key)), page[i].value)
		}
		if next >= cursorEnd {
			return nil
		}
		p.pause()
		cursor = next
	}
}

// fieldPrefix is the length of what precedes the fields of a hash in their names.
func fieldPrefix(key []byte) int { return 1 + tlv.ZipLen(uint64(len(key))) + len(key) }

// ScanFields calls f with about count fields of a hash from cursor on, as Scan does with keys. Every field that exists all the
// while is met at least once over the pages.
func (p *Pipeline) ScanFields(key []byte, cursor uint64, count int, f func(field []byte, v Value)) (next uint64, err error) {
	p.publish()
	head, err := p.headOf(key, toRead, shared)
	if head == nil || err != nil || cursor >= cursorEnd {
		return 0, err
	}
	page, next, err := p.fieldPage(head, cursor, count)
	if err != nil {
		return 0, err
	}
	if cursor == 0 && next >= cursorEnd {
		inOrder(page, fieldPrefix(key))
	}
	for i := range page {
		f(page[i].field(fieldPrefix(key)), page[i].value)
	}
	if next >= cursorEnd {
		next = 0
	}
	return next, nil
}

// SampleFields calls f with count fields of a hash; all of them if there are no more. Each field of a hash of up to SmallHash is as
// likely as another. Of greater ones they are from a random place on, and fields behind large gaps of the hash are met a little more
// often than others.
func (p *Pipeline) SampleFields(key []byte, count int, f func(field []byte, v Value)) error {
	p.publish()
	head, err := p.headOf(key, toRead, exclusive)
	if head == nil || err != nil {
		return err
	}
	if head.size() > SmallHash {
		return p.sampleFrom(key, count, f)
	}
	list, _, err := p.fieldPage(head, 0, math.MaxInt)
	if err != nil {
		return err
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i := range list[:min(count, len(list))] {
		f(list[i].field(fieldPrefix(key)), list[i].value)
	}
	return nil
}

// sampleFrom is SampleFields for a great hash.
func (p *Pipeline) sampleFrom(key []byte, count int, f func(field []byte, v Value)) error {
	met := make(map[string]bool)
	for _, from := range []uint64{rand.Uint64N(cursorEnd), 0} {
		for cursor := from; len(met) < count; {
			next, err := p.ScanFields(key, cursor, count-len(met), func(field []byte, v Value) {
				if len(met) < count && !met[string(field)] {
					met[string(field)] = true
					f(field, v)
				}
			})
			if err != nil {
				return err
			}
			if next == 0 {
				break
			}
			cursor = next
		}
	}
	return nil
}
