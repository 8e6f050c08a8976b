// Package engine keeps counters: in memory as atomics, in a journal that makes acknowledged writes durable, and in a Pebble
// database that holds everything. It knows no RESP, socket or peer.
//
// # What is promised
//
// All writes of this process show at once. A write whose Pipeline.Commit returned survives the death of the process, and
// with Always, once Durable has reached its position, that of the machine too: before that it has no reply, and survives
// neither. It is counted once. What other replicas did (Apply) shows after at most the update period.
//
// # How
//
//	command ─► entry in memory (atomic add) ─► journal (append) ─► reply
//	                   │ dirty
//	             flush (every few ms to 2 s)
//	                   ▼
//	   one Pebble batch, synced: deltas + counts + version vector + journal mark
//
// A flush begins with a cut: a moment when no pipeline is active. It draws the batch's stamp, starts the next generation
// and notes the journal's end. What each dirty key did in the generation that ended becomes one delta. After the
// commit the journal before the mark is not needed any more; recovery opens the database and replays what lies behind.
// If a commit fails nobody knows what the disk has: the engine refuses all further writes, and the next start decides.
//
// # Replication
//
// The engine knows no peer, but all that a protocol between peers needs (package replica): a flush publishes a batch, kept
// with those of others in a bounded log (Batches, TrimLog); Vector says what is stored and synced, and News when it grew;
// Apply takes in the next batch of another replica; Snapshot and BeginTransfer bring the state to one that comes too late
// (transfer.go). A store that lost what it had published takes a new ID (history.go, rename.go). Merge joins states of
// counters that live elsewhere (import.go). Whatever arrives is in the order of the store, under its locks, and shows to
// entries in the cache when their update period is over.
//
// # Sections
//
// From Pipeline.Begin to End a pipeline runs alone, for MULTI and EXEC and for scripts: all it does is one frame of the journal,
// and part of one batch (section.go). Watch says whether a key has changed (watch.go).
//
// # Texts
//
// A key may hold any string up to 1 MiB (Put, Value). A decimal int64 is an integer, to which increments add; all else is a
// text. Of assigned values that nobody has cancelled the last shows, by birth and replica; if that is a text it shows alone, and
// Incr gives ErrNotInteger. That goes by what is stored: a text of another replica is taken in at once, update period
// or not. What others added before they knew of it stays in their contributions, and shows when the text is cancelled and they
// are not. Edit reads and sets at one moment of one replica; of concurrent ones the last wins.
//
// The journal has a text once for each SET. Its bytes count into the cache, and into what one flush may write
// (maxTexts), so that batches stay of a size that peers take.
//
// # Tokens
//
// IncrOnce, and Counter.IncrementOnce, count an increment once for a token, however often they are asked to (token.go).
//
// # Directory
//
//	FORMAT    "atomiccounter 4\n": the version of all that follows
//	LOCK      held by the process that has the directory open
//	journal/  segments (package journal)
//	db/       Pebble (store.go)
//	COPY      only in a copy made by Backup: the next Open takes a new replica ID
package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/dchest/siphash"

	"atomiccounter/engine/journal"
	"atomiccounter/tlv"
)

// Errors a caller branches on.
var (
	ErrOverflow   = errors.New("increment or decrement would overflow") // the value would leave int64
	ErrNegative   = errors.New("a natural counter only grows")          // negative increment or value for a Natural
	ErrKindFixed  = errors.New("key already exists with another kind")
	ErrKeyTooLong = errors.New("key is longer than 64 KiB") // of a field, together with its hash's key
	ErrWrongType  = errors.New("operation against a key holding the wrong kind of value")
	ErrClosed     = errors.New("engine is closed")
	ErrNoSpace    = errors.New("no space left on device") // the reserve is reached; reads go on, writes when there is room again
	ErrNoFiles    = errors.New("too many open files")     // of the process or the system; as ErrNoSpace, and passing
	ErrFailed     = errors.New("engine failed; restart to recover")

	ErrHarvest         = errors.New("value is beyond 64 bits: it cannot be returned whole, so it is not taken away; bring it back with INCRBY or DECRBY, or DEL it")
	ErrAppliedOverflow = errors.New("applied increment would overflow") // what would bring a value to a bound is beyond int64
)

// The kinds of counter, by the names of package tlv.
const (
	ZCounter = tlv.ZCounter
	Natural  = tlv.Natural
)

// Kind says which way a counter goes.
type Kind = tlv.Kind

