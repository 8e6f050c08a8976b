package engine

import (
	"slices"

	"atomiccounter/tlv"
)

// What is counted under an expiry goes with it, on whatever replica and whatever link is down (design, section 2: Expiry). An
// EXPIRE alone would not do that: the contribution that names it may be closed, or cancelled by one who did not see all that was
// counted under it. So:
//
//   - A write that keeps the TTL carries it: the own contribution names the expiry in force too, under that one's stamp. The short
//     way of increments is open only to an entry that carries.
//   - A contribution that is closed keeps the expiry that ended with it, and one that is born on a key where an expiry was cancelled
//     names a PERSIST just after that (entry.ended).
//   - What arrives may name an expiry that is not in force and later than all that is: then the own contribution inherits it, if
//     it was counted before its time.
//
// The fields of a hash have no expiry of their own. Their head's contribution carries for them: it is published again with every
// batch in which one of them was counted, because only what was published after a reset outlives it.

// carry has the own contribution name the expiry in force, or the PERSIST, before something is counted under it.
func (p *Pipeline) carry(e *entry) {
	if !e.carries {
		p.setExpiry(e, e.view(p.e.id).Expiry)
	}
}

// setExpiry has the own contribution name x, which may be another replica's.
func (p *Pipeline) setExpiry(e *entry, x tlv.Expiry) {
	p.changes++
	p.e.clock.pass(x.Stamp) // a contribution names nothing later than the batch that publishes it
	p.e.markDirty(e)
	p.endRun()
	birth := p.e.clock.next(p.now())
	p.buf = appendExpire(p.buf, e.key, x, birth)
	e.expireAt(x, birth)
	p.e.show(e)
}

// carriesFields says whether the head's contribution speaks for what is counted in its fields in this generation. The caller holds
// the head at least shared.
func (e *Engine) carriesFields(head *entry) bool {
	return head.carries && (head.expire.Load() == 0 || head.gen == e.gen.Load() && head.pend.touch)
}

// carryFields is carry for the head of a hash of which a field is about to be counted. The head is held exclusively.
func (p *Pipeline) carryFields(head *entry) {
	if p.e.carriesFields(head) {
		return
	}
	p.setExpiry(head, head.view(p.e.id).Expiry)
}

// owes says what may be due of a stored state when something of it has arrived: closes, that the own contribution is to be closed;
// inherits, that others name an expiry that the own one may have to take over.
func (e *Engine) owes(s *tlv.State, v *tlv.View, named tlv.Expiry) (closes, inherits bool) {
	own := s.Contribution(e.id)
	closes = own != nil && !own.Closed && !(v.Exists && s.Open(own))
	latest := v.Expiry.Stamp
	if own != nil && s.Open(own) {
		latest = max(latest, own.Expiry.Stamp)
	}
	counts := own != nil && s.Live(own) || !v.Exists && e.hashes.Load() // there may be fields
	return closes, counts && named.Stamp > latest
}

// inherit has the own part of a key take over what it was counted under: what is in force, if something is pending, and an expiry
// that is not, if it is later and the part was counted before its time. The key is held exclusively, with all that has arrived;
// that of a hash may be let go of in between.
func (p *Pipeline) inherit(e *entry, named tlv.Expiry) error {
	x, before := p.heritage(e, named)
	if x.Stamp == 0 {
		return nil
	}
	if !before && e.isHead() && e.size() > 0 {
		var err error
		if before, err = p.countedBefore(e, x); err != nil {
			return err
		}
	}
	if before {
		p.setExpiry(e, x)
	}
	return nil
}

// heritage is what the own part of a key may have to take over, if anything, and whether all of the part was counted before its time.
func (p *Pipeline) heritage(e *entry, arrived tlv.Expiry) (x tlv.Expiry, before bool) {
	s := e.whole(p.e.id)
	hash := e.isHead() && e.size() > 0
	own := s.Contribution(p.e.id)
	if !hash && (own == nil || !s.Live(own)) {
		return x, false
	}
	named, last := e.named(p.e.id), tlv.Stamp(0)
	pending := e.pend != nil && e.pend.add
	switch {
	case hash:
		pending = e.fields.gen.Load() == p.e.gen.Load()
		last = endOfTime // the fields know
	case !pending:
		last = own.Last
	}
	inForce := s.View().Expiry
	running := func(x tlv.Expiry) bool { return x.At == 0 || x.At > p.now() }
	if pending && inForce.Stamp > named.Stamp && running(inForce) {
		return inForce, true
	}
	if x = s.Named(p.e.id); x.Stamp < arrived.Stamp {
		x = arrived
	}
	if x.Stamp <= max(named.Stamp, inForce.Stamp) {
		return tlv.Expiry{}, false
	}
	return x, running(x) || !pending && last < tlv.Stamp(x.At)<<tlv.StampShift
}

// countedBefore says whether this replica has counted in the fields of a hash, and nothing from the time of x on.
func (p *Pipeline) countedBefore(head *entry, x tlv.Expiry) (bool, error) {
	head.pins.Add(1)
	defer head.pins.Add(-1)
	p.publish()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	p.wait(head, true)
	defer p.letGo()
	for cursor := uint64(0); cursor < cursorEnd; {
		var err error
		if cursor, err = p.gather(head, cursor, maxWhole); err != nil {
			return false, err
		}
	}
	any := false
	late := slices.ContainsFunc(p.gathered[head.fields], func(f *entry) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		p.ready(f, true)
		s := f.whole(p.e.id)
		own := s.Contribution(p.e.id)
		if own == nil || !s.Live(own) {
			return false
		}
		any = true
		return own.Last >= tlv.Stamp(x.At)<<tlv.StampShift
	})
	return any && !late, nil
}
