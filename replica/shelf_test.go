package replica

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// shelfOf has snapshots a, b, … of the vector of the peer, each for a caller of its own, 100, 101, …
func shelfOf(n int, now time.Time) *Shelf {
	s := &Shelf{}
	for i := range n {
		s.Put(string(rune('a'+i)), tlv.ReplicaID(100+i), peerHas(), now)
	}
	return s
}

// Which snapshots go when; what stays is what is found afterwards.
func TestShelf(t *testing.T) {
	now := time.UnixMilli(1000)
	renew := func(caller tlv.ReplicaID) func(*Shelf) []string {
		return func(s *Shelf) []string { return s.Renew(caller) }
	}
	served := func(caller tlv.ReplicaID, v tlv.Vector) func(*Shelf) []string {
		return func(s *Shelf) []string { return s.Served(caller, v) }
	}
	expired := func(after time.Duration) func(*Shelf) []string {
		return func(s *Shelf) []string { return s.Expired(now.Add(after)) }
	}
	for _, c := range []struct {
		name string
		has  int
		do   func(*Shelf) []string
		gone string
	}{
		{"another caller", 4, renew(9), ""},
		{"a caller has one", 4, renew(101), "[b]"},
		{"the time is not over", 2, expired(keepSnapshot), ""},
		{"the time is over", 2, expired(keepSnapshot + 1), "[a b]"},
		{"who has all of it", 2, served(101, peerHas()), "[b]"},
		{"who lacks something", 2, served(101, tlv.Vector{at(mine, 40), at(theirs, 90), at(third, 89)}), ""},
		{"who has nothing", 2, served(101, nil), ""},
		{"a caller without one", 2, served(9, peerHas()), ""},
		{"all", 2, (*Shelf).All, "[a b]"},
		{"all of nothing", 0, (*Shelf).All, ""},
	} {
		s := shelfOf(c.has, now)
		var gone string
		list := c.do(s)
		if list != nil {
			gone = fmt.Sprint(list)
		}
		if gone != c.gone {
			t.Errorf("%s: %s are gone; want %s", c.name, gone, c.gone)
		}
		for i := range c.has {
			title := string(rune('a' + i))
			if kept := s.Touch(title, now); kept == slices.Contains(list, title) {
				t.Errorf("%s: %s is kept: %t", c.name, title, kept)
			}
		}
	}
}

// A snapshot is kept for five minutes after the last request for it.
func TestShelfIsUsed(t *testing.T) {
	now := time.UnixMilli(1000)
	s := shelfOf(2, now)
	now = now.Add(keepSnapshot)
	if !s.Touch("b", now) || s.Touch("z", now) {
		t.Errorf("Touch does not know what is here")
	}
	if gone := s.Expired(now.Add(1)); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("Expired = %q; want a, which nobody has asked for", gone)
	}
}

// What a caller did itself it has, whatever its vector says.
func TestShelfServesItsOwn(t *testing.T) {
	s := &Shelf{}
	s.Put("a", theirs, peerHas(), time.UnixMilli(1))
	if gone := s.Served(theirs, tlv.Vector{at(mine, 40), at(third, 90)}); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("Served = %q; want a", gone)
	}
}
