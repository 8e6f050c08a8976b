package engine

// ExpireOptions are those of GETEX.
type ExpireOptions struct {
	At      int64 // ms; 0: leave
	Persist bool
}

// GetEx gives the value and changes the expiry.
func (p *Pipeline) GetEx(key []byte, o ExpireOptions) (Value, error) {
	if o == (ExpireOptions{}) {
		return p.Value(key)
	}
	e, err := p.change(key, toEdit, 0)
	if err != nil {
		return Value{}, err
	}
	if p.typeOf(e) == TypeHash {
		return Value{OK: true}, ErrWrongType
	}
	v := p.valueOf(e)
	switch {
	case !v.OK:
	case o.At != 0:
		p.expireOrCancel(e, o.At)
	case o.Persist && e.expire.Load() != 0:
		p.expireAt(e, 0)
	}
	return v, nil
}

// ExpireCond are the conditions of EXPIRE.
type ExpireCond uint8

// NX: only without an expiry; XX: only with one; GT, LT: only later, earlier than the present one, none being infinite.
const (
	ExpireNX ExpireCond = 1 << iota
	ExpireXX
	ExpireGT
	ExpireLT
)

func (c ExpireCond) holds(cur, at int64) bool {
	has := cur != 0
	switch {
	case c&ExpireNX != 0 && has, c&ExpireXX != 0 && !has:
		return false
	case c&ExpireGT != 0 && (!has || at <= cur):
		return false
	case c&ExpireLT != 0 && has && at >= cur:
		return false
	}
	return true
}

// ExpireAt sets when the key expires, in ms since the Unix epoch; in the past the key goes at once. False: no such key, or
// the condition does not hold.
func (p *Pipeline) ExpireAt(key []byte, at int64, c ExpireCond) (bool, error) {
	e, err := p.change(key, toEdit, 0)
	if err == nil && at <= p.now() && p.exists(e) && c.holds(e.expire.Load(), at) {
		e, err = p.change(key, toCancel, 0)
	}
	if err != nil {
		return false, err
	}
	if !p.exists(e) || !c.holds(e.expire.Load(), at) {
		return false, nil
	}
	p.expireOrCancel(e, at)
	return true, nil
}

// Persist takes the expiry away. False: no such key, or it had none.
func (p *Pipeline) Persist(key []byte) (bool, error) {
	e, err := p.change(key, toEdit, 0)
	if err != nil {
		return false, err
	}
	if !p.exists(e) || e.expire.Load() == 0 {
		return false, nil
	}
	p.expireAt(e, 0)
	return true, nil
}

// ExpireTime is when the key expires, in ms since the Unix epoch; 0: never. ok is false if there is no such key.
func (p *Pipeline) ExpireTime(key []byte) (at int64, ok bool, err error) {
	e, err := p.read(key, inTime)
	if err != nil {
		return 0, false, err
	}
	if !p.exists(e) {
		return 0, false, nil
	}
	return e.expire.Load(), true, nil
}

// expireOrCancel sets the expiry; a time that has passed is a DEL.
func (p *Pipeline) expireOrCancel(e *entry, at int64) {
	if at <= p.now() {
		p.cancelAll(e)
		return
	}
	p.expireAt(e, at)
}
