package replica

import (
	"maps"
	"slices"
	"time"

	"atomiccounter/tlv"
)

// members are the replicas that pull from this one, now or formerly. What they have acknowledged decides how much of the
// log is kept, and what WAIT waits for.
type members struct {
	of map[tlv.ReplicaID]*member
}

// member is one of them.
type member struct {
	stored bool          // the store knows of it
	asked  int           // how often it was heard in this run
	forked tlv.ReplicaID // of which it has another history than this store; 0: none
	vector tlv.Vector    // what is durable there; nil: it has not been heard in this run
	addr   string        // where it is to be had, or called from
	heard  time.Time
	sent   int64 // bytes of batches and pages
}

// maxPullers bounds the members that are not also peers of this replica.
const maxPullers = 64

// remembered says whether the store is to know of a member. One that has asked only once may never come again: the log would wait for it
// for good.
func (p *member) remembered() bool { return p.stored || p.asked > 1 }

// newMembers are those that the store remembers.
func newMembers(stored []tlv.ReplicaID) *members {
	m := &members{of: map[tlv.ReplicaID]*member{}}
	for _, id := range stored {
		m.of[id] = &member{stored: true}
	}
	return m
}

// Heard notes a CSYNC of a replica, and where that is to be had. acked: it acknowledges more of replica own than before.
func (m *members) Heard(id tlv.ReplicaID, v tlv.Vector, addr string, now time.Time, own tlv.ReplicaID) (acked bool) {
	p := m.met(id, addr, now)
	p.addr = addr
	had := p.vector.Entry(own).Stamp
	if p.asked == 2 && !p.stored { // what it said the first time did not count
		had = 0
	}
	acked = p.remembered() && v.Entry(own).Stamp > had
	if p.vector = v; v == nil {
		p.vector = tlv.Vector{}
	}
	return acked
}

// met notes that a replica is there, and where it called from unless more is known.
func (m *members) met(id tlv.ReplicaID, remote string, now time.Time) *member {
	p := m.of[id]
	if p == nil {
		p = &member{}
		m.of[id] = p
	}
	p.heard = now
	if p.addr == "" {
		p.addr = remote
	}
	p.asked++
	return p
}

// Admit says whether a replica may be a member: there is room for maxPullers beside the peers of this replica. Members that have asked only
// once, and are gone, make room.
func (m *members) Admit(id tlv.ReplicaID, peers map[tlv.ReplicaID]bool, now time.Time) bool {
	if m.of[id] != nil || peers[id] {
		return true
	}
	n := 0
	for other, p := range m.of {
		switch {
		case peers[other]:
		case !p.remembered() && !p.pulls(now):
			delete(m.of, other)
		default:
			n++
		}
	}
	return n < maxPullers
}

// at is which of them is to be had at an address; 0: none.
func (m *members) at(addr string) tlv.ReplicaID {
	for _, id := range m.ids() {
		if m.of[id].addr == addr {
			return id
		}
	}
	return 0
}

// Knows says whether it is one of them.
func (m *members) Knows(id tlv.ReplicaID) bool { return m.of[id] != nil }

// forked notes that a member has another history of replica id than this store, or of none if that is 0. false: it was known.
func (m *members) forked(member, id tlv.ReplicaID) (news bool) {
	p := m.of[member]
	if p == nil || p.forked == id {
		return false
	}
	p.forked = id
	return id != 0
}

// Sent counts what was answered.
func (m *members) Sent(id tlv.ReplicaID, bytes int64) {
	if p := m.of[id]; p != nil {
		p.sent += bytes
	}
}

// Forget is for a replica that will not come back: the log does not wait for it.
func (m *members) Forget(id tlv.ReplicaID) { delete(m.of, id) }

// Unstored lists those that the store is to know of, and does not yet, and takes them for stored.
func (m *members) Unstored() (list []tlv.ReplicaID) {
	for _, id := range m.ids() {
		if p := m.of[id]; p.remembered() && !p.stored {
			p.stored = true
			list = append(list, id)
		}
	}
	return list
}

// Acked is how many of those that are remembered have everything of replica own up to a stamp durable.
func (m *members) Acked(own tlv.ReplicaID, stamp tlv.Stamp) (n int) {
	for _, p := range m.of {
		if p.remembered() && p.vector.Entry(own).Stamp >= stamp {
			n++
		}
	}
	return n
}

// Minimum is what all of those that are remembered have. It is unknown as long as one has not been heard in this
// run, and if there is none.
func (m *members) Minimum() (least tlv.Vector, ok bool) {
	for _, p := range m.of {
		switch {
		case !p.remembered():
		case p.vector == nil:
			return nil, false
		case !ok:
			least, ok = slices.Clone(p.vector), true
		default:
			least = lesser(least, p.vector)
		}
	}
	return least, ok
}

// lesser is the pointwise minimum.
func lesser(a, b tlv.Vector) (least tlv.Vector) {
	for _, e := range a {
		o := b.Entry(e.Replica)
		if o.Stamp < e.Stamp {
			e = o
		}
		if e.Stamp != 0 {
			least = append(least, e)
		}
	}
	return least
}

func (m *members) ids() []tlv.ReplicaID { return slices.Sorted(maps.Keys(m.of)) }
