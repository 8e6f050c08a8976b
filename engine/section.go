package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A section is what MULTI and EXEC, or a script, do: from Begin to End this pipeline is the only one that runs, and what it
// did is in one frame of the journal, which holds whole or not at all, and part of one batch.
//
// Locks. A section holds every guard, as a cut does; a pipeline that is in the middle of something is done before. What runs on are
// the parts of the engine that need no guard: a flush that writes, a scan, a sync. They lock an entry for a moment and wait for
// nothing meanwhile, so a section may wait for them. The holder of the commit lock may wait for the guards: a section must
// not wait for that lock, but only take it before the guards, or try. Nothing in a section lets go of the guards, or waits for a peer.
//
// To halt all others and to wake them takes longer than a small section. So after End the pipeline stays alone for what it does until
// Commit, if that is not long: the next section of its round begins at once, and shares the frame.
//
// A command of a section that is refused or fails leaves the others as they are: that is what Redis does.

// Errors of sections.
var (
	ErrInSection   = errors.New("not possible in a transaction or a script")
	ErrSectionFull = errors.New("the transaction or script writes more than 64 MiB")
)

// MaxSection is what a section may write, in bytes of the journal.
const MaxSection = 64 << 20

// aloneFor is how long a pipeline stays alone after a section.
const aloneFor = 200 * time.Microsecond

// section is a pipeline's own; the zero value: none.
type section struct {
	alone bool      // the pipeline has the admission and all guards: from Begin on, until it pauses after End
	since time.Time // of alone
	room  int       // bytes that the journal has for the frame

	open    bool       // what follows is of a section between Begin and End
	commits *committer // of a section that has the commit lock, else nil
	single  bool       // of one command that began it itself
	refused error      // why there are no writes; the same for all of the section
	wiped   uint16     // databases of which nothing that is stored shows
	wipes   *commit    // takes that away; nil: nothing
	emptied bool       // FlushDB or FlushAll was called
}

// Begin begins a section: it waits until no other pipeline is in the middle of anything, and keeps all others waiting until Commit, which
// must follow soon after End. wipes says that FlushDB or FlushAll will be called; without that they
// take the keys away one by one, and may find that too much. After an error there is no section.
func (p *Pipeline) Begin(wipes bool) error {
	e, s := p.e, &p.section
	if e == nil {
		return nil
	}
	if wipes || !s.alone || e.table.over() || e.pace.texts.Load() >= maxTexts {
		if err := p.halt(wipes); err != nil {
			return err
		}
	}
	p.publish()
	e.cuts.admission.open()
	s.open, s.refused = true, e.refusal()
	if e.health.closed.Load() {
		p.End()
		p.pause()
		return ErrClosed
	}
	return nil
}

// halt journals what the commands so far did, and makes the pipeline the only one.
func (p *Pipeline) halt(wipes bool) error {
	p.pause()
	e := p.e
	if e.table.over() {
		e.flushExcess()
	}
	if e.pace.texts.Load() >= maxTexts {
		e.flushTexts()
	}
	c, err := p.enterSection(wipes)
	if err != nil {
		return err
	}
	e.cuts.halt()
	p.section = section{alone: true, since: time.Now(), commits: c}
	p.active = true
	return nil
}

// beginGreat begins a section for one command that writes about n bytes, if a segment may not have room for them, and says whether it has:
// then room can be had before anything is changed, and nobody else uses it.
func (p *Pipeline) beginGreat(n int) (own bool, err error) {
	if p.section.open || n <= p.e.options.segment/2 {
		return false, nil
	}
	if err := p.Begin(false); err != nil {
		return false, err
	}
	p.section.single = true
	return true, nil
}

// enterSection has the section admitted, and takes the commit lock before it if the section wipes. Sections that have waited there together may each leave
// as much to flush as one flush is to write: the next one enters when that is flushed.
func (p *Pipeline) enterSection(wipes bool) (*committer, error) {
	e := p.e
	if wipes {
		c, err := e.committer.enter(&e.cuts.admission, p.Hasty) // before entering: who has it may be on the way there
		if err != nil {
			return nil, err
		}
		_ = c.awaitTables() // the section's own refusal says as much
		if err := e.cuts.admission.enter(p.Hasty); err != nil {
			c.unlock()
			return nil, err
		}
		return c, nil
	}
	for flushed := true; ; flushed = e.flushTexts() {
		if err := e.cuts.admission.enter(p.Hasty); err != nil {
			return nil, err
		}
		if !flushed || e.pace.texts.Load() < maxTexts {
			return nil, nil
		}
		e.cuts.admission.leave()
	}
}

// End ends the section. What Commit gives later includes it: the replies may not be sent before.
func (p *Pipeline) End() {
	if p.e == nil {
		return
	}
	s := p.section
	p.section = section{alone: true, since: s.since, room: s.room}
	p.publish()
	p.e.cuts.admission.close()
	switch {
	case s.commits != nil:
		p.err = errors.Join(p.err, p.endWipe(&s))
	case s.single || s.emptied || time.Since(s.since) > aloneFor:
		p.pause()
	}
	if s.emptied {
		p.e.reportAll()
	}
}

