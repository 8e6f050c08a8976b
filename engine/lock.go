package engine

import (
	"bytes"
	"slices"
	"time"
)

type hold struct {
	e         *entry
	exclusive bool
	adding    bool // counted in e.adding
}

func (h hold) unlock() {
	if h.exclusive {
		h.e.mu.Unlock()
	} else {
		h.e.mu.RUnlock()
	}
}

// lock gives the key's entry, loaded, locked at least as asked.
func (p *Pipeline) lock(key []byte, exclusive bool) (*entry, error) {
	return p.lockIn(p.DB, key, exclusive)
}

// lockIn is lock for a key that begins with the byte first, which says its space and database.
func (p *Pipeline) lockIn(first byte, key []byte, exclusive bool) (*entry, error) {
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
			hash := p.e.hash(key)
			if e = p.e.table.find(hash, first, key); e == nil {
				e, err := p.load(hash, first, key)
				if e != nil || err != nil {
					return e, err
				}
				continue
			}
		}
		if n := len(p.held); n > 0 && p.held[n-1].e == e && (p.held[n-1].exclusive || !exclusive) && !e.gone {
			p.hint, p.use.last = e, e
			return e, nil
		}
		p.lockEntry(e, exclusive)
		if !e.gone {
			e.use.note()
			p.hint, p.use.last = e, e
			return e, nil
		}
		p.unlockLast()
	}
}

func (p *Pipeline) lockEntry(e *entry, exclusive bool) {
	if len(p.held) > 0 {
		if p.tryEntry(e, exclusive) {
			return
		}
		p.publish()
	}
	p.wait(e, exclusive)
}

func (p *Pipeline) wait(e *entry, exclusive bool) {
	switch {
	case exclusive:
		if !e.mu.TryLock() {
			p.delayedBy(e.mu.Lock)
		}
	case !e.mu.TryRLock():
		p.delayedBy(e.mu.RLock)
	}
	p.held = append(p.held, hold{e: e, exclusive: exclusive})
}

func (p *Pipeline) unlockLast() {
	h := p.held[len(p.held)-1]
	p.held = p.held[:len(p.held)-1]
	h.unlock()
}

// load brings a key into the table. A placeholder, locked, goes in before the database is read: whoever else wants the
// key waits for it, and foreign data that arrives meanwhile marks it stale. It returns nil, nil if another was faster.
func (p *Pipeline) load(hash uint64, first byte, key []byte) (*entry, error) {
	defer p.delayed(time.Now())
	p.publish() // a read of the disk holds up nobody else's keys
	e := newEntry(hash, first, key)
	e.use.begin(inSeconds(p.now()))
	e.mu.Lock()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	if p.e.table.insert(e) != e {
		e.mu.Unlock()
		return nil, nil
	}
	p.e.table.misses.Add(1)
	if err := p.fill(e); err != nil {
		p.e.table.remove(e)
		e.mu.Unlock()
		return nil, err
	}
	p.held = append(p.held, hold{e: e, exclusive: true})
	p.e.table.evict(hash, p.e.cuts.flushed.Load(), p.e.forget)
	return e, nil
}

// fill reads what is stored of a placeholder, which is nothing if a section has wiped its database.
func (p *Pipeline) fill(e *entry) error {
	if p.isWiped(database(e.key)) {
		e.refreshed = p.e.Now()
		p.e.show(e)
	} else if err := p.e.read(e); err != nil {
		return err
	}
	switch {
	case isField(e.key):
		e.watched = true // its hash may be: see touch
	default:
		e.watched = p.e.watches.has(e.key)
		if e.fields != nil {
			e.fields.watched.Store(e.watched)
		}
	}
	return nil
}

// exclusive gives the key's entry locked exclusively, rolled into the present generation and settled, with all that has
// arrived if fresh is asked or its period is over.
func (p *Pipeline) exclusive(key []byte, fresh bool) (*entry, error) {
	e, err := p.lock(key, true)
	if err != nil {
		return nil, err
	}
	p.ready(e, fresh)
	return e, nil
}

func (p *Pipeline) ready(e *entry, fresh bool) {
	if e.gen != 0 && e.gen != p.e.cuts.gen.Load() {
		p.e.roll(e)
	}
	e.settle()
	if e.incoming() != nil && (fresh || !e.exists || e.due(p.now()) || p.periodOver(e)) {
		p.e.takeIn(e)
	}
}

// shared gives the key's entry for reading, with all that has arrived if fresh is asked or its period is over.
func (p *Pipeline) shared(key []byte, fresh bool) (*entry, error) {
	e, err := p.lock(key, false)
	if err != nil {
		return nil, err
	}
	if e.stale.Load() && (fresh || p.periodOver(e)) {
		if e, err = p.exclusive(key, true); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (p *Pipeline) periodOver(e *entry) bool {
	period := p.update
	if period < 0 {
		period = p.e.stale.period.Load()
	}
	return period == 0 || p.now()-e.refreshed >= period || p.now() < e.refreshed
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

// lockAll locks the keys, loaded, all at the same time; what the pipeline held before it lets go of. Here alone a
// pipeline waits for a lock while it holds others: the keys are in order, so nobody waits in a circle. Meanwhile the
// entries are pinned, or the load of one could evict another for ever.
func (p *Pipeline) lockAll(keys [][]byte, exclusive bool) (map[string]*entry, error) {
	list, err := p.pinAll(keys, exclusive)
	defer unpin(list)
	if err != nil {
		return nil, err
	}
	p.waitAll(list, exclusive)
	return byName(list), nil
}

// waitAll locks pinned entries, in order. Where all that has arrived is to show, nothing arrives meanwhile: of a batch of a peer all of
// the entries know, or none.
func (p *Pipeline) waitAll(list []*entry, exclusive bool) {
	if p.showsAll() {
		p.e.loads.RLock()
		defer p.e.loads.RUnlock()
	}
	for _, e := range list {
		p.wait(e, exclusive)
	}
}

// pinAll gives the entries of the keys, loaded and pinned, each once and in order. It lets go of all locks. After an error
// what it gives is pinned too.
func (p *Pipeline) pinAll(keys [][]byte, exclusive bool) (list []*entry, err error) {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, bytes.Compare)
	sorted = slices.CompactFunc(sorted, bytes.Equal)
	p.publish()
	for _, key := range sorted { // load what is cold while nothing is held
		e, err := p.lock(key, exclusive)
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
		m[e.key[1:]] = e
	}
	return m
}

// anyLate says whether something has arrived for one of the entries that must show now.
func (p *Pipeline) anyLate(list map[string]*entry) bool {
	for _, e := range list {
		if e.stale.Load() && p.periodOver(e) {
			return true
		}
	}
	return false
}

// holds says whether e is locked by one of the last two commands, at least as asked.
func (p *Pipeline) holds(e *entry, exclusive bool) bool {
	for i := max(0, len(p.held)-4); i < len(p.held); i++ {
		if h := p.held[i]; h.e == e && (h.exclusive || !exclusive) {
			return true
		}
	}
	return false
}

// tryEntry locks e if nobody has to be waited for.
func (p *Pipeline) tryEntry(e *entry, exclusive bool) bool {
	if exclusive && !e.mu.TryLock() || !exclusive && !e.mu.TryRLock() {
		return false
	}
	p.held = append(p.held, hold{e: e, exclusive: exclusive})
	return true
}
