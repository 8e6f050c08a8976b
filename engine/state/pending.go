package state

import (
	"math"

	"atomiccounter/tlv"
)

const endOfTime = tlv.Stamp(math.MaxUint64) // later than every stamp: the rev of what is not yet published

// Pending is what was done to a key since the last cut, not yet in the stored state.
type Pending struct {
	// Delta is what is to be published of the own contribution: added to that, if it is open and not reborn, else in its place. Last is not 0
	// where there is an increment or a SET; the stamp of the batch is not known yet.
	Delta    tlv.Contribution
	Publish  bool       // the own contribution is to be published
	Leftover bool       // only because something was left over
	Reborn   bool       // under a new birth
	Ended    tlv.Expiry // the latest EXPIRE that was named when all was cancelled
	Resets   []tlv.Reset
	Tails    []tlv.Contribution // of Other, to be published
}

// Adds says whether an increment or a SET is pending.
func (p *Pending) Adds() bool { return p.Delta.Last != 0 }

// Carries says whether an EXPIRE or a PERSIST is pending.
func (p *Pending) Carries() bool { return p.Delta.Expiry.Stamp != 0 }

// The four changes that the records of the journal speak of. Each is deterministic: replay does the same as the command did. Something is
// pending before each.

// Add adds n. The first increment of a batch begins a contribution at stamp, if there is none.
func (k *Key) Add(n int64, stamp tlv.Stamp, kind tlv.Kind, joined bool) {
	p := k.Pending
	if !p.Adds() {
		p.Delta.Birth, p.Delta.Kind, p.Delta.Joined = stamp, kind, joined
	}
	p.Publish, p.Delta.Last = true, endOfTime
	p.Delta.Total = p.Delta.Total.Add(tlv.FromInt64(n))
}

// Cancel takes away what is observed; ended is the latest EXPIRE that is named.
func (k *Key) Cancel(own bool, resets []tlv.Reset, ended tlv.Expiry) {
	p := k.Pending
	for _, r := range resets {
		PutReset(&p.Resets, r)
	}
	if ended.Stamp != 0 {
		p.Ended = ended
	}
	if own {
		*p = Pending{Reborn: true, Publish: true, Delta: tlv.Contribution{Kind: p.Delta.Kind}, Resets: p.Resets, Ended: p.Ended}
	}
}

// Assign puts a contribution in the place of the own one, which begins with a SET.
func (k *Key) Assign(set tlv.Contribution) {
	set.HasValue, set.Last = true, endOfTime
	*k.Pending = Pending{Publish: true, Reborn: true, Resets: k.Pending.Resets, Ended: k.Pending.Ended, Delta: set}
}

// ExpireAt has the own contribution name an expiry. If there is none, one comes into being that only carries it, born at birth.
func (k *Key) ExpireAt(x tlv.Expiry, birth tlv.Stamp, joined bool) {
	p := k.Pending
	if !p.Adds() && !p.Carries() {
		p.Delta.Birth, p.Delta.Joined = birth, joined
	}
	p.Delta.Expiry, p.Publish = x, true
}

// Observed says what a cancel of everything takes away now: resets for the others' open contributions, and whether
// something of this replica's own is open.
func (k *Key) Observed(id tlv.ReplicaID) (resets []tlv.Reset, own bool) {
	if c, any := k.Contribution(id, endOfTime); any && !c.Closed {
		own = c.Rev > k.cutOwn()
	}
	if k.Foreign == nil {
		return nil, own
	}
	s := k.Whole(id)
	for i := range s.Contributions {
		if c := &s.Contributions[i]; c.Replica != id && s.Open(c) {
			resets = append(resets, tlv.Reset{Replica: c.Replica, Rev: c.Rev, Base: c.Total})
		}
	}
	return resets, own
}

// Rename makes this replica's contribution that of another replica, old. What is pending counts from nothing; what it took
// away of its own is now a reset.
func (k *Key) Rename(old tlv.ReplicaID) {
	if k.Pending != nil {
		if k.Pending.Reborn && k.OwnOpen() {
			PutReset(&k.Pending.Resets, tlv.Reset{Replica: old, Rev: k.Own.Rev, Base: k.Own.Total})
		}
		switch {
		case k.Pending.Carries():
		case !k.Pending.Adds():
			k.Pending.Publish, k.Pending.Reborn = false, false
		case !k.Pending.Reborn && k.OwnOpen(): // it was counted under what the contribution names
			k.Pending.Delta.Expiry, k.Pending.Delta.Joined = k.Own.Expiry, true
		}
	}
	if in := k.Incoming(); in != nil && k.Own.Replica != 0 {
		clone := in.Clone()
		clone.Put(k.Own)
		k.Foreign.Incoming = &clone
	}
	k.Disown()
}

// PutReset joins one reset into a list of them.
func PutReset(list *[]tlv.Reset, r tlv.Reset) {
	s := tlv.State{Resets: *list}
	s.PutReset(r)
	*list = s.Resets
}

// Roll makes what is pending part of the stored state, as the batch stamped rev has it. What the key shows does not change. own says that
// the batch has the own contribution. The pending is the caller's to use again.
func (k *Key) Roll(id tlv.ReplicaID, rev tlv.Stamp) (p *Pending, own bool) {
	p = k.Pending
	c, _ := k.Contribution(id, rev)
	own = p.Publish && (!c.Closed || k.Own.Replica != 0 || c.Expiry.Stamp != 0) // closing what was never stored says nothing else
	if len(p.Resets) > 0 && k.Foreign == nil {
		k.Foreign = &Foreign{}
	}
	if f := k.Foreign; f != nil {
		f.Resets, f.Tails = p.Resets, p.Tails
		f.Other.Merge(&tlv.State{Resets: p.Resets})
	}
	if own {
		k.Own = c
		k.dropEarlier(id)
	}
	k.Pending = nil
	return p, own
}
