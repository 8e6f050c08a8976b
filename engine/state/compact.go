package state

import "atomiccounter/tlv"

// Compact is, with Marks, what of the state of most keys cannot be told from what they show: a number, and when it expires. So it is
// of keys of which no other replica has a part, and of which nothing is pending but increments.
type Compact struct {
	Birth tlv.Stamp // of the own contribution; if there is none, of that which is pending
	Rev   tlv.Stamp // of the own contribution; 0: there is none
	Named tlv.Stamp // of the expiry that it names
	Base  int64     // what is not added: the value before what is pending; if nothing is, what a SET has assigned
}

// Marks go with a Compact.
type Marks uint8

// The marks.
const (
	Grows   Marks = 1 << iota // it is a Natural
	Joined                    // the contribution began on a key that showed something
	Valued                    // it began with a SET
	Carrier                   // it only carries an expiry
	Adding                    // increments are pending

	MarkBits = iota // how many there are
)

// Compact makes the state of a key that shows value, and expires at a time, as small as it can be; false: there is more to it.
func (k *Key) Compact(id tlv.ReplicaID, value, at int64) (c Compact, m Marks, ok bool) {
	if k.Foreign != nil {
		return c, 0, false
	}
	first := &k.Own // with which the contribution begins
	if k.Pending != nil {
		if !k.Pending.onlyAdds() {
			return c, 0, false
		}
		m = Adding
		if k.Own.Replica == 0 {
			first = &k.Pending.Delta
		}
	}
	c = Compact{Birth: first.Birth, Rev: k.Own.Rev, Named: k.Own.Expiry.Stamp, Base: k.Own.Assigned}
	m |= marksOf(first)
	if m&Adding != 0 {
		c.Base = k.Own.Total.Clamp()
	}
	var back Key
	var p Pending
	c.Expand(m, id, value, at, &back, &p)
	return c, m, back.Own == k.Own && (k.Pending == nil || p.same(k.Pending, k.Own.Replica != 0))
}

func marksOf(c *tlv.Contribution) (m Marks) {
	if c.Kind == tlv.Natural {
		m |= Grows
	}
	if c.Joined {
		m |= Joined
	}
	if c.HasValue {
		m |= Valued
	}
	if c.Last == 0 && c.Replica != 0 {
		m |= Carrier
	}
	return m
}

// Expand is the inverse of Compact, but for the birth of increments that are pending on a contribution. That counts only if they begin
// another, because others have cancelled the old one or it is given up (Rename): it is to be later than all that was published of the old
// one, and no later than what is published next. k and p are zero; p becomes part of k if something is pending.
func (c Compact) Expand(m Marks, id tlv.ReplicaID, value, at int64, k *Key, p *Pending) {
	kind := tlv.ZCounter
	if m&Grows != 0 {
		kind = tlv.Natural
	}
	if c.Rev != 0 {
		k.Own = tlv.Contribution{Replica: id, Rev: c.Rev, Birth: c.Birth, Kind: kind, Joined: m&Joined != 0, HasValue: m&Valued != 0,
			Expiry: tlv.Expiry{Stamp: c.Named, At: at}}
		if m&Carrier == 0 {
			k.Own.Last = c.Rev
		}
		if m&Adding != 0 {
			k.Own.Total = tlv.FromInt64(c.Base)
		} else {
			k.Own.Total, k.Own.Assigned = tlv.FromInt64(value).Sub(tlv.FromInt64(c.Base)), c.Base
		}
	}
	if m&Adding == 0 {
		return
	}
	k.Pending, p.Publish = p, true
	p.Delta = tlv.Contribution{Birth: c.Birth, Kind: kind, Joined: m&Joined != 0, Last: endOfTime, Total: tlv.FromInt64(value).Sub(tlv.FromInt64(c.Base))}
	if c.Rev != 0 {
		p.Delta.Birth, p.Delta.Joined = c.Rev+1, true
	}
}

// onlyAdds says whether nothing but increments is pending.
func (p *Pending) onlyAdds() bool {
	return p.Publish && p.Adds() && !p.Leftover && !p.Reborn && p.Ended == (tlv.Expiry{}) && len(p.Resets)+len(p.Tails) == 0
}

// same says whether pending increments are the same as others, but for the birth of those that are on a contribution.
func (p *Pending) same(o *Pending, on bool) bool {
	d := o.Delta
	if on {
		d.Birth = p.Delta.Birth
	}
	return p.Delta == d
}
