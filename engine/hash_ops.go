package engine

import (
	"slices"

	"atomiccounter/tlv"
)

// IncrField adds n to a field, which may be zero, and gives the new value. A hash comes into being with its first field.
// ErrOverflow, ErrNotInteger and ErrWrongType change nothing.
func (p *Pipeline) IncrField(key, field []byte, n int64) (int64, error) {
	if err := p.writable(0); err != nil {
		return 0, err
	}
	f, taken, err := p.lockField(key, field, toAdd, shared)
	if err != nil {
		return 0, err
	}
	if f.is(quick) && f.gen == p.e.cuts.gen.Load() && (!f.stale() || !p.periodOver(f)) && !f.fields().watched.Load() {
		return p.addFast(f, n)
	}
	if taken && p.held[len(p.held)-1].mode == shared {
		p.unlockLast() // so that the exclusive lock can be had without publishing first
	}
	if f, err = p.changeField(key, field); err != nil {
		return 0, err
	}
	return p.incr(f, n)
}

// Field gives the value of a field. ok is false if there is no such hash.
func (p *Pipeline) Field(key, field []byte) (v Value, ok bool, err error) {
	f, err := p.readField(key, field)
	if f == nil || err != nil {
		return Value{}, false, err
	}
	return p.valueOf(f), true, nil
}

// Fields appends the values of fields at one moment to out. ok is false if there is no such hash.
func (p *Pipeline) Fields(key []byte, names [][]byte, out []Value) (values []Value, ok bool, err error) {
	all := p.showsAll()
	head, list, err := p.lockFields(key, names, toRead)
	for all && head != nil && !p.keepsOut() {
		unpin(list)
		head, list, err = p.lockFields(key, names, toRead)
	}
	if err != nil {
		return out, false, err
	}
	if head == nil {
		return append(out, make([]Value, len(names))...), false, nil
	}
	if all {
		defer p.e.loads.RUnlock()
	}
	defer unpin(list)
	for _, f := range list {
		out = append(out, p.peek(f))
	}
	return out, true, nil
}

// peek gives what a field shows whose head the pipeline holds exclusively.
func (p *Pipeline) peek(f *entry) (v Value) {
	p.visit(f, inTime, func() { v = p.valueOf(f) })
	return v
}

// SetFields sets fields of a hash at once, the last value of a repeated field, and says how many there were not before.
func (p *Pipeline) SetFields(key []byte, names [][]byte, values []Value, existing Existing) (created int, err error) {
	size := 0
	for i, v := range values {
		if len(v.Text) > MaxText {
			return 0, p.unlessType(key, TypeString, ErrTextTooLong)
		}
		size += p.e.cancelSize() + 64 + len(v.Text) + 2*(len(key)+len(names[i]))
	}
	err = p.changeFields(key, names, toEdit, size, func(_ *entry, list []*entry) error {
		if existing == Refuse && slices.ContainsFunc(list, func(f *entry) bool { return p.peek(f).OK }) {
			return nil
		}
		for i, f := range list {
			if p.setField(f, values[i]) {
				created++
			}
		}
		return nil
	})
	return created, err
}

// setField assigns a value to a field whose head the pipeline holds exclusively, and says whether it created it.
func (p *Pipeline) setField(f *entry, v Value) (created bool) {
	p.visit(f, everything, func() {
		created = !f.is(there)
		first := f.fields().head.size() == 0
		p.assign(f, v, tlv.ZCounter)
		if created && first {
			p.report(f, Created)
		}
	})
	return created
}

// DelFields takes fields away and says how many there were. A hash without fields does not exist.
func (p *Pipeline) DelFields(key []byte, names [][]byte) (n int, err error) {
	size := p.sizeOf(names) + len(names)*len(key)
	err = p.changeFields(key, names, toCancel, size, func(head *entry, list []*entry) error {
		for _, f := range list {
			p.visit(f, everything, func() {
				if f.is(there) {
					n++
				}
				p.cancel(f)
			})
		}
		if n > 0 && head.size() == 0 { // its expiry goes along
			p.ready(head, everything)
			p.cancel(head)
		}
		return nil
	})
	return n, err
}

// EditField is Edit of a field.
func (p *Pipeline) EditField(key, field []byte, edit func(old Value) (next Value, change bool, err error)) error {
	return p.changeFields(key, [][]byte{field}, toEdit, MaxText, func(_ *entry, list []*entry) error {
		v, change, err := edit(p.peek(list[0]))
		switch {
		case err != nil || !change:
			return err
		case len(v.Text) > MaxText:
			return ErrTextTooLong
		}
		p.setField(list[0], v)
		return nil
	})
}

// Len is the number of fields of a hash.
func (p *Pipeline) Len(key []byte) (int64, error) {
	head, err := p.headOf(key, toRead, shared)
	if head == nil || err != nil {
		return 0, err
	}
	n := head.size()
	p.tellsFields(head)
	return n, nil
}
