package engine

import (
	"fmt"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// hashChange is what has arrived for the fields of one hash.
type hashChange struct {
	hash   uint64
	self   books  // of the head's own state, after what has arrived
	came   bool   // the head is among what has
	was    int64  // fields stored before
	by     int64  // what arrived changes that by
	unseen int64  // the part of it that no cached field tells
	head   *entry // if that is cached; pinned
}

// hashChanges are those of a batch, by the keys of the hashes.
type hashChanges map[string]*hashChange

// bookArrivals books what has arrived: first the states of keys, then the numbers of fields.
func (t *commit) bookArrivals() {
	t.changes = make(hashChanges)
	for i := range t.arrivals {
		a := &t.arrivals[i]
		if isField(a.key) {
			t.changes.note(a)
			continue
		}
		if a.before == a.after {
			continue
		}
		if isUsers(a.key) {
			var err error
			a.fields, err = t.c.fieldsBefore(a.place.Hash, a.key)
			t.note(err)
		}
		t.book(a.key, a.before, a.after, a.fields)
	}
	if len(t.changes) > 0 {
		t.note(t.bookChanges())
	}
}

// note adds up what fields do to their hash.
func (l hashChanges) note(a *arrival) {
	by := change(a.before.exists, a.after.exists)
	if by == 0 {
		return
	}
	key, _ := hashOf(a.key)
	if l[key] == nil {
		l[key] = &hashChange{hash: a.place.Group}
	}
	l[key].by += by
}

func (t *commit) bookChanges() error {
	for i := range t.arrivals {
		if h := t.changes[t.arrivals[i].key]; h != nil {
			h.self, h.came = t.arrivals[i].after, true
		}
	}
	for key, h := range t.changes {
		var err error
		if h.was, err = t.c.fieldsBefore(h.hash, key); err != nil {
			return err
		}
		if !h.came {
			if h.self, err = t.c.booksBefore(h.hash, key); err != nil {
				return err
			}
		}
		t.c.recount(database(key), h.self, h.was, h.self, h.was+h.by)
		t.setFields(h.hash, key, h.was+h.by)
	}
	return nil
}

// fieldsBefore is the number of fields of a key that the database has.
func (c *committer) fieldsBefore(hash uint64, key string) (int64, error) {
	if !c.e.counts.hashes.Load() {
		return 0, nil
	}
	if en := c.e.table.get(hash, key); en != nil {
		en.mu.RLock()
		defer en.mu.RUnlock()
		switch {
		case en.is(gone):
		case en.fields() == nil:
			return 0, nil
		default:
			return en.fields().stored, nil
		}
	}
	return c.e.fieldsStored(hash, key)
}

// booksBefore are those of a key's own state.
func (c *committer) booksBefore(hash uint64, key string) (books, error) {
	s, cached := tlv.State{}, false
	if en := c.e.table.get(hash, key); en != nil {
		en.mu.RLock()
		if cached = !en.is(gone); cached {
			k := en.copied(c.e.self.id)
			s = k.Stored()
		}
		en.mu.RUnlock()
	}
	if !cached {
		var err error
		if s, err = c.e.readState(store.Place{First: key[0], Hash: hash}, key); err != nil {
			return books{}, fmt.Errorf("read %q: %w", key[1:], err)
		}
	}
	v := s.View()
	return c.e.booksOf(&v), nil
}

// hold keeps cached heads in the cache until tell, and makes those that are none yet. No load runs meanwhile, so what is
// not cached now is not when it is told.
func (l hashChanges) hold(e *Engine) {
	for key, h := range l {
		en := e.table.get(h.hash, key)
		if en == nil {
			continue
		}
		e.lockState(en)
		if !en.is(gone) {
			en.pins.Add(1)
			h.head = en
			e.makeHead(en)
			e.mergeIncoming(en) // an expiry that came before the first field
		}
		e.unlockState(en)
	}
}

// tellUncached counts what has arrived for a key that is not in the cache: it shows at once.
func (e *Engine) tellUncached(a *arrival, changes hashChanges) {
	switch {
	case isUsers(a.key):
		e.counts.recountShown(database(a.key), a.before, a.fields, a.after, a.fields)
		return
	case isToken(a.key):
		return
	}
	key, _ := hashOf(a.key)
	if c := changes[key]; c != nil {
		c.unseen += change(a.before.exists, a.after.exists)
	}
}

// tell makes the heads know how many fields are stored now, and what of that no field has told.
func (l hashChanges) tell(c *committer) {
	e := c.e
	for key, h := range l {
		if h.head == nil {
			e.counts.recountShown(database(key), h.self, h.was, h.self, h.was+h.by)
			continue
		}
		h.head.fields().stored = h.was + h.by
		e.counts.showFields(h.head.fields(), h.unseen)
		h.head.pins.Add(-1)
	}
}

// lockKey gives the entry of any key of the engine, locked exclusively; that of a field with its head, locked shared.
func (p *Pipeline) lockKey(key []byte) (*entry, error) {
	p.DB = tlv.Database(key[0])
	if tlv.Space(key[0]) != tlv.FieldSpace {
		return p.lockIn(key[0], key[1:], exclusive)
	}
	name, field, ok := tlv.SplitFieldName(key[1:])
	if !ok {
		return nil, fmt.Errorf("%w: key of a field", tlv.ErrMalformed)
	}
	f, _, err := p.lockField(name, field, toRedo, exclusive)
	return f, err
}
