package tlv

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// View is what a key shows, before its expiry is asked.
type View struct {
	Exists bool
	Kind   Kind      // Natural where nothing is live
	IsText bool      // it shows Text, whatever the sum
	Text   string    // the value assigned last, if that is a text
	Sum    Int128    // true sum; readers clamp it to int64
	Expiry Expiry    // in force: the latest EXPIRE, or, where At is 0, PERSIST; zero: neither
	Owner  ReplicaID // of the expiry in force, which carries it out; 0 where At is, and where it is left over
	Left   bool      // the expiry is left over: only closed and cancelled contributions name it
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

// Began is since when there is what is live; 0 where nothing is.
func (s *State) Began() (first Stamp) {
	for i := range s.Contributions {
		if c := &s.Contributions[i]; s.Live(c) && (first == 0 || c.Began() < first) {
			first = c.Began()
		}
	}
	return first
}

// Open says whether anything of c, a contribution of s, is not cancelled: it is live or carries an expiry.
func (s *State) Open(c *Contribution) bool { return !c.Closed && c.Rev > s.Cut(c.Replica) }

// Net is what c, a contribution of s, adds, and whether its assigned value still stands.
func (s *State) Net(c *Contribution) (Int128, bool) {
	if r := s.Reset(c.Replica); r != nil && r.Rev >= c.Birth {
		return c.Total.Sub(r.Base), false
	}
	return c.Total, c.HasValue
}

// Digest is a hash of what is open in s, and of what is cancelled of that: of nothing else do two stores that have the same batches have to
// agree, for each drops what is closed when it may. 0: nothing is.
func (s *State) Digest() uint64 {
	var open State
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if !s.Open(c) {
			continue
		}
		open.Contributions = append(open.Contributions, *c)
		if r := s.Reset(c.Replica); r != nil && r.Rev >= c.Birth {
			open.Resets = append(open.Resets, *r)
		}
	}
	if open.Empty() {
		return 0
	}
	sum := sha256.Sum256(AppendState(nil, &open))
	return max(1, binary.LittleEndian.Uint64(sum[:]))
}

// View computes what the state shows (README.md: what a key shows). It allocates nothing.
func (s *State) View() View {
	v := View{Kind: Natural}
	var set *Contribution // the latest live one whose assigned value stands
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if s.armed(c) && !c.Expiry.before(&v) {
			v.Expiry, v.Owner = c.Expiry, c.Replica
		}
		if !s.Live(c) {
			continue
		}
		net, assigned := s.Net(c)
		v.Exists, v.Kind, v.Sum = true, min(v.Kind, c.Kind), v.Sum.Add(net)
		if assigned && (set == nil || c.Birth >= set.Birth) {
			set = c
		}
	}
	if set != nil { // of a text, Assigned is 0
		v.Sum = v.Sum.Add(FromInt64(set.Assigned))
		v.IsText, v.Text = set.IsText, set.Text
	}
	if v.Expiry.At == 0 {
		v.Owner = 0
	}
	s.leftOver(&v)
	return v
}

// leftOver puts an EXPIRE in force that only closed and cancelled contributions name, if it is later than what others do. It spares a
// key of which all that is live was begun after it was given, the first of it on a key that showed nothing.
func (s *State) leftOver(v *View) {
	if latest := s.Named(); latest.Stamp > v.Expiry.Stamp && latest.Stamp > s.begun(v) {
		v.Expiry, v.Owner, v.Left = latest, 0, true
	}
}

// begun is since when there is what shows; 0 for what began on a key that showed something. Where nothing is live fields may be, of
// which the contributions that are not closed speak.
func (s *State) begun(v *View) Stamp {
	first := Stamp(math.MaxUint64)
	for i := range s.Contributions {
		switch c := &s.Contributions[i]; {
		case c.Closed || v.Exists && !s.Live(c):
		case c.Joined:
			return 0
		default:
			first = min(first, c.Birth)
		}
	}
	return first
}

// armed says whether c carries an EXPIRE or a PERSIST that is in force: one that no replica has cancelled, or under which something was
// counted that is left. A contribution that only carries an expiry counts nothing itself, but may speak for fields; it is
// published for that alone, so what was published after the cut is left.
func (s *State) armed(c *Contribution) bool {
	if c.Closed || c.Expiry.Stamp == 0 {
		return false
	}
	cut := s.Cut(c.Replica)
	return max(c.Last, c.Expiry.Stamp) > cut || c.Last == 0 && c.Rev > cut
}

// Named is the latest EXPIRE that a contribution names, closed and cancelled ones included.
func (s *State) Named() (latest Expiry) {
	for i := range s.Contributions {
		latest = latest.Or(s.Contributions[i].Expiry)
	}
	return latest
}

// Or is the later EXPIRE of the two, of equal stamps that of the later time; zero if neither is one.
func (e Expiry) Or(o Expiry) Expiry {
	switch {
	case o.At == 0 && e.At == 0:
		return Expiry{}
	case o.At == 0 || e.At != 0 && (e.Stamp > o.Stamp || e.Stamp == o.Stamp && e.At >= o.At):
		return e
	}
	return o
}

// before says whether what v has so far is later. Replicas come in ascending order: of equal stamps the later one wins.
func (e Expiry) before(v *View) bool { return e.Stamp < v.Expiry.Stamp }
