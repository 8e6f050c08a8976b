package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"syscall"
	"time"

	"atomiccounter/engine/journal"
	"atomiccounter/engine/state"
	"atomiccounter/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens the store in dir, or creates it where there is none: replays what the journal has beyond the database,
// flushes that, and starts the background work. ErrNotStore and ErrLocked say why a directory cannot be used; nothing
// in it was changed then.
func Open(dir string, o Options) (*Engine, error) {
	return OpenContext(context.Background(), dir, o)
}

// OpenContext is Open that gives up, with the context's error, when ctx ends while the journal is read. The store is as it was then.
func OpenContext(ctx context.Context, dir string, o Options) (*Engine, error) {
	o = o.withDefaults()
	e, err := openOnce(ctx, dir, o)
	for told := false; store.TooManyFiles(err); told = true { // a start that broke off leaves all as it was
		if !told {
			o.Logger.Warn("too many open files: the start goes on when some are closed; a greater ulimit -n avoids that", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(store.FilesPause):
		}
		e, err = openOnce(ctx, dir, o)
	}
	if err != nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return nil, err
	}
	if !o.manual {
		e.start()
	}
	return e, nil
}

func openOnce(ctx context.Context, dir string, o Options) (*Engine, error) {
	e := newEngine(o)
	folder, err := store.OpenFolder(o.fs, dir, true)
	if err != nil {
		return nil, err
	}
	e.folder = folder
	defer context.AfterFunc(ctx, func() { close(e.running.gaveUp) })()
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.abandon())
	}
	return e, nil
}

func newEngine(o Options) *Engine {
	e := &Engine{options: o, log: o.Logger, table: newTable(o.CacheSize),
		running: running{stop: make(chan struct{}), gaveUp: make(chan struct{}), leaving: make(chan struct{}), confirmed: make(chan struct{})},
		pace:    pace{dirty: newSignal(), hurry: newSignal()},
		stale:   staleKeys{wake: newSignal(), repaced: newSignal()},
		sweeps:  sweeps{unscrubbed: newSignal()},
	}
	e.cuts.guards, e.cuts.admission, e.committer = newGuards(), newAdmission(), newCommitLock(e)
	e.placeLocks()
	e.pools.opens.New = func() any { return new(opened) }
	e.pools.pendings.New = func() any { return new(state.Pending) }
	e.pools.pipes.New = func() any {
		p := e.NewPipeline()
		p.aside = true
		return p
	}
	e.SetUpdatePeriod(o.UpdatePeriod)
	e.table.seconds.Store(inSeconds(e.Now()))
	e.sync.mode.Store(uint32(o.Sync))
	e.cuts.gen.Store(1)
	if o.Disk != nil {
		o.Disk.Opened(e.look, e.tailOf)
	}
	return e
}

func (e *Engine) open(ctx context.Context) error {
	fresh := e.folder.Fresh
	if fresh {
		if err := e.folder.Begin(); err != nil {
			return err
		}
	}
	if err := e.fitDisk(); err != nil {
		return err
	}
	if err := e.openSegments(); err != nil {
		return err
	}
	if !fresh {
		if err := e.inspect(ctx); err != nil {
			return err
		}
		if err := e.awaitRoomToOpen(ctx); err != nil {
			return err
		}
		if err := e.folder.Upgrade(); err != nil {
			return err
		}
	}
	db, err := e.folder.OpenDatabase(e.storeOptions())
	if err != nil {
		return fmt.Errorf("database %s: %w", e.folder.Database(), err)
	}
	e.db = db
	m, err := e.readMeta(fresh)
	if err != nil {
		return err
	}
	c := e.committer.lock()
	defer c.unlock()
	c.adopt(m)
	if err := c.convert(); err != nil {
		return err
	}
	e.startup.created = fresh
	any, err := e.anyFields()
	if err != nil {
		return err
	}
	e.counts.hashes.Store(any)
	if err := c.readHistory(); err != nil {
		return err
	}
	if e.folder.IsCopy() {
		return c.openCopy()
	}
	if err := c.catchUp(ctx, m.mark, fresh); err != nil {
		return err
	}
	if fresh {
		return e.folder.Finish()
	}
	return nil
}

// inspect finds what is wrong with a store while nothing is changed yet: opening the database to write brings its log into
// tables, and removes it.
func (e *Engine) inspect(ctx context.Context) error {
	o := e.storeOptions()
	o.ReadOnly = true
	db, err := e.folder.OpenDatabase(o)
	if err != nil {
		return fmt.Errorf("database %s: %w", e.folder.Database(), err)
	}
	e.db = db
	m, err := e.readMeta(false)
	if err == nil && !e.folder.IsCopy() { // which has no journal
		var s journal.Survey
		s, err = e.surveyJournal(ctx, m.mark)
		e.startup.bytes = int64(s.Bytes)
	}
	e.db = nil
	return errors.Join(err, db.Close())
}

