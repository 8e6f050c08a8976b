package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"atomiccounter/engine/history"
	"atomiccounter/engine/journal"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// ErrCorrupt: Check found something that cannot be.
var ErrCorrupt = errors.New("the store is corrupt")

// Check verifies a stopped store: every block's checksum, every state, the counts, the expiry index and the journal. It
// writes what it found to w and changes nothing.
func Check(dir string, o Options, w io.Writer) error { return examine(dir, o, w, (*checker).journal) }

// Repair is Check, and has a store open again whose journal is damaged: what the journal lost, and all that came after it, is taken out of
// it and kept beside it, in files whose names begin with lost-. It writes to w what that is. What is wrong with the database stays.
func Repair(dir string, o Options, w io.Writer) error { return examine(dir, o, w, (*checker).repair) }

func examine(dir string, o Options, w io.Writer, look func(*checker, journal.Mark)) error {
	o.readOnly = true
	o = o.withDefaults()
	e := newEngine(o)
	folder, err := store.OpenFolder(o.fs, dir, false)
	if err != nil {
		return err
	}
	e.folder = folder
	c := e.committer.lock()
	err = c.check(w, look)
	c.unlock()
	return errors.Join(err, e.abandon())
}

func (c *committer) check(w io.Writer, look func(*checker, journal.Mark)) error {
	if c.e.folder.Fresh {
		return fmt.Errorf("%s: %w: it was never completed", c.e.folder.Dir, ErrNotStore)
	}
	if err := c.e.openSegments(); err != nil {
		return err
	}
	db, err := c.e.folder.OpenDatabase(c.e.storeOptions())
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	c.e.db = db
	m, err := c.e.readMeta(false)
	if err != nil {
		return err
	}
	c.adopt(m)
	if err := errors.Join(c.e.beginLife(0), c.readTransfer()); err != nil {
		return err
	}
	c.e.self.former = c.e.Former()
	k := checker{e: c.e, store: c, w: w}
	k.say("replica      %016x", uint64(m.id))
	k.database()
	k.compare(m)
	look(&k, m.mark)
	if k.problems > 0 {
		return errors.Join(fmt.Errorf("%s: %w: %d problems", c.e.folder.Dir, ErrCorrupt, k.problems), k.damage)
	}
	k.say("no problems found")
	return nil
}

// checker adds up what the database holds.
type checker struct {
	e        *Engine
	store    *committer
	w        io.Writer
	problems int
	damage   error // of the journal, which Repair mends
	keys     int64
	count    [Databases]int64
	countEx  [Databases]int64
	indexed  int64 // keys that the index should have
	latest   tlv.Stamp
	batches  int64 // in the replication log
	tokens   int64

	hash     string // key of the hash whose fields are being met; "": none
	size     int64  // its fields so far
	fields   int64  // in all
	hashes   int64  // that have fields
	recorded int64  // numbers of fields
}

func (c *checker) say(format string, args ...any) {
	fmt.Fprintf(c.w, format+"\n", args...)
}

const maxProblems = 20 // shown one by one

func (c *checker) problem(format string, args ...any) {
	if c.problems++; c.problems <= maxProblems {
		c.say("PROBLEM      "+format, args...)
	}
}

func (c *checker) database() {
	var err error
	index := int64(0)
	for key, value := range store.Scan(c.e.db, nil, nil, &err) {
		switch key[0] {
		case store.MetaPrefix, store.HistoryPrefix, store.SettingPrefix, lineagePrefix, store.TransferPrefix, store.MetPrefix:
		case store.FieldsPrefix:
			c.fieldsRecord(key, value)
		case store.LogPrefix:
			c.logRecord(key, value)
		case store.StatePrefix:
			c.stateRecord(key, value)
		case store.IndexPrefix:
			index++
			c.indexRecord(key)
		default:
			c.problem("unknown key %q in the database", key)
		}
	}
	c.endHash()
	if err != nil {
		c.problem("database: %v", err)
	}
	c.say("keys         %d stored, %d in the expiry index", c.keys, index)
	if c.fields > 0 {
		c.say("hashes       %d, with %d fields", c.hashes, c.fields)
	}
	if c.tokens > 0 {
		c.say("tokens       %d", c.tokens)
	}
	if c.batches > 0 {
		c.say("log          %d batches for peers", c.batches)
	}
	if index < c.indexed {
		c.problem("%d keys are to expire, %d are in the expiry index", c.indexed, index)
	}
	if c.hashes != c.recorded {
		c.problem("%d hashes have fields, %d have a number of fields", c.hashes, c.recorded)
	}
}

