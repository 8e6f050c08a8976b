// Package state is one key as one replica has it: its own contribution, what it knows of the others', what is pending, and what all of that
// shows. It is pure: there is no lock, no store, no clock and no cache in it. The engine keeps a Key in each entry of its cache.
package state

import (
	"slices"
	"unsafe"

	"atomiccounter/tlv"
)

// Key is the state of one key. The zero Key is that of a key that was never written.
type Key struct {
	Pending *Pending // nil: nothing is

	// As stored, or as it will be once the flush in progress is committed.
	Foreign *Foreign         // nil: no other replica ever had a part
	Own     tlv.Contribution // Replica 0: none
}

// Foreign is the part of a stored state that concerns other replicas.
type Foreign struct {
	Other    tlv.State          // their contributions, and all resets
	Incoming *tlv.State         // all that is stored, with data that is not yet in Other; nil: none
	Resets   []tlv.Reset        // of the batch that was rolled last
	Tails    []tlv.Contribution // of that too
}

// Latest is the latest stamp by which others have decided what the key shows: of a SET or an expiry, as stored.
func (f *Foreign) Latest() (s tlv.Stamp) {
	if f == nil {
		return 0
	}
	s = f.Other.Latest()
	if f.Incoming != nil {
		s = max(s, f.Incoming.Latest())
	}
	return s
}

// Other is the foreign part of the stored state. The caller only reads it.
func (k *Key) Other() tlv.State {
	if k.Foreign == nil {
		return tlv.State{}
	}
	return k.Foreign.Other
}

// Incoming is what is stored beyond what is taken in, or nil.
func (k *Key) Incoming() *tlv.State {
	if k.Foreign == nil {
		return nil
	}
	return k.Foreign.Incoming
}

func (k *Key) pendingResets() []tlv.Reset {
	if k.Pending == nil {
		return nil
	}
	return k.Pending.Resets
}

// Blank says that it is that of a key that was never written.
func (k *Key) Blank() bool { return k.Own.Replica == 0 && k.Foreign == nil && k.Pending == nil }

// cutOwn is the stamp up to which others have cancelled this replica's contribution.
func (k *Key) cutOwn() tlv.Stamp {
	if k.Foreign == nil || k.Own.Replica == 0 {
		return 0
	}
	return k.Foreign.Other.Cut(k.Own.Replica)
}

// OwnOpen says whether anything of the own contribution is not cancelled.
func (k *Key) OwnOpen() bool {
	return k.Own.Replica != 0 && !k.Own.Closed && k.Own.Rev > k.cutOwn()
}

// Contribution is this replica's part with what is pending, as a batch stamped rev would publish it.
func (k *Key) Contribution(id tlv.ReplicaID, rev tlv.Stamp) (c tlv.Contribution, any bool) {
	p := k.Pending
	if p == nil || !p.Publish {
		return k.Own, k.Own.Replica != 0
	}
	if !p.Reborn && k.OwnOpen() {
		c = k.Own
		if rebirth && p.Adds() && k.cutOwn() >= c.Birth {
			c.Total, c.Birth, c.HasValue, c.Assigned = c.Total.Sub(k.Foreign.Other.Reset(id).Base), p.Delta.Birth, false, 0
			c.IsText, c.Text, c.Since = false, "", 0
		}
		p.addTo(&c, rev)
		return c, true
	}
	if !p.Adds() && !p.Carries() {
		return tlv.Contribution{Replica: id, Rev: rev, Kind: p.Delta.Kind, Birth: rev, Closed: true, Expiry: p.Ended.Or(k.Own.Expiry)}, true
	}
	c = p.Delta
	c.Replica, c.Rev = id, rev
	if p.Adds() {
		c.Last = rev
	}
	return c, true
}

// addTo adds what is pending to an open contribution.
func (p *Pending) addTo(c *tlv.Contribution, rev tlv.Stamp) {
	c.Rev = rev
	c.Total = c.Total.Add(p.Delta.Total)
	if p.Adds() {
		if c.Last == 0 { // so far it only carried an expiry
			c.Kind, c.Joined = p.Delta.Kind, p.Delta.Joined
		}
		c.Last = rev
	}
	if p.Carries() {
		c.Expiry = p.Delta.Expiry
	}
}

// Latest is the latest EXPIRE that is named of the key, with what is pending.
func (k *Key) Latest(id tlv.ReplicaID) tlv.Expiry {
	if k.Foreign == nil {
		c, _ := k.Contribution(id, endOfTime)
		return c.Expiry.Or(tlv.Expiry{})
	}
	s := k.Whole(id)
	return s.Named()
}

// Named is the expiry that the own contribution names, with what is pending, if anything of it is open.
func (k *Key) Named(id tlv.ReplicaID) tlv.Expiry {
	c, any := k.Contribution(id, endOfTime)
	if !any || c.Closed || c.Rev <= k.cutOwn() {
		return tlv.Expiry{}
	}
	return c.Expiry
}