// roomToOpen is what the database writes when it is opened, in bytes, beside its log in another form.
const roomToOpen = 1 << 20

// awaitRoomToOpen waits until the database can be opened: while there is no room for what is in its log it would try again for ever, and
// cannot be stopped.
func (e *Engine) awaitRoomToOpen(ctx context.Context) error {
	need := int64(roomToOpen)
	names, err := e.options.fs.List(e.folder.Database())
	if err != nil {
		return err
	}
	for _, name := range names {
		if path.Ext(name) != ".log" {
			continue
		}
		info, err := e.options.fs.Stat(path.Join(e.folder.Database(), name))
		if err != nil {
			return err
		}
		need += info.Size()
	}
	for told := false; ; told = true {
		free, err := e.free()
		if err != nil || free >= need {
			return err
		}
		if !told {
			e.log.Error("disk full: the start waits for room", "free", free, "needed", need)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(spaceEvery):
		}
	}
}

func (e *Engine) openSegments() error {
	e.segments = e.options.segments
	if e.segments != nil {
		return nil
	}
	if e.options.InMemory {
		e.segments = journal.NewMemory()
		return nil
	}
	dir := e.folder.Journal()
	e.segments = journal.NewFiles(dir)
	if !e.folder.Fresh {
		return nil
	}
	return e.options.fs.MkdirAll(dir, 0o700)
}

const (
	memTableMost  = 32 << 20
	memTableLeast = 1 << 20
	memTableShare = 64 // of the disk
)

// fitDisk chooses the size of Pebble's memory tables: its log has as much as some of them.
func (e *Engine) fitDisk() error {
	if e.options.memTable != 0 {
		return nil
	}
	e.options.memTable = memTableMost
	u, err := e.options.fs.GetDiskUsage(e.folder.Dir)
	if errors.Is(err, vfs.ErrUnsupported) { // in memory
		return nil
	}
	e.options.memTable = int(min(max(u.TotalBytes/memTableShare, memTableLeast), memTableMost))
	return err
}

func (e *Engine) storeOptions() store.Options {
	return store.Options{
		Host: store.Host{Log: e.log, Fail: e.fail, Failed: e.Failed, Full: e.health.full,
			Leaving: e.running.leaving, GaveUp: e.running.gaveUp},
		ReadOnly: e.options.readOnly,
		InMemory: e.options.InMemory,
		MaxFiles: e.options.MaxFiles - otherFiles,
		MemTable: e.options.memTable,
	}
}

func (e *Engine) readMeta(fresh bool) (*meta, error) {
	if fresh {
		random := e.options.random
		return &meta{id: randomID(random), seed: [2]uint64{random(), random()}, flags: metaHashes}, nil
	}
	v, closer, err := e.db.Get([]byte{store.MetaPrefix})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	m := &meta{}
	return m, errors.Join(m.decode(v), closer.Close())
}

func (c *committer) adopt(m *meta) {
	c.e.self.id, c.e.self.secret, c.vector = m.id, m.seed, m.vector
	c.count, c.countEx = m.count, m.countEx
	c.mark, c.flags = m.mark, m.flags
	c.e.clock.pass(m.clock)
	c.e.cuts.last.Store(uint64(m.vector.Entry(m.id).Stamp))
	if m.flags&metaUnscrubbed != 0 {
		c.e.sweeps.unscrubbed.give()
	}
	for i := range m.count {
		c.e.counts.keys[i].Store(m.count[i])
		c.e.counts.expires[i].Store(m.countEx[i])
	}
}

