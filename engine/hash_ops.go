package engine

import "atomiccounter/tlv"

// IncrField adds n to a field, which may be zero, and gives the new value. A hash comes into being with its first field.
// ErrOverflow, ErrNotInteger and ErrWrongType change nothing.
func (p *Pipeline) IncrField(key, field []byte, n int64) (int64, error) {
	if err := p.writable(); err != nil {
		return 0, err
	}
	f, taken, err := p.lockField(key, field, toWrite, false)
	if err != nil {
		return 0, err
	}
	if f.fast.Load() == p.e.cuts.gen.Load() && (!f.stale.Load() || !p.periodOver(f)) && !f.fields.watched.Load() {
		return p.addFast(f, n)
	}
	if taken && !p.held[len(p.held)-1].exclusive {
		p.unlockLast() // so that the exclusive lock can be had without publishing first
	}
	if f, _, err = p.lockField(key, field, toWrite, true); err != nil {
		return 0, err
	}
	p.ready(f, false)
	if !f.exists {
		p.announce(f.fields.head) // its number of fields others see who share the head
	}
	return p.incr(f, n)
}

// Field gives the value of a field. ok is false if there is no such hash.
func (p *Pipeline) Field(key, field []byte) (v Value, ok bool, err error) {
	f, _, err := p.lockField(key, field, toRead, false)
	if f == nil || err != nil {
		return Value{}, false, err
	}
	if f.stale.Load() && p.periodOver(f) {
		if f, _, err = p.lockField(key, field, toRead, true); f == nil || err != nil {
			return Value{}, false, err
		}
		p.ready(f, true)
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
func (p *Pipeline) peek(f *entry) Value {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.ready(f, false)
	p.tells(f)
	return p.valueOf(f)
}

// SetFields sets fields of a hash at once, the last value of a repeated field, and says how many there were not before;
// with nx nothing happens if any of them exists.
func (p *Pipeline) SetFields(key []byte, names [][]byte, values []Value, nx bool) (created int, err error) {
	size := 0
	for i, v := range values {
		if len(v.Text) > MaxText {
			return 0, p.unlessType(key, TypeString, ErrTextTooLong)
		}
		size += p.e.cancelSize() + 64 + len(v.Text) + 2*(len(key)+len(names[i]))
	}
	own, err := p.beginGreat(size)
	if err != nil {
		return 0, err
	}
	if own {
		defer p.End()
	}
	if err := p.writableText(size); err != nil {
		return 0, err
	}
	_, list, err := p.lockFields(key, names, toWrite)
	if err != nil {
		return 0, err
	}
	defer unpin(list)
	for _, f := range list {
		if nx && p.peek(f).OK {
			return 0, nil
		}
	}
	for i, f := range list {
		if p.setField(f, values[i]) {
			created++
		}
	}
	return created, nil
}

// setField assigns a value to a field whose head the pipeline holds exclusively, and says whether it created it.
func (p *Pipeline) setField(f *entry, v Value) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.ready(f, true)
	p.tells(f)
	created, first := !f.exists, f.fields.head.size() == 0
	p.assign(f, v, tlv.ZCounter)
	if created && first {
		p.report(f, Created)
	}
	return created
}

// DelFields takes fields away and says how many there were. A hash without fields does not exist.
func (p *Pipeline) DelFields(key []byte, names [][]byte) (n int, err error) {
	size := p.sizeOf(names) + len(names)*len(key)
	own, err := p.beginGreat(size)
	if err != nil {
		return 0, err
	}
	if own {
		defer p.End()
	}
	if err := p.writableSize(size); err != nil {
		return 0, err
	}
	head, list, err := p.lockFields(key, names, toRead)
	if head == nil || err != nil {
		return 0, err
	}
	defer unpin(list)
	for _, f := range list {
		if p.delField(f) {
			n++
		}
	}
	if n > 0 && head.size() == 0 { // its expiry goes along
		p.ready(head, true)
		p.cancel(head)
	}
	return n, nil
}

func (p *Pipeline) delField(f *entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.ready(f, true)
	p.tells(f)
	was := f.exists
	p.cancel(f)
	return was
}

// EditField is Edit of a field.
func (p *Pipeline) EditField(key, field []byte, edit func(old Value) (next Value, change bool, err error)) error {
	if err := p.writableText(MaxText); err != nil {
		return err
	}
	_, list, err := p.lockFields(key, [][]byte{field}, toWrite)
	if err != nil {
		return err
	}
	defer unpin(list)
	v, change, err := edit(p.peek(list[0]))
	switch {
	case err != nil || !change:
		return err
	case len(v.Text) > MaxText:
		return ErrTextTooLong
	}
	p.setField(list[0], v)
	return nil
}

// Len is the number of fields of a hash.
func (p *Pipeline) Len(key []byte) (int64, error) {
	head, err := p.headOf(key, toRead, false)
	if head == nil || err != nil {
		return 0, err
	}
	n := head.size()
	p.tellsFields(head)
	return n, nil
}
