package tlv

import (
	"cmp"
	"slices"
)

// ReplicaID names a replica for ever: 64 random bits, never zero, never used again.
type ReplicaID uint64

// Stamp is a hybrid logical clock reading: milliseconds since the Unix epoch << 20, plus a counter.
type Stamp uint64

// Millis is the physical part of the stamp, in milliseconds since the Unix epoch.
func (s Stamp) Millis() int64 { return int64(s >> StampShift) }

// StampShift is the number of low bits of a Stamp that count within a millisecond.
const StampShift = 20

// Kind says which way a counter goes.
type Kind uint8

// The kinds of counter. A key is a ZCounter if any live contribution is one.
const (
	ZCounter Kind = iota // both ways; the default
	Natural              // grows only
)

// String is the kind's name in commands and logs.
func (k Kind) String() string {
	if k == Natural {
		return "natural"
	}
	return "zcounter"
}

// Expiry is one replica's last EXPIRE (At in milliseconds since the Unix epoch) or PERSIST (At is 0).
// A zero Stamp means that the replica has set neither.
type Expiry struct {
	Stamp Stamp
	At    int64
}

// Contribution is what one replica added to one counter. Only that replica writes it.
type Contribution struct {
	Replica  ReplicaID
	Birth    Stamp  // since when Total counts
	Rev      Stamp  // of the batch that published this
	Last     Stamp  // of the batch with the last increment or SET; 0: it only carries an expiry
	Total    Int128 // added since Birth, less what was taken off
	Kind     Kind
	HasValue bool  // Assigned is meant
	Closed   bool  // the replica has nothing here
	Assigned int64 // of the SET that gave birth to it
	Expiry   Expiry
}

// Reset says that somebody cancelled all of Replica's contribution up to Rev, when its total was Base.
type Reset struct {
	Replica ReplicaID
	Rev     Stamp
	Base    Int128
}

// State is all that is known of one key. Both lists are sorted by replica, one entry each.
// The zero State is that of a key nobody ever wrote.
type State struct {
	Contributions []Contribution
	Resets        []Reset
}

// Empty says that nothing at all is known.
func (s *State) Empty() bool { return len(s.Contributions) == 0 && len(s.Resets) == 0 }

// Contribution is replica's part, or nil. The pointer is into the state.
func (s *State) Contribution(replica ReplicaID) *Contribution {
	i, ok := slices.BinarySearchFunc(s.Contributions, replica, compareContribution)
	if !ok {
		return nil
	}
	return &s.Contributions[i]
}

// Reset is what cancelled a part of replica's contribution, or nil. The pointer is into the state.
func (s *State) Reset(replica ReplicaID) *Reset {
	i, ok := slices.BinarySearchFunc(s.Resets, replica, compareReset)
	if !ok {
		return nil
	}
	return &s.Resets[i]
}

// Put sets replica's contribution, whatever was there.
func (s *State) Put(c Contribution) {
	i, ok := slices.BinarySearchFunc(s.Contributions, c.Replica, compareContribution)
	if ok {
		s.Contributions[i] = c
		return
	}
	s.Contributions = slices.Insert(s.Contributions, i, c)
}

// PutReset joins one reset into the state: the greater Rev stays.
func (s *State) PutReset(r Reset) {
	i, ok := slices.BinarySearchFunc(s.Resets, r.Replica, compareReset)
	if !ok {
		s.Resets = slices.Insert(s.Resets, i, r)
	} else if r.Rev > s.Resets[i].Rev {
		s.Resets[i] = r
	}
}

// Merge makes s the least upper bound of s and o: per replica the contribution and the reset with the greater Rev;
// a reset of an earlier life than the contribution's is dropped (design, section 2). Idempotent, commutative and
// associative. o is only read; s keeps no reference to it.
func (s *State) Merge(o *State) {
	for i := range o.Contributions {
		c := &o.Contributions[i]
		if mine := s.Contribution(c.Replica); mine == nil || c.Rev > mine.Rev {
			s.Put(*c)
		}
	}
	for i := range o.Resets {
		s.PutReset(o.Resets[i])
	}
	s.dropStale()
}