// SyncMode says when the journal is synced, as Redis's appendfsync does.
type SyncMode uint32

// EverySec loses at most the last second at a power failure, and nothing when the process dies. Always loses nothing. No
// leaves the time to the operating system, but for the flushes, which are synced in every mode.
const (
	EverySec SyncMode = iota
	Always
	No
)

// AlwaysFresh is the update period 0: foreign data shows at the next access.
const AlwaysFresh time.Duration = -1

const (
	Databases = 16             // selectable, 0 to 15
	MaxKey    = tlv.MaxKey - 1 // bytes: what a delta can carry, beside the database
)

// MostFiles is how many open files are of use to a store, and FewestFiles what it needs. So many are not tables.
const (
	MostFiles   = 1000 + otherFiles
	FewestFiles = 74 + otherFiles // fewer Pebble does not do with
	otherFiles  = 16
)

// Options of Open. The zero value of each means its default.
type Options struct {
	// UpdatePeriod bounds how late foreign data shows; default 1 s. AlwaysFresh takes it in at the next access of the key.
	UpdatePeriod time.Duration
	// CacheSize bounds the memory of cached counters in bytes; default 256 MiB. What has not been flushed may exceed it for a while.
	CacheSize int64
	Sync      SyncMode
	// Natural says which new keys become Naturals; nil: none. It gets the user's key and must not keep it.
	Natural func(key []byte) bool
	// Reserve is the free disk space in bytes below which writes are refused, so that the database never meets a full disk; default 256 MiB, negative: none.
	Reserve int64
	// Backlog bounds the replication log in bytes; default 256 MiB. It is kept only once there is a peer.
	Backlog int64
	// MaxFiles is how many files the store may have open, about; default MostFiles, and no less than FewestFiles.
	MaxFiles int
	// AwaitPeers is for a store with peers: it serves and journals, but publishes nothing before Confirm, Rename or Renew. One that
	// remembers a peer, or that one pulled from it, does so anyway.
	AwaitPeers bool
	Logger     *slog.Logger // default slog.Default()
	// Progress is told, while the journal is replayed, of how many bytes that is done, of how many in all. Nil: nobody is.
	Progress func(done, total int64)
	// Now is the wall clock in ms since the Unix epoch; default the system's.
	Now func() int64

	// InMemory keeps all of the store in memory, for tests and fuzzing: dir is only a name, and nothing outlives Close.
	InMemory bool
	// Disk keeps the store on a simulated disk. Nothing runs in the background then: the caller calls Flush, Sweep, Refresh
	// and Scrub.
	Disk *Disk

	fs       vfs.FS        // default: the disk
	segments journal.Store // default: files in dir
	segment  int           // size of a journal segment in bytes
	memTable int           // size of a memory table of Pebble's in bytes; default 32 MiB, less on a small disk (fitDisk)
	life     uint64        // go on in this one (Disk)
	manual   bool          // no background work: tests flush, sync and sweep by themselves
	readOnly bool          // Check looks at the database
	free     func() (int64, error)
	publish  func(batch []byte) // gets what each flush committed; valid during the call
	random   func() uint64      // default: rand.Uint64
}

func (o Options) withDefaults() Options {
	if o.UpdatePeriod == 0 {
		o.UpdatePeriod = time.Second
	}
	if o.CacheSize == 0 {
		o.CacheSize = 256 << 20
	}
	if o.Reserve == 0 {
		o.Reserve = 256 << 20
	}
	if o.MaxFiles == 0 {
		o.MaxFiles = MostFiles
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixMilli() }
	}
	if o.Backlog == 0 {
		o.Backlog = 256 << 20
	}
	if o.random == nil {
		o.random = rand.Uint64
	}
	if o.segment == 0 {
		o.segment = journal.DefaultSize
	}
	if o.InMemory {
		o.fs, o.segment, o.memTable = vfs.NewMem(), 1<<20, 1<<20
		o.free = func() (int64, error) { return math.MaxInt64, nil }
	}
	if o.Disk != nil {
		o.Disk.use(&o)
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	return o
}

// Engine is an open store. All methods may be called at the same time by many goroutines.
type Engine struct {
	options  Options
	log      *slog.Logger
	folder   *folder
	db       *pebble.DB
	journal  *journal.Journal
	segments journal.Store
	table    *table
	clock    hlc
	self     identity
	history  history
	startup  startup

	sync    syncing
	health  health
	running running
	pools   pools
	cuts    cuts
	pace    pace

	committer commitLock
	loads     sync.RWMutex // shared: a load; exclusively: foreign data becomes readable
	scans     sync.RWMutex // shared: a read of the database outside a guard; exclusively: Close
	counts    counts
	stale     staleKeys
	sweeps    sweeps
	published published
	watches   watches
}

