package engine

import (
	"errors"
	"fmt"

	"atomiccounter/tlv"
)

// ErrPartly goes with another error of a command on many fields or keys: those that had their turn before it are gone. To call it
// again does the rest.
var ErrPartly = errors.New("a part of it is done")

// What takes a hash away as a whole, DEL, SET or its expiry, cancels every field as observed. The fields are brought into the
// cache for that, and their head is locked, so that no command is in the middle of any. The pipeline that brings them in holds loads
// before the head's lock: foreign data, which takes loads exclusively, then locks entries.

// maxWhole is up to how many fields go at one moment and in one frame of the journal. Of a greater hash the first go a
// page at a time, because a flush has to come in between.
const maxWhole = 10_000

// takesFields says whether a command with an intent takes the fields of e away.
func (p *Pipeline) takesFields(e *entry, i intent) bool {
	return i != toRead && e.size() > 0 && (i == toCancel || e.due(p.now()))
}

// errGone: a pinned entry is not in the cache any more. While a pipeline lets go of its guard the store may get another ID, and
// begins with an empty cache then: a pipeline that lets go of it looks at what it has pinned again.
var errGone = errors.New("the cache was emptied")

// gatherAll lets go of all locks and of the guard, and locks the entries anew, which are pinned and in the order of their keys, with
// their fields gathered where those are to be taken. errGone: one of them is gone.
func (p *Pipeline) gatherAll(list []*entry, i intent) (err error) {
	if i == toCancel { // otherwise what goes shows no more
		defer func(before uint64) { err = p.partly(err, before) }(p.changes)
	}
	for round := 0; ; round++ {
		p.publish()
		for _, e := range list {
			if p.section.open { // which is one frame, whatever its size
				break
			}
			if err := p.cancelPages(e, i, maxWhole/int64(len(list))); err != nil {
				return err
			}
		}
		if err := p.enter(); err != nil {
			return err
		}
		done, err := p.tryGather(list, i, round > 2 || p.section.open)
		if err != nil || done {
			return err
		}
	}
}

// partly makes err an ErrPartly too if something has changed since there were so many changes.
func (p *Pipeline) partly(err error, before uint64) error {
	if err == nil || p.changes == before || errors.Is(err, ErrPartly) {
		return err
	}
	return fmt.Errorf("%w: %w", err, ErrPartly)
}

// tryGather gives up if there are too many fields, which came meanwhile.
func (p *Pipeline) tryGather(list []*entry, i intent, anyway bool) (done bool, err error) {
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	n := int64(0)
	for _, e := range list {
		p.wait(e, exclusive)
		if e.is(gone) {
			return false, errGone
		}
		if p.takesFields(e, i) {
			n += e.size()
		}
	}
	if n > 2*maxWhole && !anyway {
		return false, nil
	}
	for _, e := range list {
		if !p.takesFields(e, i) {
			continue
		}
		for cursor := uint64(0); cursor < cursorEnd; {
			if cursor, err = p.gather(e, cursor, maxWhole); err != nil {
				return false, err
			}
			if p.gathered.bytes > pageBytes && !p.section.open { // these go first
				p.cancelGathered(e)
				p.publish()
				return false, nil
			}
		}
	}
	if p.section.open {
		return true, p.admit(p.gatheredSize())
	}
	return true, nil
}

// gathered are the fields of hashes that are pinned until the locks are let go of, to be taken away with them.
type gathered struct {
	of    map[*fields][]*entry
	bytes int // memory that they take
}

// gatheredSize is what it takes to say that all that is gathered is cancelled, in bytes.
func (p *Pipeline) gatheredSize() (n int) {
	for _, list := range p.gathered.of {
		for _, f := range list {
			n += p.e.cancelSize() + len(f.key())
		}
	}
	return n
}

// gather brings fields of a hash into the cache and pins them, from cursor on: those among about so many that are stored.
// The caller holds the head exclusively and loads.
func (p *Pipeline) gather(head *entry, cursor uint64, most int) (next uint64, err error) {
	page, next, err := p.fieldPage(head, cursor, most)
	if err != nil {
		return 0, err
	}
	if p.gathered.of == nil {
		p.gathered.of = make(map[*fields][]*entry)
	}
	for i := range page {
		f, err := p.bringIn(head, name{tlv.FieldByte(database(head.key())), []byte(page[i].name), page[i].hash})
		if err != nil {
			return 0, err
		}
		p.gathered.of[head.fields()] = append(p.gathered.of[head.fields()], f)
		f.mu.RLock()
		p.gathered.bytes += int(f.memory())
		f.mu.RUnlock()
		if i+1 < len(page) && p.gathered.bytes > pageBytes && page[i+1].hash>>cursorShift != page[i].hash>>cursorShift {
			return page[i+1].hash >> cursorShift, nil
		}
	}
	return next, nil
}

// unpinGathered unpins what was gathered.
func (p *Pipeline) unpinGathered() {
	if len(p.gathered.of) == 0 {
		return
	}
	for _, list := range p.gathered.of {
		unpin(list)
	}
	clear(p.gathered.of)
	p.gathered.bytes = 0
}

func unpin(list []*entry) {
	for _, f := range list {
		f.pins.Add(-1)
	}
}

// cancelPages takes the fields of a large hash away a page at a time, until no more than leave are left. e is pinned, and no lock
// is held.
func (p *Pipeline) cancelPages(e *entry, i intent, leave int64) error {
	for cursor := uint64(0); cursor < cursorEnd; {
		if err := p.writable(0); err != nil {
			return err
		}
		next, err := p.cancelPage(e, i, leave, cursor)
		p.pause() // a flush may come in between
		if err != nil {
			return err
		}
		p.e.table.trim(p.e.cuts.flushed.Load(), p.e.forget)
		cursor = next
	}
	return nil
}

func (p *Pipeline) cancelPage(e *entry, i intent, leave int64, cursor uint64) (next uint64, err error) {
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	p.wait(e, exclusive)
	if e.is(gone) || e.size() <= leave || !p.takesFields(e, i) {
		return cursorEnd, nil
	}
	next, err = p.gather(e, cursor, maxWhole)
	if err == nil {
		p.cancelGathered(e)
	}
	return next, err
}

// cancelGathered takes the gathered fields of a hash away.
func (p *Pipeline) cancelGathered(head *entry) {
	for _, f := range p.gathered.of[head.fields()] {
		p.e.lockState(f)
		p.ready(f, everything)
		p.cancel(f)
		p.e.unlockState(f)
	}
}

// cancelAll takes away all that is observed of the key, with the fields that lockFor has gathered.
func (p *Pipeline) cancelAll(e *entry) {
	expired := !e.is(there) && e.size() > 0 && e.due(p.now())
	if len(p.gathered.of) > 0 && e.isHead() {
		p.cancelGathered(e)
	}
	p.cancel(e)
	if expired {
		p.e.sweeps.expired.Add(1)
		p.report(e, Expired)
	}
}