func (s *State) dropStale() {
	s.Resets = slices.DeleteFunc(s.Resets, func(r Reset) bool {
		c := s.Contribution(r.Replica)
		return c != nil && r.Rev < c.Birth
	})
}

// Collect drops what a dead key may leave behind: closed contributions, and resets without a contribution, that
// covered says are at or below the version vector: whatever is that old and not here is never let in again.
func (s *State) Collect(covered func(ReplicaID, Stamp) bool) {
	s.Contributions = slices.DeleteFunc(s.Contributions, func(c Contribution) bool {
		return c.Closed && covered(c.Replica, c.Rev)
	})
	s.Resets = slices.DeleteFunc(s.Resets, func(r Reset) bool {
		return s.Contribution(r.Replica) == nil && covered(r.Replica, r.Rev)
	})
}

// Clone is a copy that shares nothing with s.
func (s *State) Clone() State {
	return State{Contributions: slices.Clone(s.Contributions), Resets: slices.Clone(s.Resets)}
}

// Cut is the stamp up to which all of replica is cancelled; 0 if nothing is.
func (s *State) Cut(replica ReplicaID) Stamp {
	if r := s.Reset(replica); r != nil {
		return r.Rev
	}
	return 0
}

// Live says whether c, a contribution of s, counts.
func (s *State) Live(c *Contribution) bool { return !c.Closed && c.Last > s.Cut(c.Replica) }

// Open says whether anything of c, a contribution of s, is not cancelled: it is live or carries an expiry.
func (s *State) Open(c *Contribution) bool { return !c.Closed && c.Rev > s.Cut(c.Replica) }

// Net is what c, a contribution of s, adds, and whether its assigned value still stands.
func (s *State) Net(c *Contribution) (Int128, bool) {
	if r := s.Reset(c.Replica); r != nil && r.Rev >= c.Birth {
		return c.Total.Sub(r.Base), false
	}
	return c.Total, c.HasValue
}

// View is what a key shows, before its expiry is asked.
type View struct {
	Exists bool
	Kind   Kind
	Sum    Int128 // true sum; readers clamp it to int64
	Expiry Expiry // in force; a zero Stamp or At: none
	Owner  ReplicaID
}

// View computes what the state shows (design, section 2).
func (s *State) View() View {
	v := View{Kind: Natural}
	var set *Contribution // the live one whose assigned value counts
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if c.Closed {
			continue
		}
		if cut := s.Cut(c.Replica); c.Expiry.Stamp > cut && laterExpiry(c, &v) {
			v.Expiry, v.Owner = c.Expiry, c.Replica
		}
		if !s.Live(c) {
			continue
		}
		v.Exists = true
		v.Kind = min(v.Kind, c.Kind)
		net, assigned := s.Net(c)
		v.Sum = v.Sum.Add(net)
		if assigned && (set == nil || cmp.Or(cmp.Compare(c.Birth, set.Birth), cmp.Compare(c.Replica, set.Replica)) > 0) {
			set = c
		}
	}
	if set != nil {
		v.Sum = v.Sum.Add(FromInt64(set.Assigned))
	}
	if v.Expiry.At == 0 {
		v.Expiry, v.Owner = Expiry{}, 0
	}
	return v
}

func laterExpiry(c *Contribution, v *View) bool {
	return c.Expiry.Stamp > v.Expiry.Stamp || c.Expiry.Stamp == v.Expiry.Stamp && c.Replica > v.Owner
}

func compareContribution(c Contribution, r ReplicaID) int { return cmp.Compare(c.Replica, r) }
func compareReset(c Reset, r ReplicaID) int               { return cmp.Compare(c.Replica, r) }
