package engine

import (
	"runtime"

	"atomiccounter/tlv"
)

// What this file is for: a value that is told contains the increments of other pipelines, too. Were it told before those are
// in the journal, kill -9 would take them back, and the same number would be given out twice.

// told is what the replies since the last Commit depend on.
type told struct {
	pos         Position // of the last frame that the pipeline appended
	saw         bool     // they tell something that is perhaps not synced
	unjournaled []*entry // that were read while other pipelines had increments there that were not yet journaled
	unlocked    bool     // they tell something that was read without the lock that is kept until it is journaled
}

// tells notes what the replies depend on that tell something of e, which the pipeline holds. A clean entry shows what is in the
// database, synced.
func (p *Pipeline) tells(e *entry) {
	if e.adding.Load() != 0 {
		p.told.unjournaled = append(p.told.unjournaled, e)
	}
	if !p.told.saw && !e.clean(p.e.cuts.flushed.Load()) {
		p.told.saw = true
	}
}

// tellsFields is tells of the number of fields of a key, which changes under the locks of the fields.
func (p *Pipeline) tellsFields(e *entry) {
	if e.fields() != nil && e.fields().gen.Load() > p.e.cuts.flushed.Load() {
		p.told.saw = true
	}
}

// unsyncable says that nothing will be told any more that is not in the database: replies wait for the journal, which cannot be synced.
func (e *Engine) unsyncable() bool { return e.Sync() == Always && e.journal.Failed() != nil }

// announce counts the pipeline among those that have increments at e that are not yet journaled. release takes that back.
// A pipeline that holds e exclusively need not: no other can read it.
func (p *Pipeline) announce(e *entry) {
	for i := len(p.held) - 1; i >= 0; i-- {
		if h := &p.held[i]; h.e == e {
			if h.mode == shared && !h.adding {
				h.adding = true
				e.adding.Add(1)
			}
			return
		}
	}
}

// addAside is addFast for a pipeline whose frames give way: it takes the journal first, so that it has added nothing while it
// stands aside, and no other need wait for it.
func (p *Pipeline) addAside(e *entry, n int64) (v int64, err error) {
	ok := false
	pos, err := p.e.journal.AppendAside(func() []byte {
		e.adding.Add(1)
		if v, ok = e.addFast(n); !ok {
			return nil
		}
		p.changes++
		p.buf = appendAdd(p.buf, e.key(), n, 0, tlv.ZCounter, false)
		return p.buf
	})
	e.adding.Add(-1)
	if !ok {
		return 0, ErrOverflow
	}
	if err := p.appended(pos, err); err != nil {
		p.err = err
	}
	return v, nil
}

// awaitJournaled waits until everything of others that was read is journaled. The pipeline holds nothing, and has journaled its own.
func (p *Pipeline) awaitJournaled() {
	if p.told.unlocked {
		p.e.awaitRounds()
		p.told.unlocked = false
	}
	for i, e := range p.told.unjournaled {
		e.awaitAdds()
		p.told.unjournaled[i] = nil
	}
	p.told.unjournaled = p.told.unjournaled[:0]
	if cap(p.told.unjournaled) > 1<<10 {
		p.told.unjournaled = nil
	}
}

// awaitRounds waits until all pipelines have journaled what they did before it was called.
func (e *Engine) awaitRounds() {
	for i := range e.cuts.guards {
		e.cuts.guards[i].pass()
	}
}

// pass waits until no pipeline holds the guard that held it before.
func (g *guard) pass() {
	g.Lock()
	defer g.Unlock()
}

// A pipeline on another processor is done with its round in a few microseconds, so looking on is cheaper than to sleep. One
// that was interrupted takes longer: then others run.
const (
	awaitLooks  = 1000
	awaitYields = 4
)

// awaitAdds waits until all increments that the entry had when it was called are journaled. Often there is a moment without
// any others. Under a load without such moments it passes through the lock: the holder lets go when its increments are
// journaled, and those that come are behind it.
func (e *entry) awaitAdds() {
	for range awaitYields {
		for range awaitLooks {
			if e.adding.Load() == 0 {
				return
			}
		}
		runtime.Gosched()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
}
