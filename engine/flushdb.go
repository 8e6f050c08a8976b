package engine

import (
	"cmp"
	"errors"
	"runtime/debug"
	"slices"

	"atomiccounter/engine/state"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// FlushDB cancels every key of the selected database, and forgets its tokens.
func (p *Pipeline) FlushDB() error { return p.flushDBs(p.DB) }

// FlushAll cancels every key of all databases.
func (p *Pipeline) FlushAll() error {
	var all []byte
	for db := range byte(Databases) {
		all = append(all, db)
	}
	return p.flushDBs(all...)
}

func (p *Pipeline) flushDBs(dbs ...byte) error {
	if err := p.writable(0); err != nil {
		return err
	}
	p.quiet = true
	defer func() { p.quiet = false }()
	if p.section.open {
		p.section.emptied = true
		return p.wipe(dbs)
	}
	p.pause()
	defer p.e.reportAll()
	if err := p.wipeAtOnce(dbs); !errors.Is(err, ErrSectionFull) {
		return err
	}
	before := p.changes
	err := p.partly(p.cancelDBs(dbs), before)
	p.e.noteEmptied(dbs) // beyond what a flush meanwhile may have dropped
	return err
}

// wipeAtOnce empties the databases in a section of their own, so that all is seen and kept, or nothing. All others wait for as long as
// that takes. ErrSectionFull: nothing has changed, because one frame does not hold what peers have to be told. It is asked before the
// section, too, so that no pipeline waits for that answer.
func (p *Pipeline) wipeAtOnce(dbs []byte) error {
	alone := p.e.askAlone()
	if !alone {
		if size, err := p.sizeOfDBs(dbs); err != nil || size > MaxSection {
			return cmp.Or(err, ErrSectionFull)
		}
	}
	if err := p.Begin(alone); err != nil {
		return err
	}
	defer p.pause() // others have waited long enough
	defer p.End()
	if err := p.Writable(); err != nil {
		return err
	}
	return p.wipe(dbs)
}

// noteEmptied has the next flush drop what is left of the databases in the cache.
func (e *Engine) noteEmptied(dbs []byte) {
	for _, db := range dbs {
		e.table.emptied.Or(1 << db)
	}
}

// cancelDBs cancels what is observed of the databases, one key after another.
func (p *Pipeline) cancelDBs(dbs []byte) error {
	selected := p.DB
	defer func() { p.DB = selected }()
	for _, db := range dbs {
		p.DB = db
		if err := errors.Join(p.cancelKeys(), p.cancelTokens()); err != nil {
			return err
		}
	}
	return nil
}

// dropEmptied takes out of the cache what FlushDB and FlushAll have left empty there, now that it is flushed: else each later one would
// visit it again.
func (c *committer) dropEmptied(dbs uint32) {
	if dbs == 0 {
		return
	}
	before := c.e.table.bytes.Load()
	of := func(en *entry) bool { return dbs&(1<<database(en.key())) != 0 && en.blank() }
	flushed := c.e.cuts.flushed.Load()
	c.e.table.drop(flushed, c.e.forget, func(en *entry) bool { return isField(en.key()) && of(en) })
	c.e.table.drop(flushed, c.e.forget, of) // a head goes after its fields
	if before-c.e.table.bytes.Load() >= muchMemory && !c.e.health.closed.Load() {
		c.e.running.done.Go(debug.FreeOSMemory)
	}
}

// muchMemory is what is given back to the system at once, in bytes.
const muchMemory = 16 << 20

// wipe forgets a database: what is stored, and what is cached. No pipeline is active. Records that the expiry
// index keeps of it are found out of date by the sweeper.
func (t *commit) wipe(db byte) {
	c := t.c
	for _, en := range c.e.table.all() {
		if database(en.key()) != db {
			continue
		}
		c.e.lockState(en)
		en.state().Own, en.state().Foreign = tlv.Contribution{}, nil
		if en.state().Pending != nil {
			*en.state().Pending = state.Pending{}
		}
		en.mark(ownInFlight, false)
		en.setBooks(books{})
		en.mark(counted|countedEx, false)
		if en.fields() != nil { // some of them perhaps not cached
			en.fields().stored = 0
			en.fields().word.Store(0)
		}
		c.e.show(en)
		c.e.unlockState(en)
	}
	c.e.watches.wipe(db)
	c.e.counts.resized[db].Store(c.e.cuts.flushed.Load() + 1)
	c.count[db], c.countEx[db] = 0, 0
	c.e.counts.keys[db].Store(0)
	c.e.counts.expires[db].Store(0)
	for _, k := range [][2]byte{{store.StatePrefix, db}, {store.StatePrefix, tlv.FieldByte(db)}, {store.StatePrefix, tlv.TokenByte(db)}, {store.FieldsPrefix, db}} {
		t.deleteAll(k[:]...)
	}
}

// cancelKeys cancels what is observed of every key of the selected database, due or not, a page at a time.
func (p *Pipeline) cancelKeys() error {
	var page [][]byte
	for cursor := uint64(0); ; {
		page = page[:0]
		next, err := p.scanAt(beforeAll, cursor, 1000, func(key []byte, _ Type) { page = append(page, slices.Clone(key)) })
		if err != nil {
			return err
		}
		if _, err := p.Del(page); err != nil {
			return err
		}
		p.pause()
		if next == 0 {
			return nil
		}
		cursor = next
	}
}