// endWipe ends a section that has the commit lock.
func (p *Pipeline) endWipe(s *section) error {
	err := p.append()
	if s.wipes != nil {
		err = errors.Join(err, p.commitWipe(s.wipes))
	}
	p.resume()
	if s.wipes != nil && err == nil {
		// What arrives from now on must not be taken away by a replay: the mark has to be behind the wipe first.
		err = s.commits.flushMark()
	}
	s.commits.unlock()
	p.e.cuts.admission.leave()
	return err
}

// resume lets all others go on, but no section begin.
func (p *Pipeline) resume() {
	p.clock, p.active, p.section = 0, false, section{}
	p.e.cuts.resume()
}

// Writable says why there can be no writes at present, or nil. In a section it holds for all of it.
func (p *Pipeline) Writable() error {
	if p.section.open {
		return p.section.refused
	}
	return p.e.refusal()
}

// admit says whether a command of a section may write about n bytes beside keys and numbers. What does not fit into the
// journal is refused before it acts: at End that would fail the engine.
func (p *Pipeline) admit(n int) error {
	if p.section.refused != nil {
		return p.section.refused
	}
	need := len(p.buf) + n + p.e.options.segment/64 // what one command writes of keys and numbers, about
	switch {
	case need > MaxSection && !p.section.single:
		return ErrSectionFull
	case need <= p.section.room:
		return nil
	}
	room, err := p.e.journal.Reserve(need)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	p.section.room = room
	return nil
}

// wipe is FlushDB and FlushAll in a section.
func (p *Pipeline) wipe(dbs []byte) error {
	p.pause() // the locks of keys
	s := &p.section
	if s.commits == nil {
		s.commits = p.e.committer.tryLock()
	}
	if s.commits == nil || !s.commits.alone() || s.commits.behind() {
		return p.cancelWhole(dbs)
	}
	if s.wipes == nil {
		s.wipes = s.commits.begin(0)
	}
	p.e.noteEmptied(dbs)
	for _, db := range dbs {
		p.buf = appendFlush(p.buf, db)
		s.wiped |= 1 << db
		s.wipes.wipe(db)
	}
	return nil
}

// commitWipe makes the database forget what is wiped, once the journal says so for good: a crash between the two does it again.
func (p *Pipeline) commitWipe(t *commit) error {
	defer t.close()
	if err := p.e.journal.Sync(); err != nil {
		return p.e.fail(err)
	}
	if err := t.write(pebble.NoSync); err != nil {
		return p.e.fail(fmt.Errorf("flush of a database: %w", err))
	}
	return nil
}

func (p *Pipeline) isWiped(db byte) bool { return p.section.wiped&(1<<db) != 0 }

// cancelWhole cancels all keys of the databases in one frame, if they fit there.
func (p *Pipeline) cancelWhole(dbs []byte) error {
	size, err := p.sizeOfDBs(dbs)
	if err != nil {
		return err
	}
	if err := p.admit(size); err != nil {
		return err
	}
	p.e.noteEmptied(dbs)
	return p.cancelDBs(dbs)
}

func (p *Pipeline) sizeOfDBs(dbs []byte) (size int, err error) {
	selected := p.DB
	defer func() { p.DB = selected }()
	for _, db := range dbs {
		p.DB = db
		n, err := p.sizeOfDB()
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// sizeOfDB is what it takes to say that every key and token of the selected database is cancelled. Of the names of fields another
// look is had when they are known.
func (p *Pipeline) sizeOfDB() (size int, err error) {
	each := p.e.cancelSize()
	var hashes [][]byte
	if err := p.keysAt(beforeAll, func(key []byte, t Type) error {
		size += len(key) + each
		if t == TypeHash {
			hashes = append(hashes, slices.Clone(key))
		}
		return nil
	}); err != nil {
		return 0, err
	}
	for _, key := range hashes {
		n, err := p.Len(key)
		if err != nil {
			return 0, err
		}
		size += int(n) * (len(key) + each)
	}
	err = p.eachToken(func(page []string) error {
		for _, key := range page {
			size += len(key) + each
		}
		return nil
	})
	return size, err
}

// cancelSize is what it takes at most to say that a key is cancelled, beside the key: a reset for each replica.
func (e *Engine) cancelSize() int { return 40 + 32*len(e.Vector()) }

// sizeOf is what a command on many keys writes of them, about.
func (p *Pipeline) sizeOf(keys [][]byte) int {
	n := len(keys) * p.e.cancelSize()
	for _, key := range keys {
		n += 2 * len(key)
	}
	return n
}

// enterScan is Engine.enterScan; Close waits for a section.
func (p *Pipeline) enterScan() error {
	if p.section.open {
		p.e.scans.RLock()
		return nil
	}
	return p.e.enterScan()
}
