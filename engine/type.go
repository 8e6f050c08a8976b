package engine

// Type is what a key holds.
type Type uint8

// The types of keys.
const (
	TypeNone Type = iota
	TypeString
	TypeHash
)

// Type says what a key holds. The type of a string is Redis's word for a counter or a text.
func (p *Pipeline) Type(key []byte) (Type, error) {
	e, err := p.read(key, everything)
	if err != nil {
		return TypeNone, err
	}
	return p.typeOf(e), nil
}

// Exists says whether a key exists, by all that is stored: like NX and XX it does not wait for the update period.
func (p *Pipeline) Exists(key []byte) (bool, error) {
	t, err := p.Type(key)
	return t != TypeNone, err
}

func (p *Pipeline) typeOf(e *entry) Type {
	t := e.typeAt(p.now())
	p.tellsFields(e)
	return t
}

// typeAt is what the key holds at a time, in ms.
func (e *entry) typeAt(now int64) Type {
	switch {
	case !e.shown() || e.due(now):
		return TypeNone
	case e.is(there):
		return TypeString
	}
	return TypeHash
}

// exists says whether the key has anything to show now.
func (p *Pipeline) exists(e *entry) bool { return p.typeOf(e) != TypeNone }
