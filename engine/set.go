package engine

import (
	"atomiccounter/tlv"
)

// Put makes v the value, in place of all that is observed. While the key is a Natural, that is an integer and not negative.
func (p *Pipeline) Put(key []byte, v Value, o SetOptions) (SetResult, error) {
	if len(v.Text) > MaxText {
		if o.Get {
			return SetResult{}, p.unlessType(key, TypeHash, ErrTextTooLong)
		}
		return SetResult{}, ErrTextTooLong
	}
	i := toCancel
	if o.NX || o.Get { // otherwise a hash stays
		i = toEdit
	}
	e, err := p.change(key, i, len(v.Text))
	if err != nil {
		return SetResult{}, err
	}
	return p.set(e, v, o)
}

// Edit puts in place of the value what edit makes of it, and leaves the expiry as it is. False from edit leaves everything.
// It is a read and a SET at one moment of this replica: of concurrent ones on several replicas the last wins, and what
// the others made is lost. Edit is called while the key is locked, and must not call the pipeline.
func (p *Pipeline) Edit(key []byte, edit func(old Value) (next Value, change bool, err error)) error {
	e, err := p.change(key, toEdit, MaxText)
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

// unlessType is err, but for a key of the wrong type: that comes first.
func (p *Pipeline) unlessType(key []byte, wrong Type, err error) error {
	if t, typeErr := p.Type(key); typeErr == nil && t == wrong {
		return ErrWrongType
	}
	return err
}

// SetOptions are those of SET.
type SetOptions struct {
	NX, XX, KeepTTL bool
	Get             bool  // fill Old
	ExpireAt        int64 // ms; 0: none; in the past: the key is gone afterwards
}

// SetResult is what SET did. Old is filled if asked for.
type SetResult struct {
	Done bool
	Old  Value
}

// Set is Put of an integer.
func (p *Pipeline) Set(key []byte, v int64, o SetOptions) (SetResult, error) {
	return p.Put(key, IntValue(v), o)
}

func (p *Pipeline) set(e *entry, v Value, o SetOptions) (r SetResult, err error) {
	t := p.typeOf(e)
	if o.Get {
		if t == TypeHash {
			return r, ErrWrongType
		}
		r.Old = p.valueOf(e)
	}
	if o.NX && t != TypeNone || o.XX && t == TypeNone {
		return r, nil
	}
	if err := p.harvestable(e); o.Get && err != nil {
		return r, err
	}
	kind, err := p.kindFor(e, v)
	if err != nil {
		return r, err
	}
	keep := e.state().View(p.e.self.id).Expiry
	p.assign(e, v, kind)
	if t == TypeNone {
		p.report(e, Created)
	}
	switch {
	case o.ExpireAt != 0:
		p.expireOrCancel(e, o.ExpireAt)
	case o.KeepTTL && t != TypeNone && keep.Stamp != 0:
		p.setExpiry(e, keep)
	}
	r.Done = true
	return r, nil
}

// Existing says what becomes of keys or fields that exist already when several are set at once.
type Existing uint8

const (
	Overwrite Existing = iota // they are set
	Refuse                    // nothing is set if any of them exists
)

// MSet sets all keys at once, the last value of a repeated key. Unless done, an existing one was refused.
func (p *Pipeline) MSet(keys [][]byte, values []Value, existing Existing) (done bool, err error) {
	size := p.sizeOf(keys)
	for _, v := range values {
		if len(v.Text) > MaxText {
			return false, ErrTextTooLong
		}
		size += 64 + len(v.Text)
	}
	i := toCancel
	if existing == Refuse { // then a hash stays
		i = toEdit
	}
	err = p.changeAll(keys, i, size, func(list map[string]*entry) (err error) {
		done, err = p.mset(list, keys, values, existing)
		return err
	})
	return done, err
}

func (p *Pipeline) mset(list map[string]*entry, keys [][]byte, values []Value, existing Existing) (done bool, err error) {
	for i, key := range keys {
		e := list[string(key)]
		if existing == Refuse && p.exists(e) {
			return false, nil
		}
		if _, err := p.kindFor(e, values[i]); err != nil {
			return false, err
		}
	}
	for i, key := range keys {
		if _, err := p.set(list[string(key)], values[i], SetOptions{}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// GetDel takes the key away and gives the value that was taken, exactly.
func (p *Pipeline) GetDel(key []byte) (Value, error) {
	e, err := p.change(key, toEdit, 0)
	if err != nil {
		return Value{}, err
	}
	if p.typeOf(e) == TypeHash {
		return Value{OK: true}, ErrWrongType
	}
	if err := p.harvestable(e); err != nil {
		return Value{}, err
	}
	v := p.valueOf(e)
	p.cancelAll(e) // fields that are hidden it leaves, as it does not return them, unless their time has come
	return v, nil
}

// harvestable says why what a key shows cannot be taken away and returned: a sum beyond int64 would be returned in part, and the
// rest would be lost.
func (p *Pipeline) harvestable(e *entry) error {
	if p.exists(e) && !e.showsText() && !e.sum(p.e.self.id).IsInt64() {
		return ErrHarvest
	}
	return nil
}

// Del takes the keys away and says how many there were.
func (p *Pipeline) Del(keys [][]byte) (n int, err error) {
	err = p.changeAll(keys, toCancel, p.sizeOf(keys), func(list map[string]*entry) error {
		for _, key := range keys {
			if e := list[string(key)]; p.exists(e) {
				n++
				p.cancelAll(e)
				p.report(e, Deleted)
			}
		}
		return nil
	})
	return n, err
}
