package engine

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"atomiccounter/engine/lockorder"
	"atomiccounter/engine/store"
)

// A hash is a key with fields. Each field is a counter or a text of its own, with an entry of its own; the entry of the hash's
// key is its head. The head's own state only carries the expiry of the hash. If it has more to show, because two
// replicas made a hash and a counter of one key at the same time, that shows, and the fields are hidden until it is
// cancelled.
//
// A key exists if its own state does or if it has fields that exist. So a change of a field may change the counts of keys
// without the head's lock: they go by one atomic word.

// fields is what a head and its cached fields share. It outlives neither: the head stays in the cache as long as any of them.
type fields struct {
	head    *entry
	word    atomic.Int64 // what shows: the number of fields that exist, selfExists, selfExpires
	cached  atomic.Int32 // fields in the table
	watched atomic.Bool  // a pipeline may watch the key: no short way, and show tells
	stored  int64        // fields that exist in the database; the committer's
	change  int64        // of stored, by the flush in progress; the committer's

	gen atomic.Uint64 // in which the entries of dirty became so; 0: there are none; written under mu

	mu     lockorder.Mutex
	dirty  []*entry // fields with something pending, of which the database may not know
	flight []*entry // those of the generation before, if that is being flushed
}

const (
	selfExists  = 1 << 40 // the head's own state does
	selfExpires = 1 << 41 // it carries an expiry
	fieldMask   = selfExists - 1
)

const fieldsSize = 160 // bytes of memory

// wordExists and wordExpires are what the word w says of the key.
func wordExists(w int64) bool  { return w&(selfExists|fieldMask) != 0 }
func wordExpires(w int64) bool { return w&selfExpires != 0 && wordExists(w) }

// selfWord is the part of the word that the head's own state makes.
func selfWord(exists, expires bool) int64 {
	return change(false, exists)*selfExists + change(false, expires)*selfExpires
}

// known makes what is stored what is counted, for an entry that is being loaded; n is the number of its fields.
func (e *Engine) known(en *entry, n int64) {
	b := en.books()
	en.mark(counted, b.exists)
	en.mark(countedEx, b.exists && b.index != 0)
	if n == 0 || isField(en.key()) {
		return
	}
	en.mark(countedEx, b.index != 0)
	f := e.newFields(en, n)
	f.word.Store(n + selfWord(en.is(counted), en.is(countedEx)))
	e.makeFields(en, f)
}

func (e *Engine) newFields(head *entry, stored int64) *fields {
	f := &fields{head: head, stored: stored}
	lockorder.Place(&f.mu, e.table, lockorder.Fields, "")
	return f
}

// makeHead makes a key able to have fields. The caller holds en exclusively.
func (e *Engine) makeHead(en *entry) {
	if en.fields() != nil {
		return
	}
	f := e.newFields(en, 0)
	f.word.Store(selfWord(en.is(counted), en.is(countedEx)))
	f.watched.Store(en.is(underWatch))
	e.makeFields(en, f)
	en.fold()
	e.show(en) // its expiry, whether or not its own state exists
}

// isHead says whether it is the entry of a hash's key, or of one that was a hash since it was loaded.
func (e *entry) isHead() bool { return e.fields() != nil && !isField(e.key()) }

// size is how many fields of the key exist. A hidden field does too.
func (e *entry) size() int64 {
	if !e.isHead() {
		return 0
	}
	return e.fields().word.Load() & fieldMask
}

// shown says whether there is anything to show, before the expiry is asked.
func (e *entry) shown() bool { return e.is(there) || e.size() > 0 }

// addDirtyField notes that a field has something pending, for commands that look at all of its hash or at all keys.
func (t *table) addDirtyField(en *entry) {
	f := en.fields()
	f.mu.Lock()
	defer f.mu.Unlock()
	if gen := f.gen.Load(); gen != en.gen {
		f.flight = nil
		if gen == en.gen-1 {
			f.flight = f.dirty
		}
		f.dirty = nil
		f.gen.Store(en.gen)
		t.addDirtyHead(f.head)
	}
	f.dirty = append(f.dirty, en)
}

func (t *table) addDirtyHead(head *entry) {
	s := t.shard(head.hash)
	s.dirtyMu.Lock()
	s.heads = append(s.heads, head)
	s.dirtyMu.Unlock()
}

// forgetFlight forgets the fields that became dirty up to generation gen, which is flushed.
func (f *fields) forgetFlight(gen uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flight = nil
	if f.gen.Load() <= gen {
		f.dirty = nil
		f.gen.Store(0)
	}
}

// pending gives the fields that the database may not know, some perhaps twice.
func (f *fields) pending() []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(append(make([]*entry, 0, len(f.flight)+len(f.dirty)), f.flight...), f.dirty...)
}

// readFields gives the number of fields that the database has of a key.
func (e *Engine) readFields(en *entry) (int64, error) {
	if !isUsers(en.key()) {
		return 0, nil
	}
	return e.fieldsStored(en.hash, en.key())
}

func (e *Engine) fieldsStored(hash uint64, key string) (n int64, err error) {
	if !e.counts.hashes.Load() {
		return 0, nil
	}
	var b [128]byte
	err = e.lookUp(store.FieldsKey(b[:0], hash, key), key, func(v []byte) (err error) {
		n, err = fieldsValue(v)
		return err
	})
	return n, err
}

func fieldsValue(v []byte) (int64, error) {
	if len(v) != 8 {
		return 0, errors.New("number of fields is malformed")
	}
	return int64(binary.LittleEndian.Uint64(v)), nil
}

// anyFields says whether the database has any.
func (e *Engine) anyFields() (any bool, err error) {
	for range store.Scan(e.db, []byte{store.FieldsPrefix}, []byte{store.FieldsPrefix + 1}, &err) {
		any = true
		break
	}
	return any, err
}
