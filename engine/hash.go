package engine

import (
	"slices"
	"time"

	"atomiccounter/tlv"
)

// Locks of hashes. A command on one field holds the head shared, then the field as a command on a key does; one on several
// fields holds the head exclusively, and each field only while it reads or changes it. The holder of a field's lock waits for no
// other, so to wait for it is safe while a head is held. A load waits for foreign data that is just arriving, and that for
// entries: so nothing is held when a field is loaded.

// headOf gives the head of a hash, locked at least as asked; nil: there is nothing to read.
func (p *Pipeline) headOf(key []byte, i intent, m mode) (*entry, error) {
	if i == toRedo {
		m = exclusive
	}
	e, err := p.lock(key, m)
	switch {
	case err != nil:
		return nil, err
	case i == toRedo:
		p.e.makeHead(e)
		return e, nil
	case e.is(there) && !e.due(p.now()):
		return nil, ErrWrongType
	case i == toAdd || i == toEdit:
		return p.headToWrite(e, key)
	case e.size() == 0 || e.due(p.now()):
		p.tellsFields(e)
		return nil, nil
	}
	return e, nil
}

// headToWrite gives the head ready for a new field: what is expired or left over is cancelled first.
func (p *Pipeline) headToWrite(e *entry, key []byte) (*entry, error) {
	if e.size() > 0 && e.is(carrying) && !e.due(p.now()) {
		return e, nil
	}
	e, err := p.lockFor(key, toEdit)
	if err != nil {
		return nil, err
	}
	p.prepare(e)
	if e.is(there) {
		return nil, ErrWrongType
	}
	p.e.makeHead(e)
	p.carryFields(e)
	return e, nil
}

// lockField gives the entry of a field, loaded, locked at least as asked, and its head locked; nil: there is nothing to
// read. taken says that the lock was not held before.
func (p *Pipeline) lockField(key, field []byte, i intent, m mode) (f *entry, taken bool, err error) {
	if !fitsField(key, field) {
		return nil, false, ErrKeyTooLong
	}
	var pinned *entry
	for patient := false; ; {
		head, err := p.headOf(key, i, shared)
		if head == nil || err != nil {
			unpinOne(pinned)
			return nil, false, err
		}
		n := p.fieldName(key, field)
		if f = p.e.table.find(n); f == nil {
			unpinOne(pinned)
			if pinned, err = p.loadField(head, n); err != nil {
				return nil, false, err
			}
			continue
		}
		if p.holds(f, m) {
			unpinOne(pinned)
			return f, false, nil
		}
		if !p.tryEntry(f, m) {
			if !patient { // it may be this pipeline that holds it
				p.publish()
				patient = true
				continue
			}
			p.wait(f, m)
		}
		if !f.is(gone) {
			break
		}
		p.unlockLast()
	}
	unpinOne(pinned)
	f.use.note()
	return f, true, nil
}

func fitsField(key, field []byte) bool {
	return 1+fieldPrefix(key)+len(field) <= tlv.MaxKey
}

func unpinOne(e *entry) {
	if e != nil {
		e.pins.Add(-1)
	}
}

// fieldName is the name of a field, until the next one is asked for.
func (p *Pipeline) fieldName(key, field []byte) name {
	p.name = tlv.AppendFieldName(p.name[:0], key, field)
	return p.e.name(tlv.FieldByte(p.DB), p.name)
}

// loadField brings a field into the cache, pinned. It lets go of all locks.
func (p *Pipeline) loadField(head *entry, n name) (*entry, error) {
	defer p.delayed(time.Now())
	head.pins.Add(1)
	defer head.pins.Add(-1)
	p.publish()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	return p.bringIn(head, n)
}

// bringIn gives the entry of a field, loaded and pinned. Its head is pinned or locked, and the caller holds loads: foreign
// data that arrives meanwhile marks the placeholder stale.
func (p *Pipeline) bringIn(head *entry, n name) (*entry, error) {
	e := p.e
	for {
		if f := e.table.find(n); f != nil {
			if f.pin() {
				return f, nil
			}
			continue
		}
		f := newEntry(n, head.fields())
		f.use.begin(inSeconds(p.now()))
		f.mu.Lock()
		if e.table.insert(f) != f {
			f.mu.Unlock()
			continue
		}
		e.table.misses.Add(1)
		e.openState(f)
		err := p.fill(f)
		if err != nil {
			e.table.remove(f)
		}
		f.pins.Add(1)
		e.unlockState(f)
		e.table.evict(n.hash, e.cuts.flushed.Load(), e.forget)
		return f, err
	}
}

// pin keeps e in the cache, unless it is gone already.
func (e *entry) pin() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.is(gone) {
		return false
	}
	e.pins.Add(1)
	return true
}

// left says whether e is gone, for a caller that has only pinned it.
func (e *entry) left() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.is(gone)
}

// lockFields locks a hash exclusively and gives the entries of fields, loaded and pinned: no command changes them meanwhile.
// nil: there is nothing to read. The caller unpins them.
func (p *Pipeline) lockFields(key []byte, names [][]byte, i intent) (head *entry, list []*entry, err error) {
	for _, name := range names {
		if !fitsField(key, name) {
			return nil, nil, ErrKeyTooLong
		}
	}
	for {
		head, err := p.headOf(key, i, exclusive)
		if head == nil || err != nil {
			unpin(list)
			return nil, nil, err
		}
		if len(list) == len(names) {
			if !slices.ContainsFunc(list, (*entry).left) { // while the head was made ready, see errGone
				return head, list, nil
			}
			unpin(list)
		}
		if list = p.cachedFields(key, names); list != nil {
			return head, list, nil
		}
		if list, err = p.loadFields(head, key, names); err != nil {
			return nil, nil, err
		}
	}
}

// cachedFields gives the entries of fields, pinned, if all are in the cache.
func (p *Pipeline) cachedFields(key []byte, names [][]byte) []*entry {
	list := make([]*entry, 0, len(names))
	for _, name := range names {
		f := p.e.table.find(p.fieldName(key, name))
		if f == nil || !f.pin() {
			unpin(list)
			return nil
		}
		list = append(list, f)
	}
	return list
}

// loadFields brings fields into the cache, pinned. It lets go of all locks.
func (p *Pipeline) loadFields(head *entry, key []byte, names [][]byte) (list []*entry, err error) {
	head.pins.Add(1)
	defer head.pins.Add(-1)
	p.publish()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	for _, name := range names {
		f, err := p.bringIn(head, p.fieldName(key, name))
		if err != nil {
			unpin(list)
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}
