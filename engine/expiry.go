package engine

import "atomiccounter/tlv"

// What is counted under an expiry goes with it, on whatever replica and whatever link is down (tlv/README.md: Expiry). An
// EXPIRE alone would not do that: the contribution that names it may be closed, or cancelled by a replica that did not see all that was
// counted under it. So:
//
//   - A write that keeps the TTL carries it: the own contribution names the expiry in force too, under that one's stamp. The short
//     way of increments is open only to an entry that carries.
//   - A contribution that is closed keeps the latest EXPIRE that ended with it, and one that is born on a key that shows nothing
//     names a PERSIST just after that (entry.under).
//   - The latest EXPIRE is in force whichever contribution names it, closed and cancelled contributions too (tlv.State.View). Only what was begun
//     after it was given, on a key that showed nothing, is spared: a client that finds nothing sets a TTL of its own if it wants one. So whatever
//     has not heard of it in time goes when it hears.
//   - A replica that sees an EXPIRE that is left over names it: others may have dropped what named it.
//
// The fields of a hash have no expiry of their own. Their head's contribution carries for them: one begins when the replica counts in
// the first of them, so that it is known since when, and it stays until none is left, even if a replica that did not see all fields
// has cancelled it.

// carry has the own contribution name the expiry in force, or the PERSIST, before something is counted under it.
func (p *Pipeline) carry(e *entry) {
	if e.is(carrying) && e.is(there) {
		return
	}
	if x := e.under(p.e.self.id); x.Stamp > e.state().Named(p.e.self.id).Stamp {
		p.setExpiry(e, x)
	}
}

// under is what a write to the key has to name: what is in force, or, where nothing shows, a PERSIST just after all that was named: or
// what is left of an earlier life would give it an expiry. Under the stamp of the new birth, it would also take away what another replica
// has set meanwhile.
func (e *entry) under(id tlv.ReplicaID) tlv.Expiry {
	if e.shown() {
		return e.state().View(id).Expiry
	}
	if x := e.state().Latest(id); x.Stamp != 0 {
		return tlv.Expiry{Stamp: x.Stamp + 1}
	}
	return tlv.Expiry{}
}

// joins says whether a contribution that begins now begins on what is there.
func (e *entry) joins() bool { return e.shown() && mutation != noJoin }

// begun is what a head names that knows of no expiry: a PERSIST before all others.
var begun = tlv.Expiry{Stamp: 1}

// carryFields is carry for the head of a hash of which a field is about to be counted. The head is held exclusively.
func (p *Pipeline) carryFields(head *entry) {
	if head.is(carrying) {
		return
	}
	x := head.under(p.e.self.id)
	if x.Stamp == 0 {
		x = begun
	}
	p.setExpiry(head, x)
}

// owes says whether this replica may have something to do when something of a stored state has arrived: close its contribution, or have
// it name an expiry that is left over.
func (e *Engine) owes(s *tlv.State, v *tlv.View) bool {
	own := s.Contribution(e.self.id)
	if own != nil && !own.Closed && !(v.Exists && s.Open(own)) {
		return true
	}
	return v.Left && (v.Exists || e.counts.hashes.Load())
}

// inherit has the own contribution name an expiry that is left over, and that of a hash again what it named, if it was cancelled while there
// are fields. The key is held exclusively, with all that has arrived.
func (p *Pipeline) inherit(e *entry) {
	s := e.state().Whole(p.e.self.id)
	own, v := s.Contribution(p.e.self.id), s.View()
	x, hash := v.Expiry, !v.Exists && e.size() > 0
	cancelled := own != nil && !own.Closed && !s.Open(own)
	if cancelled && own.Expiry.Stamp > x.Stamp {
		x = own.Expiry
	}
	if hash && cancelled || v.Left && (hash || v.Exists) {
		p.setExpiry(e, x)
	}
}