// identity is what the store is among others. It changes inside a cut only.
type identity struct {
	id      tlv.ReplicaID
	former  []tlv.ReplicaID
	seed    [2]uint64 // of the key hash; as long as the store lives
	cluster atomic.Pointer[tlv.Cluster]
}

// startup is what this start has found.
type startup struct {
	created  bool  // nothing: it has made the store
	bytes    int64 // of the journal, to be replayed
	replayed atomic.Int64
}

// syncing says when the journal is synced.
type syncing struct {
	mu   sync.Mutex // held while mode and the journal's form change
	mode atomic.Uint32
}

// health says why the engine takes no writes, if it does not.
type health struct {
	refuse    atomic.Uint32 // refuse… bits
	closed    atomic.Bool
	fatal     atomic.Pointer[error]
	shortages atomic.Int64 // tables that could not be written because the disk was full
}

// running is what ends with the engine, or begins late.
type running struct {
	stop      chan struct{}
	gaveUp    chan struct{} // closed when the start is broken off
	leaving   chan struct{} // closed when the database is about to be closed
	confirmed chan struct{} // closed when the store awaits its peers no more
	done      sync.WaitGroup
}

// pools are memory that is used again.
type pools struct {
	pipes    sync.Pool // of *Pipeline, for Counter
	pendings sync.Pool // of *pending, zero
}

// counts are those of what shows.
type counts struct {
	keys    [Databases]atomic.Int64
	expires [Databases]atomic.Int64  // those with an expiry
	resized [Databases]atomic.Uint64 // the generation in which keys last changed, written before it does
	hashes  atomic.Bool              // there are fields in the store, or were since it was opened
}

// staleKeys are the entries with something to take in.
type staleKeys struct {
	period     atomic.Int64 // ms: the update period
	repaced    signal       // period has changed
	wake       signal       // there are such
	refreshing sync.Mutex   // one Refresh at a time

	mu       sync.Mutex // guards what follows, and entry.listed of those in keys
	keys     []*entry
	unlisted int // of keys: no longer cached
}

// sweeps is what removes what is over.
type sweeps struct {
	heldTo  atomic.Int64 // ms since the Unix epoch, of HoldExpiries
	longest atomic.Int64 // ns, of LongestSweep
	expired atomic.Int64
	litter  signal // there is something to scrub
}

// published is what peers may have.
type published struct {
	log     replicationLog
	durable atomic.Pointer[tlv.Vector] // vector as it is committed and synced
	shown   atomic.Pointer[tlv.Vector] // vector of what shows, a moment before it is synced
	news    news
}

const (
	refuseClosed = 1 << iota
	refuseFailed
	refuseSpace
)

// hlc is a hybrid logical clock (Kulkarni et al., 2014), in one word.
type hlc struct{ last atomic.Uint64 }

// next is a stamp after all before it, not before now (ms). A wall clock before 1970 is 0.
func (c *hlc) next(now int64) tlv.Stamp {
	for {
		last := c.last.Load()
		s := max(last+1, uint64(max(now, 0))<<tlv.StampShift)
		if c.last.CompareAndSwap(last, s) {
			return tlv.Stamp(s)
		}
	}
}

// hear moves the clock to a peer's stamp or beyond, but at most to maxAhead beyond now (ms): one bad clock does not run away with
// all others.
func (c *hlc) hear(s tlv.Stamp, now int64) {
	c.pass(min(s, tlv.Stamp(max(now, 0)+maxAhead)<<tlv.StampShift))
}

// pass moves the clock to s or beyond.
func (c *hlc) pass(s tlv.Stamp) {
	for {
		last := c.last.Load()
		if last >= uint64(s) || c.last.CompareAndSwap(last, uint64(s)) {
			return
		}
	}
}

// Ahead is how far the stamps of this replica are ahead of its wall clock, which was ahead before, or heard of one that was.
func (e *Engine) Ahead() time.Duration {
	return time.Duration(max(0, tlv.Stamp(e.clock.last.Load()).Millis()-e.Now())) * time.Millisecond
}