// catchUp replays the journal from m on, goes on in a fresh segment, and flushes. Until that is committed, which for a store
// that awaits its peers, or room on its disk, takes a while, a crash leaves all as it was: what is replayed is sealed, and the fresh segment
// follows it.
func (c *committer) catchUp(ctx context.Context, m journal.Mark, fresh bool) (err error) {
	if !fresh {
		first := m.Segment
		if m, err = c.replay(ctx, m); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if m, err = c.seal(first, m); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	m.Segment = max(m.Segment, 1)
	err = c.e.createJournal(m, false)
	if errors.Is(err, syscall.ENOSPC) && !fresh {
		c.e.log.Error("journal: no room for a segment; writes are refused until there is", "err", err)
		err = c.e.createJournal(m, true)
	}
	if err != nil {
		return err
	}
	tight := !fresh && c.e.tight()
	if tight || c.e.journal.NoRoom() != nil {
		c.e.checkSpace() // before anybody writes
	}
	if c.awaiting || tight {
		if err := c.beginAwaiting(fresh); err != nil {
			return err
		}
	}
	if tight {
		return nil // the flusher waits for room, and what is replayed is in the journal as it was
	}
	return c.flushMark()
}

// beginAwaiting notes what a store has to know if it is stopped before its first flush.
func (c *committer) beginAwaiting(fresh bool) error {
	if fresh { // or the first flush would write its ID
		c.mark = c.e.journal.Mark()
		if err := c.begin(0).sync(); err != nil {
			return err
		}
	}
	if _, err := c.e.journal.Append(appendLife(nil, c.e.Life())); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// seal makes durable what was replayed, from segment first to a chain's end m, and drops what lies beyond. It gives the place where the
// next journal begins.
func (c *committer) seal(first uint64, m journal.Mark) (next journal.Mark, err error) {
	if c.leftover, next, err = journal.Seal(c.e.segments, first, m); err != nil {
		return m, err
	}
	lost, err := journal.Losses(c.e.segments, m, countRecords)
	if err != nil {
		return m, err
	}
	return next, journal.Drop(c.e.segments, lost, c.e.log)
}

// createJournal begins a journal in a fresh segment; scrap: in a small one.
func (e *Engine) createJournal(from journal.Mark, scrap bool) (err error) {
	e.journal, err = journal.Create(e.segments, from, journal.Options{Size: e.options.segment, Buffered: e.Sync() == Always, Scrap: scrap, Log: e.log})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// removeReplayed removes the segments that were replayed, once a flush has what they said.
func (c *committer) removeReplayed() error {
	for _, n := range c.leftover {
		if err := c.e.segments.Remove(n); err != nil {
			return fmt.Errorf("journal: remove segment %d: %w", n, err)
		}
	}
	c.leftover = nil
	return nil
}

// openCopy goes on with a marked copy of a store: under a new ID, and with a journal of its own. The copy was flushed.
func (c *committer) openCopy() error {
	list, err := c.e.segments.List() // of an attempt before
	if err != nil {
		return err
	}
	c.leftover = list
	if err := c.e.createJournal(journal.Mark{Segment: slices.Max(append(list, c.mark.Segment)) + 1}, false); err != nil {
		return err
	}
	if err := c.underNewID(); err != nil {
		return err
	}
	return c.e.folder.Unmark()
}

// underNewID ends the wait for peers, if there is one: none of them knows the new ID.
func (c *committer) underNewID() error {
	if c.awaiting {
		c.awaiting = false
		close(c.e.running.confirmed)
	}
	id := randomID(c.e.options.random)
	return c.flushAs(func() error { c.rename(id); return nil })
}

// start begins the background work; Close ends it.
func (e *Engine) start() {
	for _, work := range []func(){e.flusher, e.syncer, e.sweeper, e.refresher, e.spaceWatcher, e.scrubber} {
		e.running.done.Add(1)
		go work()
	}
}

// Close flushes everything and closes the store; the next Open has nothing to replay, unless the disk has no room for that.
// Whatever is called later gets ErrClosed; a second Close too.
func (e *Engine) Close() error {
	if !e.health.closed.CompareAndSwap(false, true) {
		return ErrClosed
	}
	e.health.refuse.Or(refuseClosed)
	close(e.running.stop)
	e.running.done.Wait()
	c := e.committer.lock()
	defer c.unlock()
	var err error
	switch {
	case e.Failed() != nil:
	case e.tight():
		e.log.Warn("the disk has no room for a flush: what is in the journal is for the next start")
	default:
		err = c.flush()
	}
	e.cuts.halt() // every pipeline that was in the middle of something is done; all that come see closed
	defer e.cuts.resume()
	e.scans.Lock()
	defer e.scans.Unlock()
	e.published.news.Send()
	return errors.Join(err, e.journal.Close(), e.closeDB(), e.folder.Close())
}

// closeDB ends what Pebble does in the background, and lets go of the database.
func (e *Engine) closeDB() error {
	close(e.running.leaving)
	return e.db.Close()
}

// abandon lets go of what an Open that failed half-way had.
func (e *Engine) abandon() (err error) {
	if e.journal != nil {
		err = e.journal.Close()
	}
	if e.db != nil {
		err = errors.Join(err, e.closeDB())
	}
	return errors.Join(err, e.folder.Close())
}