// View is what the key shows with all that is pending.
func (k *Key) View(id tlv.ReplicaID) tlv.View {
	if k.Foreign == nil && len(k.pendingResets()) == 0 {
		c, any := k.Contribution(id, endOfTime)
		return ViewOwn(&c, any)
	}
	s := k.Whole(id)
	return s.View()
}

// ViewOwn is State.View where there is one contribution and no reset, without building a state.
func ViewOwn(c *tlv.Contribution, any bool) tlv.View {
	v := tlv.View{Kind: tlv.Natural}
	if !any || c.Closed {
		return v
	}
	if v.Expiry = c.Expiry; c.Expiry.At != 0 {
		v.Owner = c.Replica
	}
	if c.Last == 0 {
		return v
	}
	v.Exists, v.Kind, v.Sum = true, c.Kind, c.Total
	if c.HasValue {
		v.Sum = v.Sum.Add(tlv.FromInt64(c.Assigned))
		v.IsText, v.Text = c.IsText, c.Text
	}
	return v
}

// Began is since when the key shows something, with all that is pending.
func (k *Key) Began(id tlv.ReplicaID) tlv.Stamp {
	if k.Foreign == nil && len(k.pendingResets()) == 0 {
		c, _ := k.Contribution(id, endOfTime)
		return c.Began()
	}
	s := k.Whole(id)
	return s.Began()
}

// Whole is the state with all that is pending, a copy.
func (k *Key) Whole(id tlv.ReplicaID) tlv.State {
	o := k.Other()
	s := o.Clone()
	if c, any := k.Contribution(id, endOfTime); any {
		s.Put(c)
	}
	s.Merge(&tlv.State{Resets: k.pendingResets()})
	return s
}

// Stored is all that is stored of the key, what has arrived and is not taken in included; a copy.
func (k *Key) Stored() tlv.State {
	o := k.Other()
	s := o.Clone()
	if k.Own.Replica != 0 {
		s.Put(k.Own)
	}
	if in := k.Incoming(); in != nil {
		s.Merge(in)
	}
	return s
}

// Ahead is what the key will show once it has taken in what has arrived; increments that are not yet folded in apart.
func (k *Key) Ahead(id tlv.ReplicaID) tlv.View {
	later := Key{Own: k.Own, Pending: k.Pending}
	later.SetStored(id, k.Stored())
	return later.View(id)
}

// SetStored replaces the stored state.
func (k *Key) SetStored(id tlv.ReplicaID, s tlv.State) {
	k.Own = tlv.Contribution{}
	if c := s.Contribution(id); c != nil {
		k.Own = *c
		s.Contributions = slices.DeleteFunc(s.Contributions, func(c tlv.Contribution) bool { return c.Replica == id })
	}
	switch {
	case k.Foreign != nil:
		k.Foreign.Other = s
	case !s.Empty():
		k.Foreign = &Foreign{Other: s}
	}
}

// dropEarlier drops the reset of a life of the own contribution before this one.
func (k *Key) dropEarlier(id tlv.ReplicaID) {
	if k.Foreign == nil {
		return
	}
	if r := k.Foreign.Other.Reset(id); r != nil && r.Rev < k.Own.Birth {
		k.Foreign.Other.Resets = slices.DeleteFunc(k.Foreign.Other.Resets, func(r tlv.Reset) bool { return r.Replica == id })
	}
}

// Disown makes this replica's contribution that of another.
func (k *Key) Disown() {
	if k.Own.Replica == 0 {
		return
	}
	if k.Foreign == nil {
		k.Foreign = &Foreign{}
	}
	k.Foreign.Other.Put(k.Own)
	k.Own = tlv.Contribution{}
}

// ResetOf is the reset of this replica's contribution, or nil.
func (k *Key) ResetOf(id tlv.ReplicaID) *tlv.Reset {
	if k.Foreign == nil {
		return nil
	}
	return k.Foreign.Other.Reset(id)
}

func sizeOf(s *tlv.State) int {
	return len(s.Contributions)*int(unsafe.Sizeof(tlv.Contribution{})) + len(s.Resets)*int(unsafe.Sizeof(tlv.Reset{})) +
		len(s.Origins)*int(unsafe.Sizeof(tlv.Origin{})) + s.Texts()
}

// Size is how many bytes of memory the key takes beside itself: texts, and what is known of other replicas.
func (k *Key) Size() int {
	n := len(k.Own.Text)
	if k.Pending != nil {
		n += len(k.Pending.Delta.Text)
	}
	if f := k.Foreign; f != nil {
		n += int(unsafe.Sizeof(Foreign{})) + sizeOf(&f.Other)
		if f.Incoming != nil {
			n += sizeOf(f.Incoming)
		}
	}
	return n
}