// show computes anew what e shows, and keeps the counts. The caller holds e exclusively and has settled it.
func (e *Engine) show(en *entry) {
	v := en.view(e.self.id)
	en.exists, en.natural, en.owner = v.Exists, v.Kind == tlv.Natural, v.Owner
	en.text = v.IsText
	named := en.named(e.self.id).Stamp
	en.carries = v.Expiry.Stamp <= named && (named != 0 || !en.isHead())
	en.anchor = v.Sum.Clamp()
	en.value.Store(en.anchor)
	if !v.Exists && en.fields == nil {
		en.expire.Store(0)
	} else {
		en.expire.Store(v.Expiry.At)
	}
	if en.watched {
		en.watched = e.touch(en)
	}
	if v.Exists && !v.IsText && v.Sum.IsInt64() && en.carries && en.pend != nil && en.pend.add && (!en.watched || isField(en.key)) {
		en.fast.Store(en.gen)
	} else {
		en.fast.Store(0)
	}
	e.tally(en, v.Exists, v.Expiry.At != 0)
	e.table.weigh(en)
}

// tally keeps the visible counts; exists and expires are those of the entry's own state.
func (e *Engine) tally(en *entry, exists, expires bool) {
	if isToken(en.key) {
		return
	}
	db := database(en.key)
	if exists != en.counted && en.gen != 0 {
		e.counts.resized[db].Store(en.gen)
	}
	if en.fields != nil {
		e.tallyHash(en, exists, expires)
		return
	}
	adjust(&e.counts.keys[db], &en.counted, exists)
	adjust(&e.counts.expires[db], &en.countedEx, exists && expires)
}

func adjust(n *atomic.Int64, was *bool, is bool) {
	if is && !*was {
		n.Add(1)
	} else if !is && *was {
		n.Add(-1)
	}
	*was = is
}

// tend closes what this replica has to close of its own: a contribution that others have cancelled wholly, and an expiry
// left over on a key that no longer exists. It says so in the next flush; after a crash it is found again.
func (e *Engine) tend(en *entry) {
	if en.own.Replica == 0 || en.own.Closed || en.pend != nil && en.pend.touch {
		return
	}
	open := en.ownOpen()
	if en.shown() && (open || !en.exists) { // a head's is named again: see inherit
		return
	}
	e.markDirty(en)
	en.pend.touch = true
	en.pend.reborn, en.pend.tended = open, open
	if en.fields != nil { // of a hash an expiry shows though nothing exists: fields may come
		e.show(en)
	}
}

// roll is entry.roll under the stamp of the last cut.
func (e *Engine) roll(en *entry) {
	p := en.roll(e.self.id, tlv.Stamp(e.cuts.stamp.Load()))
	*p = pending{}
	e.pools.pendings.Put(p)
}

// markDirty has e flushed with the present generation. It is called before e is changed.
func (e *Engine) markDirty(en *entry) {
	if en.gen == 0 {
		en.gen, en.pend = e.cuts.gen.Load(), e.pools.pendings.Get().(*pending)
		e.table.soil(en)
		if en.fields != nil && isField(en.key) {
			e.table.soilField(en)
		}
		e.pace.note()
	}
}

