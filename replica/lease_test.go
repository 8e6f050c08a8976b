package replica

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// leasesOf has snapshots a, b, … of the vector of the peer, each for a caller of its own, 100, 101, …
func leasesOf(n int, now time.Time) *leases {
	s := &leases{}
	for i := range n {
		s.Grant(string(rune('a'+i)), tlv.ReplicaID(100+i), peerHas(), now)
	}
	return s
}

// Which snapshots go when; what stays is what is found afterwards.
func TestLeases(t *testing.T) {
	now := time.UnixMilli(1000)
	replace := func(caller tlv.ReplicaID) func(*leases) []string {
		return func(s *leases) []string { return s.Replace(caller) }
	}
	served := func(caller tlv.ReplicaID, v tlv.Vector) func(*leases) []string {
		return func(s *leases) []string { return s.Served(caller, v) }
	}
	expired := func(after time.Duration) func(*leases) []string {
		return func(s *leases) []string { return s.Expired(now.Add(after)) }
	}
	for _, c := range []struct {
		name string
		has  int
		do   func(*leases) []string
		gone string
	}{
		{"another caller", 4, replace(9), ""},
		{"a caller has one", 4, replace(101), "[b]"},
		{"the time is not over", 2, expired(keepSnapshot), ""},
		{"the time is over", 2, expired(keepSnapshot + 1), "[a b]"},
		{"who has all of it", 2, served(101, peerHas()), "[b]"},
		{"who lacks something", 2, served(101, tlv.Vector{at(mine, 40), at(theirs, 90), at(third, 89)}), ""},
		{"who has nothing", 2, served(101, nil), ""},
		{"a caller without one", 2, served(9, peerHas()), ""},
		{"all", 2, (*leases).All, "[a b]"},
		{"all of nothing", 0, (*leases).All, ""},
	} {
		s := leasesOf(c.has, now)
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
			if kept := s.Renew(title, now); kept == slices.Contains(list, title) {
				t.Errorf("%s: %s is kept: %t", c.name, title, kept)
			}
		}
	}
}

// A snapshot is kept for five minutes after the last request for it.
func TestLeaseIsRenewed(t *testing.T) {
	now := time.UnixMilli(1000)
	s := leasesOf(2, now)
	now = now.Add(keepSnapshot)
	if !s.Renew("b", now) || s.Renew("z", now) {
		t.Errorf("Renew does not know what is here")
	}
	if gone := s.Expired(now.Add(1)); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("Expired = %q; want a, which nobody has asked for", gone)
	}
}

// What a caller did itself it has, whatever its vector says.
func TestLeasesOfOneCaller(t *testing.T) {
	s := &leases{}
	s.Grant("a", theirs, peerHas(), time.UnixMilli(1))
	if gone := s.Served(theirs, tlv.Vector{at(mine, 40), at(third, 90)}); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("Served = %q; want a", gone)
	}
}
