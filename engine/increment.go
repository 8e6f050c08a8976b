package engine

import (
	"math"

	"atomiccounter/tlv"
)

// Incr adds n, which may be zero, and gives the new value. ErrOverflow, ErrNegative and ErrNotInteger change nothing.
func (p *Pipeline) Incr(key []byte, n int64) (int64, error) {
	if err := p.writable(0); err != nil {
		return 0, err
	}
	before := len(p.held)
	e, err := p.lock(key, shared)
	if err != nil {
		return 0, err
	}
	if e.is(quick) && e.gen == p.e.cuts.gen.Load() && (n >= 0 || !e.is(natural)) && (!e.stale() || !p.periodOver(e)) &&
		(e.expire.Load() == 0 || !e.due(p.now())) {
		return p.addFast(e, n)
	}
	if len(p.held) > before && p.held[before].mode == shared && len(p.held) == before+1 {
		p.unlockLast() // so that the exclusive lock can be had without publishing first
	}
	return p.incrSlow(key, n)
}

// incrSlow is the first increment of a generation, and every one that is not plain.
func (p *Pipeline) incrSlow(key []byte, n int64) (int64, error) {
	e, err := p.change(key, toAdd, 0)
	if err != nil {
		return 0, err
	}
	return p.incr(e, n)
}

// incr adds n to a key or a field that is locked exclusively, and prepared.
func (p *Pipeline) incr(e *entry, n int64) (int64, error) {
	if err := p.addable(e); err != nil {
		return 0, err
	}
	kind := p.kindOf(e)
	if kind == tlv.Natural && n < 0 {
		return 0, ErrNegative
	}
	if sum := e.sum(p.e.self.id); !fits(sum, sum.Add(tlv.FromInt64(n)), n) {
		return 0, ErrOverflow
	}
	p.add(e, n, kind)
	return e.value.Load(), nil
}

// addable says why what shows cannot be added to.
func (p *Pipeline) addable(e *entry) error {
	switch {
	case e.showsText():
		return ErrNotInteger
	case !e.is(there) && e.size() > 0:
		p.tellsFields(e)
		return ErrWrongType
	}
	return nil
}

// kindOf is the key's kind, or that which it gets if it is created.
func (p *Pipeline) kindOf(e *entry) tlv.Kind {
	switch {
	case e.is(there) && e.is(natural):
		return tlv.Natural
	case !e.is(there) && isUsers(e.key()) && p.e.options.Natural != nil && p.e.options.Natural([]byte(e.key()[1:])):
		return tlv.Natural
	}
	return tlv.ZCounter
}

// IncrExOptions are those of INCREX.
type IncrExOptions struct {
	By           int64
	Lower, Upper int64 // bounds of the result; math.MinInt64 and MaxInt64 for none
	Saturate     bool  // beyond a bound go to it instead of leaving all as it is
	ExpireAt     int64 // ms; 0: leave the expiry
	Persist      bool
	ENX          bool // set the expiry only where there is none
}

// IncrExResult is what INCREX did. Out of bounds without Saturate that is nothing, and not Done.
type IncrExResult struct {
	Value, Applied int64
	Done           bool
	Expires        bool // ExpireAt was set or, if that had passed, carried out
	Persisted      bool // an expiry was taken away
}

// IncrEx adds By within bounds. With Saturate a value that was beyond a bound before comes back to it, too; a Natural stays.
func (p *Pipeline) IncrEx(key []byte, o IncrExOptions) (r IncrExResult, err error) {
	e, err := p.change(key, toEdit, 0)
	if err != nil {
		return r, err
	}
	if err := p.addable(e); err != nil {
		return r, err
	}
	kind, cur := p.kindOf(e), e.sum(p.e.self.id)
	n, act, err := bounded(cur, o)
	switch {
	case err != nil:
		return r, err
	case !act:
		return IncrExResult{Value: cur.Clamp()}, nil
	case kind == tlv.Natural && n < 0 && o.By >= 0:
		n = 0 // it cannot come back to a bound
	case kind == tlv.Natural && n < 0:
		return r, ErrNegative
	}
	if !fits(cur, cur.Add(tlv.FromInt64(n)), n) {
		return r, ErrOverflow
	}
	p.add(e, n, kind)
	r = IncrExResult{Value: e.value.Load(), Applied: n, Done: true}
	p.expireIncrEx(e, o, &r)
	return r, nil
}

func (p *Pipeline) expireIncrEx(e *entry, o IncrExOptions, r *IncrExResult) {
	has := e.expire.Load() != 0
	switch {
	case o.Persist && has:
		p.expireAt(e, 0)
		r.Persisted = true
	case o.ExpireAt != 0 && !(o.ENX && has):
		p.expireOrCancel(e, o.ExpireAt)
		r.Expires = true
	}
}

// bounded is what INCREX adds to cur, and whether it acts at all.
func bounded(cur tlv.Int128, o IncrExOptions) (n int64, act bool, err error) {
	next := cur.Add(tlv.FromInt64(o.By))
	to := next.Clamp()
	switch {
	case next.IsInt64() && o.Lower <= to && to <= o.Upper:
		return o.By, true, nil
	case !o.Saturate:
		return 0, false, nil
	}
	d := tlv.FromInt64(min(max(to, o.Lower), o.Upper)).Sub(cur)
	if !d.IsInt64() {
		return 0, false, ErrAppliedOverflow
	}
	return d.Clamp(), true, nil
}

// New creates a counter of the given kind that shows 0. False: it exists with that kind already.
func (p *Pipeline) New(key []byte, k tlv.Kind) (created bool, err error) {
	e, err := p.change(key, toEdit, 0)
	if err != nil {
		return false, err
	}
	if p.exists(e) {
		if !e.is(there) || e.is(natural) != (k == tlv.Natural) || e.showsText() {
			return false, ErrKindFixed
		}
		return false, nil
	}
	p.add(e, 0, k)
	return true, nil
}

// Bounds of an increment that is none.
const (
	NoLower = math.MinInt64
	NoUpper = math.MaxInt64
)
