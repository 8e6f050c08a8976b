package engine

import (
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

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
	if err := p.writable(); err != nil {
		return err
	}
	if p.section.open {
		return p.wipe(dbs)
	}
	p.pause()
	p.quiet = true
	defer func() {
		p.quiet = false
		p.e.reportAll()
	}()
	alone, err := p.e.wipeAlone(dbs)
	if alone || err != nil {
		return err
	}
	before := p.changes
	return p.partly(p.cancelDBs(dbs), before)
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

// wipeAlone empties the databases by range deletes, if no other replica ever had a part in the store.
func (e *Engine) wipeAlone(dbs []byte) (bool, error) {
	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if !e.alone() {
		return false, nil
	}
	if e.closed.Load() {
		return false, ErrClosed
	}
	if err := e.awaitTables(); err != nil {
		return false, err
	}
	return true, e.flush(flushStep{more: func(batch *pebble.Batch) error {
		for _, db := range dbs {
			if _, err := e.journal.Append(appendFlush(nil, db)); err != nil {
				return err
			}
			if err := e.wipe(batch, db); err != nil {
				return err
			}
		}
		return nil
	}})
}

// alone says that no other replica ever had a part in the store. The caller holds commitMu.
func (e *Engine) alone() bool {
	others := slices.ContainsFunc(e.vector, func(v tlv.VectorEntry) bool { return v.Replica != e.id })
	return !others && e.flags&metaLogging == 0
}

// wipe forgets a database: what is stored, by batch, and what is cached. No pipeline is active. Records that the expiry
// index keeps of it are found out of date by the sweeper.
func (e *Engine) wipe(batch *pebble.Batch, db byte) error {
	for _, en := range e.table.all() {
		if database(en.key) != db {
			continue
		}
		en.mu.Lock()
		en.own, en.foreign = tlv.Contribution{}, nil
		if en.pend != nil {
			*en.pend = pending{}
		}
		en.flightOwn = false
		en.setBooks(books{})
		en.stale.Store(false)
		en.counted, en.countedEx = false, false
		if en.fields != nil { // some of them perhaps not cached
			en.fields.stored = 0
			en.fields.word.Store(0)
		}
		e.show(en)
		en.mu.Unlock()
	}
	e.watches.wipe(db)
	e.count[db], e.countEx[db] = 0, 0
	e.keys[db].Store(0)
	e.expires[db].Store(0)
	for _, k := range [][2]byte{{statePrefix, db}, {statePrefix, tlv.FieldByte(db)}, {statePrefix, tlv.TokenByte(db)}, {fieldsPrefix, db}} {
		if err := batch.DeleteRange(k[:], []byte{k[0], k[1] + 1}, nil); err != nil {
			return err
		}
	}
	return nil
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
