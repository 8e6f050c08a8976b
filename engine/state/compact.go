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
// Some states that are rare and could be told back are not compact, which costs no more than memory.
func (k *Key) Compact(id tlv.ReplicaID, value, at int64) (c Compact, m Marks, ok bool) {
	own := &k.Own
	if k.Foreign != nil || !own.Total.IsInt64() {
		return c, 0, false
	}
	if own.Replica != 0 && (own.Replica != id || own.Closed || own.IsText || own.Since != 0 || own.Expiry.At != at) {
		return c, 0, false
	}
	c = Compact{Birth: own.Birth, Rev: own.Rev, Named: own.Expiry.Stamp, Base: own.Assigned}
	if k.Pending != nil {
		return c.adding(own, k.Pending, value)
	}
	if own.Last == 0 && own.Replica != 0 {
		m = Carrier
	} else if own.Last != own.Rev {
		return c, 0, false
	}
	return c, m | marksOf(own), own.Total == tlv.FromInt64(value).Sub(tlv.FromInt64(own.Assigned))
}

// adding is Compact where something is pending.
func (c Compact) adding(own *tlv.Contribution, p *Pending, value int64) (Compact, Marks, bool) {
	d, first := &p.Delta, own // first is that with which the contribution begins
	switch {
	case !p.onlyAdds() || d.HasValue || p.Carries() || d.Since != 0:
		return c, 0, false
	case own.Replica == 0:
		c.Birth, first = d.Birth, d
	case own.Last != own.Rev || own.Assigned != 0 || d.Kind != own.Kind || !d.Joined:
		return c, 0, false
	}
	c.Base = own.Total.Clamp()
	return c, Adding | marksOf(first), d.Total == tlv.FromInt64(value).Sub(own.Total)
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
	return m
}

// Expand is the inverse of Compact, but for the birth of increments that are pending on a contribution. That counts only if they begin
// another, because others have cancelled the old one or it is given up (Rename): it is to be later than all that was published of the old
// one, and no later than what is published next. k and p are zero; p becomes part of k if something is pending.
func (c *Compact) Expand(m Marks, id tlv.ReplicaID, value, at int64, k *Key, p *Pending) {
	base := tlv.FromInt64(c.Base)
	added := tlv.FromInt64(value).Sub(base)
	if own := &k.Own; c.Rev != 0 {
		own.Replica, own.Rev, own.Birth = id, c.Rev, c.Birth
		own.Kind, own.Joined, own.HasValue = m.kind(), m&Joined != 0, m&Valued != 0
		own.Expiry = tlv.Expiry{Stamp: c.Named, At: at}
		if m&Carrier == 0 {
			own.Last = c.Rev
		}
		if own.Total = base; m&Adding == 0 {
			own.Total, own.Assigned = added, c.Base
		}
	}
	if m&Adding == 0 {
		return
	}
	k.Pending, p.Publish = p, true
	d := &p.Delta
	d.Birth, d.Kind, d.Joined, d.Last, d.Total = c.Birth, m.kind(), m&Joined != 0, endOfTime, added
	if c.Rev != 0 {
		d.Birth, d.Joined = c.Rev+1, true
	}
}

func (m Marks) kind() tlv.Kind {
	if m&Grows != 0 {
		return tlv.Natural
	}
	return tlv.ZCounter
}

// onlyAdds says whether nothing but increments is pending, or a SET, which has Reborn.
func (p *Pending) onlyAdds() bool {
	return p.Publish && p.Adds() && !p.Leftover && !p.Reborn && p.Ended == (tlv.Expiry{}) && len(p.Resets)+len(p.Tails) == 0
}
