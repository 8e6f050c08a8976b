package engine

import (
	"slices"
	"sync/atomic"

	"atomiccounter/engine/broadcast"
	"atomiccounter/tlv"
)

// News is closed when Vector grows next, or never will, because the engine has failed or is closed. Ask for it before looking.
func (e *Engine) News() <-chan struct{} { return e.published.news.Next() }

// Vector says up to which batch of each replica, this one included, everything is stored and synced. The caller only reads it.
func (e *Engine) Vector() tlv.Vector {
	if v := e.published.durable.Load(); v != nil {
		return *v
	}
	return nil
}

// Seen is a vector that covers everything that shows here now: a replica whose Vector covers it has all of that. What is
// pending here it covers by a stamp of the present generation, which the next batch exceeds. Call Hurry if a client waits.
// The life of its own entry is the present one, for Attainable.
//
// It syncs the journal in all modes. Otherwise a power failure could take what the vector covers, and no replica could tell: a batch of the life
// after it has a greater stamp.
//
// It lets go of the pipeline's locks first. A store that awaits its peers waits for them, because it may yet get another ID: no other
// pipeline of the caller's is active. ErrBusy comes if the pipeline is hasty.
func (p *Pipeline) Seen() (tlv.Vector, error) {
	p.pause()
	e := p.e
	_ = e.awaitPeers()                // what a closed engine has seen does not matter
	if err := p.enter(); err != nil { // no cut
		return nil, err
	}
	own := tlv.VectorEntry{Replica: e.self.id, Stamp: tlv.Stamp(e.cuts.last.Load()), Life: e.Life()}
	if e.pace.dirtied.Load() {
		own.Stamp = e.clock.next(e.Now())
	}
	p.pause()
	var v tlv.Vector
	if shown := e.published.shown.Load(); shown != nil {
		v = slices.Clone(*shown)
	}
	if own.Stamp != 0 {
		v.Put(own)
	}
	return v, e.journal.Sync()
}

// Written is a stamp that this replica's entry of Vector reaches when all that this pipeline has committed is in the
// database and on its way to peers. 0: it has written nothing. It waits as Seen does, and lets go of the pipeline's locks.
// In a section it does neither.
func (p *Pipeline) Written() (tlv.Stamp, error) {
	p.pause()
	wrote := p.wrote
	if len(p.buf) > 0 { // of a section
		wrote = p.e.cuts.gen.Load()
	}
	if wrote == 0 {
		return 0, nil
	}
	if !p.section.open {
		_ = p.e.awaitPeers()
	}
	if err := p.enter(); err != nil { // no cut
		return 0, err
	}
	defer p.pause()
	if wrote == p.e.cuts.gen.Load() {
		return p.e.clock.next(p.e.Now()), nil
	}
	return tlv.Stamp(p.e.cuts.last.Load()), nil
}

// Hurry has the next flush begin soon: a client waits for it.
func (e *Engine) Hurry() {
	e.pace.hurry.give()
}

// published is what peers may have.
type published struct {
	durable atomic.Pointer[tlv.Vector] // vector as it is committed and synced
	shown   atomic.Pointer[tlv.Vector] // vector of what shows, a moment before it is synced
	news    broadcast.Signal
}
