package tlv

import (
	"cmp"
	"fmt"
	"slices"
)

// State is all that is known of one key. All lists are in ascending order of replica, one entry each.
// The zero State is that of a key that was never written.
type State struct {
	Contributions []Contribution
	Resets        []Reset
	Origins       []Origin // of those of both that are foreign
}

// Empty says that nothing at all is known.
func (s *State) Empty() bool { return len(s.Contributions) == 0 && len(s.Resets) == 0 }

// Validate says what of s no replica can have written.
func (s *State) Validate() error {
	if err := validateParts[Contribution](s.Contributions); err != nil {
		return fmt.Errorf("contributions: %w", err)
	}
	if err := validateParts[Reset](s.Resets); err != nil {
		return fmt.Errorf("resets: %w", err)
	}
	if err := validateParts[Origin](s.Origins); err != nil {
		return fmt.Errorf("origins: %w", err)
	}
	return nil
}

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

// Put sets the contribution of c's replica, whatever was there.
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
	} else if r.newer(&s.Resets[i]) {
		s.Resets[i] = r
	}
}

// Merge makes s the least upper bound of s and o: per replica the contribution and the reset with the greater Rev;
// a reset of before the contribution's birth is dropped, and what is cancelled of foreign contributions is closed. Idempotent and commutative;
// associative where a replica's births never go back as its revs grow. o is only read; s keeps no reference to it.
func (s *State) Merge(o *State) {
	s.Contributions = union(s.Contributions, o.Contributions)
	s.Resets = union(s.Resets, o.Resets)
	s.Origins = union(s.Origins, o.Origins)
	s.dropStale()
	s.closeForeign()
}

func (s *State) dropStale() {
	s.Resets = slices.DeleteFunc(s.Resets, func(r Reset) bool {
		c := s.Contribution(r.Replica)
		return c != nil && r.Rev < c.Birth
	})
}

// Collect drops what a dead key may leave behind: closed contributions, and resets without a contribution, that
// covered says are at or below the version vector: whatever is that old and not here is never let in again. A closed contribution
// that names an expiry stays as long as another is not closed, which may be under that expiry.
// What is Forgotten stays.
func (s *State) Collect(covered func(ReplicaID, Stamp) bool) {
	heirs := slices.ContainsFunc(s.Contributions, func(c Contribution) bool { return !c.Closed })
	s.Contributions = slices.DeleteFunc(s.Contributions, func(c Contribution) bool {
		return c.Closed && !(heirs && c.Expiry.Stamp != 0) && !s.Forgotten(&c) && covered(c.Replica, c.Rev)
	})
	s.Resets = slices.DeleteFunc(s.Resets, func(r Reset) bool {
		return s.Contribution(r.Replica) == nil && covered(r.Replica, r.Rev)
	})
	s.dropOrigins()
}

// Forget puts what has to be known of a replica that was lost in the place of its contribution, if that is cancelled: that it is,
// up to where, and under which expiry it had counted. false: nothing of that kind is here.
func (s *State) Forget(replica ReplicaID) bool {
	c := s.Contribution(replica)
	if c == nil || c.Closed || s.Open(c) {
		return false
	}
	*c = Contribution{Replica: replica, Rev: s.Cut(replica), Birth: s.Cut(replica), Closed: true, Expiry: c.Expiry}
	return true
}

// Forgotten says whether c was closed by Forget, and not by its replica, which would have ended the reset: it may have counted more
// before it was lost, and that comes from the total that the reset names.
func (s *State) Forgotten(c *Contribution) bool {
	r := s.Reset(c.Replica)
	return c.Closed && r != nil && r.Rev == c.Rev
}

// Latest is the latest stamp by which contributions decide what the key shows: of a birth, of what is not closed, or an expiry.
func (s *State) Latest() (latest Stamp) {
	for i := range s.Contributions {
		c := &s.Contributions[i]
		latest = max(latest, c.Expiry.Stamp)
		if !c.Closed {
			latest = max(latest, c.Birth)
		}
	}
	return latest
}

// Clone is a copy that shares nothing with s.
func (s *State) Clone() State {
	return State{Contributions: slices.Clone(s.Contributions), Resets: slices.Clone(s.Resets), Origins: slices.Clone(s.Origins)}
}

// AppendState appends s, without a header of its own.
func AppendState(buf []byte, s *State) []byte {
	for i := range s.Contributions {
		buf = appendContribution(buf, &s.Contributions[i])
	}
	for i := range s.Resets {
		buf = appendReset(buf, &s.Resets[i])
	}
	for i := range s.Origins {
		buf = appendOrigin(buf, &s.Origins[i])
	}
	return buf
}

// ParseState reads a whole state. Nothing of data is kept. Three allocations at most, and one for each text.
func ParseState(data []byte) (s State, err error) {
	err = ParseStateInto(&s, data)
	return s, err
}

// ParseStateInto is ParseState into the memory that s already has; what s was is lost. After an error s is empty.
func ParseStateInto(s *State, data []byte) error {
	s.clear()
	err := s.parse(data)
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		s.clear()
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

func (s *State) clear() {
	s.Contributions, s.Resets, s.Origins = s.Contributions[:0], s.Resets[:0], s.Origins[:0]
}

// parse appends what data holds, unchecked, to s, which is empty.
func (s *State) parse(data []byte) error {
	s.Contributions = room(s.Contributions, countRecords(data, 'C', minContribution))
	s.Resets = room(s.Resets, countRecords(data, 'R', minReset))
	s.Origins = room(s.Origins, countRecords(data, 'F', minOrigin))
	for rest := data; len(rest) > 0; {
		typ, body, next, err := Take(rest)
		if err == nil {
			err = s.parseRecord(typ, body)
		}
		if err != nil {
			return fmt.Errorf("offset %d: %w", len(data)-len(rest), inside(err))
		}
		rest = next
	}
	return nil
}

// room is list, which is empty, with room for n.
func room[E any](list []E, n int) []E {
	if n <= cap(list) {
		return list
	}
	return make([]E, 0, n)
}

func (s *State) parseRecord(typ byte, body []byte) error {
	switch {
	case typ == 'C' && len(s.Resets)+len(s.Origins) == 0:
		s.Contributions = append(s.Contributions, Contribution{})
		return s.Contributions[len(s.Contributions)-1].parse(body)
	case typ == 'R' && len(s.Origins) == 0:
		s.Resets = append(s.Resets, Reset{})
		return s.Resets[len(s.Resets)-1].parse(body)
	case typ == 'F':
		s.Origins = append(s.Origins, Origin{})
		return s.Origins[len(s.Origins)-1].parse(body)
	}
	return malformed("record %c in a state", typ)
}

func compareContribution(c Contribution, r ReplicaID) int { return cmp.Compare(c.Replica, r) }
func compareReset(c Reset, r ReplicaID) int               { return cmp.Compare(c.Replica, r) }
