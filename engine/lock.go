package engine

import (
	"bytes"
	"slices"
	"time"

	"atomiccounter/engine/lockorder"
)

// mode is how an entry is locked.
type mode uint8

const (
	shared    mode = iota // to read it, or to add to it on the short way
	exclusive             // for all else
)

// hold is the lock of an entry that a pipeline has.
type hold struct {
	e      *entry
	mode   mode
	adding bool // counted in e.adding
}

func (p *Pipeline) unlock(h *hold) {
	if h.mode == exclusive {
		p.e.unlockState(h.e)
	} else {
		h.e.mu.RUnlock()
	}
}

// arrivals is how much of what has arrived a command has to see.
type arrivals uint8

const (
	inTime     arrivals = iota // what arrived before the last update period
	everything                 // all of it
)

// lock gives the key's entry, loaded, locked at least as asked.
func (p *Pipeline) lock(key []byte, m mode) (*entry, error) {
	return p.lockIn(p.DB, key, m)
}

// lockIn is lock for a key that begins with the byte first, which says its space and database.
func (p *Pipeline) lockIn(first byte, key []byte, m mode) (*entry, error) {
	if len(key) > MaxKey {
		return nil, ErrKeyTooLong
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	if p.e.health.closed.Load() && !p.section.open { // a section is waited for
		return nil, ErrClosed
	}
	for {
		e := p.expected(first, key)
		p.hint = nil
		if e == nil {
			n := p.e.name(first, key)
			if e = p.e.table.find(n); e == nil {
				e, err := p.load(n)
				if e != nil || err != nil {
					return e, err
				}
				continue
			}
		}
		if n := len(p.held); n > 0 && p.held[n-1].e == e && p.held[n-1].mode >= m && !e.is(gone) {
			p.hint, p.use.last = e, e
			return e, nil
		}
		p.lockEntry(e, m)
		if !e.is(gone) {
			e.use.note()
			p.hint, p.use.last = e, e
			return e, nil
		}
		p.unlockLast()
	}
}

func (p *Pipeline) lockEntry(e *entry, m mode) {
	if len(p.held) > 0 {
		if p.tryEntry(e, m) {
			return
		}
		p.publish()
	}
	p.wait(e, m)
}

func (p *Pipeline) wait(e *entry, m mode) {
	lockorder.MayWait(&e.mu)
	switch {
	case m == exclusive:
		if !e.mu.TryLock() {
			p.delayedBy(e.mu.Lock)
		}
		p.e.openState(e)
	case !e.mu.TryRLock():
		p.delayedBy(e.mu.RLock)
	}
	p.held = append(p.held, hold{e: e, mode: m})
}

func (p *Pipeline) unlockLast() {
	h := p.held[len(p.held)-1]
	p.held = p.held[:len(p.held)-1]
	p.unlock(&h)
}

// load brings a key into the table. A placeholder, locked, goes in before the database is read: another pipeline that wants the
// key waits for it, and foreign data that arrives meanwhile marks it stale. It returns nil, nil if another was faster.
func (p *Pipeline) load(n name) (*entry, error) {
	defer p.delayed(time.Now())
	p.publish() // a read of the disk holds up no other pipeline
	e := newEntry(n, nil)
	e.use.begin(inSeconds(p.now()))
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	e.mu.Lock()
	if p.e.table.insert(e) != e {
		e.mu.Unlock()
		return nil, nil
	}
	p.e.table.misses.Add(1)
	p.e.openState(e)
	if err := p.fill(e); err != nil {
		p.e.table.remove(e)
		e.mu.Unlock()
		return nil, err
	}
	p.held = append(p.held, hold{e: e, mode: exclusive})
	p.e.table.evict(n.hash, p.e.cuts.flushed.Load(), p.e.forget)
	return e, nil
}

// fill reads what is stored of a placeholder, which is nothing if a section has wiped its database.
func (p *Pipeline) fill(e *entry) error {
	if p.isWiped(database(e.key())) {
		e.rare.open.refreshed = p.e.Now()
		p.e.show(e)
	} else if err := p.e.read(e); err != nil {
		return err
	}
	switch {
	case isField(e.key()):
		e.mark(underWatch, true) // its hash may be: see breakWatches
	default:
		e.mark(underWatch, p.e.watches.has(e.key()))
		if f := e.fields(); f != nil {
			f.watched.Store(e.is(underWatch))
		}
	}
	return nil
}

// exclusive gives the key's entry locked exclusively, rolled into the present generation and folded, with all that has
// arrived if that is asked for or its period is over.
func (p *Pipeline) exclusive(key []byte, a arrivals) (*entry, error) {
	e, err := p.lock(key, exclusive)
	if err != nil {
		return nil, err
	}
	p.ready(e, a)
	return e, nil
}

func (p *Pipeline) ready(e *entry, a arrivals) {
	if e.is(pending) && e.gen != p.e.cuts.gen.Load() {
		p.e.roll(e)
	}
	e.fold()
	if e.state().Incoming() != nil && (a == everything || !e.is(there) || e.due(p.now()) || p.periodOver(e)) {
		p.e.mergeAndClose(e)
	}
}

func (p *Pipeline) periodOver(e *entry) bool {
	period := p.update
	if period < 0 {
		period = p.e.stale.period.Load()
	}
	return period == 0 || p.now()-e.refreshed() >= period || p.now() < e.refreshed()
}

// showsAll says that all that has arrived shows at the next access, and may come at any time: a section keeps it out.
func (p *Pipeline) showsAll() bool {
	return (p.update == 0 || p.update < 0 && p.e.stale.period.Load() == 0) && !p.section.open
}

// keepsOut takes loads, so that nothing arrives until the caller gives that back. false: something is just arriving. Then all locks of keys
// are let go of, which that may need, and it has come.
func (p *Pipeline) keepsOut() bool {
	if p.e.loads.TryRLock() {
		return true
	}
	p.publish()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	return false
}

// waitAll locks pinned entries, in order. Where all that has arrived is to show, nothing arrives meanwhile: of a batch of a peer all of
// the entries know, or none.
func (p *Pipeline) waitAll(list []*entry, m mode) {
	if p.showsAll() {
		p.e.loads.RLock()
		defer p.e.loads.RUnlock()
	}
	for _, e := range list {
		p.wait(e, m)
	}
}

// pinAll gives the entries of the keys, loaded and pinned, each once and in order. It lets go of all locks. After an error
// what it gives is pinned too.
func (p *Pipeline) pinAll(keys [][]byte, m mode) (list []*entry, err error) {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, bytes.Compare)
	sorted = slices.CompactFunc(sorted, bytes.Equal)
	p.publish()
	for _, key := range sorted { // load what is cold while nothing is held
		e, err := p.lock(key, m)
		if err != nil {
			return list, err
		}
		e.pins.Add(1)
		list = append(list, e)
		p.publish()
	}
	return list, nil
}

func byName(list []*entry) map[string]*entry {
	m := make(map[string]*entry, len(list))
	for _, e := range list {
		m[e.key()[1:]] = e
	}
	return m
}

// holds says whether e is locked by one of the last two commands, at least as asked.
func (p *Pipeline) holds(e *entry, m mode) bool {
	for i := max(0, len(p.held)-4); i < len(p.held); i++ {
		if h := p.held[i]; h.e == e && h.mode >= m {
			return true
		}
	}
	return false
}

// tryEntry locks e if that needs no wait.
func (p *Pipeline) tryEntry(e *entry, m mode) bool {
	if m == exclusive && !e.mu.TryLock() || m == shared && !e.mu.TryRLock() {
		return false
	}
	if m == exclusive {
		p.e.openState(e)
	}
	p.held = append(p.held, hold{e: e, mode: m})
	return true
}