func (c *checker) stateRecord(key, value []byte) {
	c.keys++
	name, ok := store.KeyOf(key)
	if !ok || tlv.Space(key[1]) > tlv.TokenSpace {
		c.problem("key %q is no key of a state", key)
		return
	}
	user := name[1:]
	if want := store.StateKey(nil, c.e.self.place(name), string(name)); string(want) != string(key) {
		c.problem("key %q is stored under %x; it should be %x", user, key, want)
	}
	s, err := tlv.ParseState(value)
	if err != nil {
		c.problem("key %q: %v", user, err)
		return
	}
	c.contributions(user, &s)
	v := s.View()
	b := c.e.booksOf(&v)
	if isField(string(name)) {
		c.field(string(name), b)
		return
	}
	c.books(string(name), b)
}

// books adds up a key's own state; that it has fields too is found later.
func (c *checker) books(key string, b books) {
	if isToken(key) {
		c.tokens++
	} else {
		db := database(key)
		exists, expires := b.shown(0)
		c.count[db] += change(false, exists)
		c.countEx[db] += change(false, expires)
	}
	if b.index == 0 {
		return
	}
	c.indexed++
	if _, closer, err := c.e.db.Get(store.IndexKey(nil, b.index, key)); err != nil {
		c.problem("key %q expires at %d, but the index: %v", key[1:], b.index, err)
	} else if err := closer.Close(); err != nil {
		c.problem("key %q: %v", key[1:], err)
	}
}

func (c *checker) contributions(user []byte, s *tlv.State) {
	for i := range s.Contributions {
		p := &s.Contributions[i]
		if upTo := c.store.vector.Entry(p.Replica).Stamp; p.Replica == c.e.self.id && p.Rev > upTo { // of others a transfer may have brought more
			c.problem("key %q: contribution of %x at %d is beyond the version vector's %d", user, uint64(p.Replica), p.Rev, upTo)
		}
		if p.Birth > p.Rev || p.Last > p.Rev {
			c.problem("key %q: contribution of %x at %d is older than its parts", user, uint64(p.Replica), p.Rev)
		}
		if p.Replica == c.e.self.id {
			c.latest = max(c.latest, p.Rev)
		}
	}
}

func (c *checker) logRecord(key, value []byte) {
	if c.store.flags&metaHashes == 0 { // the next start drops it (convert)
		return
	}
	c.batches++
	l, ok := history.ParseKey(key[1:])
	if !ok {
		c.problem("record %x of the replication log: malformed", key)
		return
	}
	b, rest, err := tlv.ParseBatch(value)
	if err != nil || len(rest) > 0 || b.Replica != l.Replica || b.Prev != l.Prev || b.Stamp != l.Stamp || b.Hash != l.Hash || len(b.Deltas) != int(l.Keys) {
		c.problem("batch %d of replica %x in the replication log: not what its key says, %v", l.Stamp, uint64(l.Replica), err)
	}
}

func (c *checker) indexRecord(key []byte) {
	if _, of, ok := store.ParseIndexKey(key); !ok || !isUsers(string(of)) && !isToken(string(of)) {
		c.problem("record %q of the expiry index is malformed", key)
	}
}

func (c *checker) compare(m *meta) {
	for db := range c.count {
		if c.count[db] != m.count[db] || c.countEx[db] != m.countEx[db] {
			c.problem("database %d: metadata counts %d keys, %d of them with an expiry; there are %d and %d",
				db, m.count[db], m.countEx[db], c.count[db], c.countEx[db])
		} else if c.count[db] > 0 {
			c.say("database %-3d %d keys, %d of them with an expiry", db, c.count[db], c.countEx[db])
		}
	}
	if c.latest > m.clock {
		c.problem("the clock was saved at %d, but there is a stamp %d", m.clock, c.latest)
	}
}

// journal reads all that the next start would replay.
func (c *checker) journal(m journal.Mark) {
	if _, err := c.survey(m); err != nil {
		c.problem("%v", err)
		c.damage = err
	}
}

// repair is journal, and mends what it finds.
func (c *checker) repair(m journal.Mark) {
	s, err := c.survey(m)
	if errors.Is(err, ErrDamaged) {
		c.say("repair       %v", err)
		if err = s.Repair(c.e.segments, c.e.log); err == nil {
			c.say("             what is dropped is kept in journal/lost-…")
		}
	}
	if err != nil {
		c.problem("%v", err)
	}
}

// survey says what the journal has, and what of it is to be dropped.
func (c *checker) survey(m journal.Mark) (s journal.Survey, err error) {
	if c.e.folder.IsCopy() {
		c.say("journal      none: this is a copy, which takes a new replica ID when it is opened")
		return s, nil
	}
	s, err = c.e.surveyJournal(context.Background(), m)
	c.say("journal      segments %d to %d, to replay: %d frames, %d records, %d bytes", m.Segment, s.End.Segment, s.Frames, s.Records, s.Bytes)
	for _, l := range slices.Backward(s.Lost) {
		if l.Bytes() > 0 {
			c.say("             does not follow: segment %d from offset %d on, %d bytes, %d records", l.Segment, l.From, l.Bytes(), l.Records)
		}
	}
	return s, err
}