// fail makes every later write an error. The first reason stays.
func (e *Engine) fail(err error) error {
	first := e.health.fatal.CompareAndSwap(nil, &err)
	e.health.refuse.Or(refuseFailed)
	if first {
		e.log.Error("the engine stops taking writes; restart to recover", "err", err)
	}
	e.published.news.announce() // there will be no more
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// Fail has the engine take no more writes and publish nothing, for a reason of its user's, until it is opened again. It gives the error that
// calls get from now on.
func (e *Engine) Fail(reason error) error { return e.fail(reason) }

// Failed is why the engine takes no writes any more, or nil.
func (e *Engine) Failed() error {
	if p := e.health.fatal.Load(); p != nil {
		return *p
	}
	return nil
}

// failure is what a call gets once the engine has failed.
func (e *Engine) failure() error { return fmt.Errorf("%w: %w", ErrFailed, e.Failed()) }

// hash decides a key's place in the store and the table.
func (e *Engine) hash(key []byte) uint64 { return siphash.Hash(e.self.seed[0], e.self.seed[1], key) }

// Now is the wall clock that expiry goes by, in ms since the Unix epoch; before that it is 0.
func (e *Engine) Now() int64 { return max(0, e.options.Now()) }

// Sync is the present mode.
func (e *Engine) Sync() SyncMode { return SyncMode(e.sync.mode.Load()) }

// SetSync changes the mode for what is journaled from now on. After an error the mode is the stricter of the two.
func (e *Engine) SetSync(m SyncMode) error {
	if err := e.enterScan(); err != nil { // Close unmaps the journal
		return err
	}
	defer e.scans.RUnlock()
	e.sync.mu.Lock() // or one change could store its mode after another has changed the journal
	defer e.sync.mu.Unlock()
	if m == Always {
		e.sync.mode.Store(uint32(m))
	}
	if err := e.journal.SetBuffered(m == Always); err != nil {
		return fmt.Errorf("change of mode: %w", err)
	}
	e.sync.mode.Store(uint32(m))
	return nil
}

// UpdatePeriod bounds how late foreign data shows; 0: not at all.
func (e *Engine) UpdatePeriod() time.Duration {
	return time.Duration(e.stale.period.Load()) * time.Millisecond
}

// SetUpdatePeriod changes it, rounded up to ms; AlwaysFresh and 0 both mean 0.
func (e *Engine) SetUpdatePeriod(d time.Duration) {
	e.stale.period.Store(millis(d))
	e.stale.repaced.give()
}

func millis(d time.Duration) int64 {
	return int64((max(d, 0) + time.Millisecond - 1) / time.Millisecond)
}

// CacheSize is the bound on cached counters in bytes.
func (e *Engine) CacheSize() int64 { return e.table.limit.Load() }

// SetCacheSize changes it; what is too much goes as other keys are loaded.
func (e *Engine) SetCacheSize(n int64) { e.table.limit.Store(n) }

// Position is a place in the journal; 0 depends on nothing.
type Position = journal.Position

// Durable is the position up to which the journal is synced.
func (e *Engine) Durable() Position { return e.journal.Durable() }

// Appended is the position up to which there is anything at all.
func (e *Engine) Appended() Position { return e.journal.Appended() }

// Waiter is told once that the journal is synced up to its position, or that it never will be. The syncer calls it, in the
// order of Notify: it must not block.
type Waiter = journal.Waiter

// ErrDamaged: the journal lacks what it had durably. Open changes nothing then; Repair drops what cannot be read.
var ErrDamaged = journal.ErrDamaged

// Notify has w told once Durable is at least pos.
func (e *Engine) Notify(pos Position, w Waiter) { e.journal.Notify(pos, w) }

// Stats are figures for INFO.
type Stats struct {
	Keys, Expires            [Databases]int64 // exact
	AvgTTL                   [Databases]int64 // ms; of a sample of the cached keys that expire
	CacheEntries, CacheBytes int64
	CacheMisses              int64
	Evicted                  int64 // clean cache entries dropped; no key is lost by it
	Expired                  int64
	JournalSyncs             int64
	JournalBytes             int64 // appended, and not yet given up for what a flush has stored
	JournalBuffered          int64 // of these, not yet written to the file
	Flushes                  int64
	LastFlush                time.Time
	LastFlushTook            time.Duration
	DiskBytes                int64
	NoSpace                  bool
	Failed                   error
	Replayed                 int64 // journal records at the start
}

// LastFlush is when the database last got what was journaled, and how long that took.
func (e *Engine) LastFlush() (time.Time, time.Duration) {
	return time.UnixMilli(e.pace.lastFlush.Load()), time.Duration(e.pace.lastTook.Load())
}

// Stats gives the present figures.
func (e *Engine) Stats() Stats {
	s := Stats{
		CacheEntries: e.table.entries.Load(), CacheBytes: e.table.bytes.Load(), CacheMisses: e.table.misses.Load(),
		Evicted: e.table.evicted.Load(), Expired: e.sweeps.expired.Load(), JournalSyncs: e.journal.Syncs(),
		Flushes: e.pace.flushes.Load(),
		NoSpace: e.health.refuse.Load()&refuseSpace != 0, Failed: e.Failed(), Replayed: e.startup.replayed.Load(),
	}
	s.LastFlush, s.LastFlushTook = e.LastFlush()
	if e.enterScan() == nil {
		s.DiskBytes = int64(e.db.Metrics().DiskSpaceUsage())
		e.scans.RUnlock()
	}
	for i := range s.Keys {
		s.Keys[i], s.Expires[i] = e.counts.keys[i].Load(), e.counts.expires[i].Load()
	}
	s.AvgTTL = e.table.avgTTL(e.Now())
	s.JournalBytes, s.JournalBuffered = e.journal.Bytes()
	return s
}

func randomID(random func() uint64) tlv.ReplicaID {
	for {
		if id := random(); id != 0 {
			return tlv.ReplicaID(id)
		}
	}
}
