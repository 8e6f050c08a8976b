package replica

import (
	"slices"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// One member after the other is heard; what is acknowledged then, and what of the log nobody needs any more.
func TestMembers(t *testing.T) {
	m := newMembers([]tlv.ReplicaID{theirs})
	now := time.UnixMilli(1000)
	has := func(own, other tlv.Stamp) tlv.Vector {
		v := tlv.Vector{at(mine, own)}
		if other != 0 {
			v.Put(at(9, other))
		}
		return v
	}
	for _, id := range []tlv.ReplicaID{theirs, third, 4} { // which have asked before
		m.met(id, "peer:1", now)
	}
	for _, c := range []struct {
		name  string
		id    tlv.ReplicaID
		has   tlv.Vector
		news  bool
		acked int        // how many have 20 of this replica
		least tlv.Vector // nil: unknown
	}{
		{"a new one; the one that is known has yet to say what it has", third, has(20, 7), true, 1, nil},
		{"the other", theirs, has(10, 8), true, 1, has(10, 7)},
		{"again the same", theirs, has(10, 8), false, 1, has(10, 7)},
		{"more, but of others", theirs, has(10, 9), false, 1, has(10, 7)},
		{"more of this replica", theirs, has(30, 9), true, 2, has(20, 7)},
		{"less than before: a store that was rolled back", theirs, has(15, 0), false, 1, has(15, 0)},
		{"and it catches up", theirs, has(30, 9), true, 2, has(20, 7)},
		{"one that has nothing", 4, nil, false, 2, tlv.Vector{}},
		{"and then something", 4, has(25, 7), true, 3, has(20, 7)},
	} {
		if got := m.Heard(c.id, c.has, "peer:1", now, mine); got != c.news {
			t.Errorf("%s: Heard = %t; want %t", c.name, got, c.news)
		}
		if got := m.Acked(mine, 20); got != c.acked {
			t.Errorf("%s: Acked(20) = %d; want %d", c.name, got, c.acked)
		}
		if got, ok := m.Minimum(); ok != (c.least != nil) || !slices.Equal(got, c.least) {
			t.Errorf("%s: Minimum = %v, %t; want %v", c.name, got, ok, c.least)
		}
	}
	if got := m.Acked(mine, 0); got != 3 {
		t.Errorf("Acked(0) = %d; want all 3", got)
	}
}

// Who has only fetched a state has acknowledged nothing: the log waits for it.
func TestMembersThatFetch(t *testing.T) {
	m := newMembers(nil)
	if _, ok := m.Minimum(); ok {
		t.Errorf("the minimum of nobody is known")
	}
	m.met(theirs, "peer:1", time.UnixMilli(1000))
	if _, ok := m.Minimum(); ok {
		t.Errorf("the minimum of one that has asked once is known")
	}
	m.met(theirs, "peer:1", time.UnixMilli(1000))
	if v, ok := m.Minimum(); ok || m.Acked(mine, 1) != 0 {
		t.Errorf("Minimum = %v, %t, Acked(1) = %d; want none", v, ok, m.Acked(mine, 1))
	}
}

func TestMembersAreStored(t *testing.T) {
	m := newMembers([]tlv.ReplicaID{4})
	m.Heard(third, nil, "", time.UnixMilli(1), mine)
	m.Heard(theirs, nil, "", time.UnixMilli(1), mine)
	m.Heard(4, nil, "", time.UnixMilli(1), mine)
	again := func(ids ...tlv.ReplicaID) {
		for _, id := range ids {
			m.Heard(id, nil, "", time.UnixMilli(2), mine)
		}
	}
	for _, c := range []struct {
		name string
		do   func()
		want []tlv.ReplicaID
	}{
		{"that have asked once", func() {}, nil},
		{"twice", func() { again(third, theirs) }, []tlv.ReplicaID{theirs, third}},
		{"once", func() {}, nil},
		{"forgotten", func() { m.Forget(theirs); m.Forget(77) }, nil},
		{"there again", func() { again(theirs, theirs) }, []tlv.ReplicaID{theirs}},
	} {
		c.do()
		if got := m.Unstored(); !slices.Equal(got, c.want) {
			t.Errorf("%s: Unstored = %d; want %d", c.name, got, c.want)
		}
	}
	m.Sent(theirs, 5)
	m.Sent(theirs, 6)
	m.Sent(77, 1) // forgotten meanwhile
	if got := m.of[theirs].sent; got != 11 || m.of[77] != nil {
		t.Errorf("sent %d bytes to a member, %+v to none; want 11, nothing", got, m.of[77])
	}
}

// Who has asked once has acknowledged nothing; what it said counts when it asks again, and that is news.
func TestMembersAreCountedWhenRemembered(t *testing.T) {
	m := newMembers(nil)
	has := tlv.Vector{at(mine, 20)}
	for i, want := range []bool{false, true, false} {
		if got := m.Heard(theirs, has, "", time.UnixMilli(1000), mine); got != want {
			t.Errorf("request %d: Heard = %t; want %t", i+1, got, want)
		}
		if got, want := m.Acked(mine, 20), min(i, 1); got != want {
			t.Errorf("request %d: Acked = %d; want %d", i+1, got, want)
		}
	}
}

// There are only so many members, but for those that this replica pulls from, and those that are known.
func TestMembersAreFew(t *testing.T) {
	m := newMembers([]tlv.ReplicaID{theirs})
	now := time.UnixMilli(1000)
	peers := map[tlv.ReplicaID]bool{third: true, 77: true}
	m.met(77, "", now)
	for id := tlv.ReplicaID(100); len(m.of) < maxPullers+1; id++ {
		if !m.Admit(id, peers, now) {
			t.Fatalf("member %d of %d is refused", len(m.of), maxPullers)
		}
		m.met(id, "", now)
	}
	m.met(100, "", now)
	for _, c := range []struct {
		name string
		id   tlv.ReplicaID
		at   time.Time
		want bool
	}{
		{"one too many", 9, now, false},
		{"one that this replica pulls from", third, now, true},
		{"one that is known", 101, now, true},
		{"one that the store remembers", theirs, now, true},
		{"one more, before the others are gone", 9, now.Add(pullerTimeout - 1), false},
		{"when they are gone", 9, now.Add(pullerTimeout), true},
	} {
		if got := m.Admit(c.id, peers, c.at); got != c.want {
			t.Errorf("%s: Admit = %t; want %t", c.name, got, c.want)
		}
	}
	if got := m.ids(); !slices.Equal(got, []tlv.ReplicaID{theirs, 77, 100}) {
		t.Errorf("there are %d; want those that are remembered or linked", got)
	}
}
