package engine

import (
	"errors"
	"slices"
	"time"
)

// How commands come to their keys. Each begins with one of the verbs of this file, which own what it could forget: whether there may be
// writes, the lock, what has arrived, what is expired or left over of an earlier life, and that there is room for what it writes. Incr and
// IncrField alone try the short way before.

// intent is what a command wants of a key.
type intent uint8

const (
	toRead   intent = iota // what there is
	toAdd                  // increments it; it comes into being if it has to
	toEdit                 // the same for a change that has to see all that has arrived
	toCancel               // takes all away that there is, the fields of a hash too
	toRedo                 // what the journal or a batch says of it, whatever shows
)

// arrivals is what a command with the intent has to see.
func (i intent) arrivals() arrivals {
	if i == toAdd {
		return inTime
	}
	return everything
}

// read gives the key's entry for reading, with all that has arrived if that is asked for or its period is over.
func (p *Pipeline) read(key []byte, a arrivals) (*entry, error) {
	e, err := p.lock(key, shared)
	if err != nil {
		return nil, err
	}
	if e.stale() && (a == everything || p.periodOver(e)) {
		if e, err = p.exclusive(key, everything); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// readAll gives the entries of the keys for reading, all at one moment. What the pipeline held before it lets go of. Here alone a
// pipeline waits for a lock while it holds others: the keys are in order, so no pipelines wait in a circle. Meanwhile the entries are pinned,
// or the load of one could evict another for ever.
func (p *Pipeline) readAll(keys [][]byte) (map[string]*entry, error) {
	list, err := p.pinAll(keys, shared)
	defer unpin(list)
	if err != nil {
		return nil, err
	}
	p.waitAll(list, shared)
	if slices.ContainsFunc(list, func(e *entry) bool { return e.stale() && p.periodOver(e) }) {
		return p.lockAll(keys, toRead)
	}
	return byName(list), nil
}

// change gives the key's entry for a change that writes about n bytes of text: exclusively locked, with what the intent has to see, and
// without what is over. An error says why there can be no write.
func (p *Pipeline) change(key []byte, i intent, n int) (*entry, error) {
	if err := p.writable(n); err != nil {
		return nil, err
	}
	e, err := p.lockFor(key, i)
	if err == nil {
		p.prepare(e)
	}
	return e, err
}

// changeAll is change for several keys at one moment, of which do is given the entries. What is written is about n bytes.
func (p *Pipeline) changeAll(keys [][]byte, i intent, n int, do func(list map[string]*entry) error) error {
	return p.writing(n, func() error {
		list, err := p.lockAll(keys, i)
		if err != nil {
			return err
		}
		for _, key := range keys {
			p.prepare(list[string(key)])
		}
		return do(list)
	})
}

// readField gives a field for reading, with all that has arrived if its period is over; nil: there is no such hash.
func (p *Pipeline) readField(key, field []byte) (*entry, error) {
	f, _, err := p.lockField(key, field, toRead, shared)
	if f != nil && err == nil && f.stale() && p.periodOver(f) {
		if f, _, err = p.lockField(key, field, toRead, exclusive); f != nil && err == nil {
			p.ready(f, everything)
		}
	}
	return f, err
}

// changeField is change for a field that is to be incremented. The caller has begun the write.
func (p *Pipeline) changeField(key, field []byte) (*entry, error) {
	f, _, err := p.lockField(key, field, toAdd, exclusive)
	if err != nil {
		return nil, err
	}
	p.ready(f, inTime)
	if !f.is(there) {
		p.announce(f.fields().head) // others that share the head see its number of fields
	}
	p.prepare(f)
	return f, nil
}

// changeFields is changeAll for fields of a hash. Their entries are pinned, and each is locked while it is visited.
func (p *Pipeline) changeFields(key []byte, names [][]byte, i intent, n int, do func(head *entry, list []*entry) error) error {
	return p.writing(n, func() error {
		head, list, err := p.lockFields(key, names, i)
		if head == nil || err != nil {
			return err
		}
		defer unpin(list)
		return do(head, list)
	})
}

// visit calls do with a field locked whose head the pipeline holds exclusively.
func (p *Pipeline) visit(f *entry, a arrivals, do func()) {
	p.e.lockState(f)
	defer p.e.unlockState(f)
	p.ready(f, a)
	p.tells(f)
	do()
}

// writing has do write about n bytes, in a section of its own if a segment of the journal may not have room for them.
func (p *Pipeline) writing(n int, do func() error) error {
	own, err := p.beginGreat(n)
	if err != nil {
		return err
	}
	if own {
		defer p.End()
	}
	if err := p.writable(n); err != nil {
		return err
	}
	return do()
}

// writable begins a write of about n bytes beside a key and numbers, or says why there can be none. If there are many texts to flush, it
// flushes them first.
func (p *Pipeline) writable(n int) error {
	if p.section.open {
		return p.admit(n)
	}
	if n > 0 && p.e.pace.texts.Load() >= maxTexts {
		p.pause()
		p.e.flushTexts()
	}
	if s := &p.section; s.alone && time.Since(s.since) > aloneFor {
		p.pause()
	}
	if p.active {
		if len(p.buf) > maxGathered {
			p.publish()
		}
		return p.e.refusal()
	}
	if p.e.table.over() {
		p.delayedBy(p.e.flushExcess)
	}
	if err := p.enter(); err != nil {
		return err
	}
	return p.e.refusal()
}

// prepare is what comes before every write: an expired key, or one of which only leftovers are stored, is cancelled first.
func (p *Pipeline) prepare(e *entry) {
	if !e.shown() || e.due(p.now()) {
		p.cancelAll(e)
	}
}

// lockFor gives the key's entry locked exclusively, with the fields gathered that a command with the intent takes away. It may let go of
// the guard.
func (p *Pipeline) lockFor(key []byte, i intent) (*entry, error) {
	for {
		p.unpinGathered()
		e, err := p.exclusive(key, i.arrivals())
		if err != nil || e.fields() == nil || !p.takesFields(e, i) {
			return e, err
		}
		e.pins.Add(1)
		err = p.gatherAll([]*entry{e}, i)
		e.pins.Add(-1)
		switch {
		case errors.Is(err, errGone):
			continue
		case err != nil:
			return nil, err
		}
		p.ready(e, i.arrivals())
		return e, nil
	}
}

// lockAll is lockFor for several keys, all at the same time and with all that has arrived.
func (p *Pipeline) lockAll(keys [][]byte, i intent) (map[string]*entry, error) {
	for {
		list, err := p.pinAll(keys, exclusive)
		if err == nil {
			err = p.lockPinned(list, i)
		}
		unpin(list)
		switch {
		case errors.Is(err, errGone):
			continue
		case err != nil:
			return nil, err
		}
		return byName(list), nil
	}
}

// lockPinned locks pinned entries for lockAll.
func (p *Pipeline) lockPinned(list []*entry, i intent) error {
	p.unpinGathered()
	p.waitAll(list, exclusive)
	if slices.ContainsFunc(list, func(e *entry) bool { return p.takesFields(e, i) }) {
		if err := p.gatherAll(list, i); err != nil {
			return err
		}
	}
	for _, e := range list {
		p.ready(e, everything)
	}
	return nil
}
