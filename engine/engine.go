package engine

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/history"
	"atomiccounter/engine/journal"
	"atomiccounter/engine/lockorder"
	"atomiccounter/engine/state"
	"atomiccounter/engine/store"
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

// Engine is an open store. All methods may be called at the same time by many goroutines.
type Engine struct {
	options  Options
	log      *slog.Logger
	folder   *store.Folder
	db       *pebble.DB
	journal  *journal.Journal
	segments journal.Store
	table    *table
	clock    hlc
	self     identity
	history  history.History
	startup  startup

	sync    syncing
	health  health
	running running
	pools   pools
	cuts    cuts
	pace    pace

	committer commitLock
	loads     lockorder.RWMutex // shared: a load; exclusively: foreign data becomes readable
	scans     lockorder.RWMutex // shared: a read of the database outside a guard; exclusively: Close
	counts    counts
	stale     staleKeys
	sweeps    sweeps
	published published
	watches   watches
}

// startup is what this start has found.
type startup struct {
	created  bool  // nothing: it has made the store
	bytes    int64 // of the journal, to be replayed
	replayed atomic.Int64
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
	opens    sync.Pool // of *opened, zero
	pendings sync.Pool // of *state.Pending, zero
}

// show computes anew what e shows, and keeps the counts. The caller holds e exclusively and has folded it.
func (e *Engine) show(en *entry) {
	v := en.state().View(e.self.id)
	named := en.state().Named(e.self.id).Stamp
	carries := v.Expiry.Stamp <= named && (named != 0 || !en.isHead())
	en.mark(there, v.Exists)
	en.mark(natural, v.Kind == tlv.Natural)
	en.mark(carrying, carries)
	o := en.rare.open
	o.text, o.owner, o.anchor = v.IsText, v.Owner, v.Sum.Clamp()
	en.value.Store(o.anchor)
	if !v.Exists && en.fields() == nil {
		en.expire.Store(0)
	} else {
		en.expire.Store(v.Expiry.At)
	}
	if en.is(underWatch) {
		en.mark(underWatch, e.breakWatches(en))
	}
	en.mark(quick, v.Exists && !v.IsText && v.Sum.IsInt64() && carries && o.state.Pending != nil && o.state.Pending.Adds() && (!en.is(underWatch) || isField(en.key())))
	e.counts.tally(en, v.Exists, v.Expiry.At != 0)
}

// closeLeftover closes what this replica has to close of its own: a contribution that others have cancelled wholly, and an expiry
// left over on a key that no longer exists. It says so in the next flush; after a crash it is found again.
func (e *Engine) closeLeftover(en *entry) {
	if en.state().Own.Replica == 0 || en.state().Own.Closed || en.state().Pending != nil && en.state().Pending.Publish {
		return
	}
	open := en.state().OwnOpen()
	if en.shown() && (open || !en.is(there)) { // a head's is named again: see inherit
		return
	}
	e.markDirty(en)
	en.state().Pending.Publish = true
	en.state().Pending.Reborn, en.state().Pending.Leftover = open, open
	if en.fields() != nil { // of a hash an expiry shows though nothing exists: fields may come
		e.show(en)
	}
}

// roll is entry.roll under the stamp of the last cut.
func (e *Engine) roll(en *entry) {
	p := en.roll(e.self.id, tlv.Stamp(e.cuts.stamp.Load()))
	*p = state.Pending{}
	e.pools.pendings.Put(p)
}

// markDirty has e flushed with the present generation. It is called before e is changed.
func (e *Engine) markDirty(en *entry) {
	if !en.is(pending) {
		en.mark(pending, true)
		en.gen, en.state().Pending = e.cuts.gen.Load(), e.pools.pendings.Get().(*state.Pending)
		e.table.addDirty(en)
		if en.fields() != nil && isField(en.key()) {
			e.table.addDirtyField(en)
		}
		e.pace.note()
	}
}

// Now is the wall clock that expiry goes by, in ms since the Unix epoch; before that it is 0.
func (e *Engine) Now() int64 { return max(0, e.options.Now()) }

// CacheSize is the bound on cached counters in bytes.
func (e *Engine) CacheSize() int64 { return e.table.limit.Load() }

// SetCacheSize changes it; what is too much goes as other keys are loaded.
func (e *Engine) SetCacheSize(n int64) { e.table.limit.Store(n) }

// Position is a place in the journal; 0 depends on nothing.
type Position = journal.Position

// Waiter is told once that the journal is synced up to its position, or that it never will be. The syncer calls it, in the
// order of Notify: it must not block.
type Waiter = journal.Waiter

// ErrDamaged: the journal lacks what it had durably. Open changes nothing then; Repair drops what cannot be read.
var ErrDamaged = journal.ErrDamaged

// ErrNotStore: the directory holds something that is not a store of this format; it was not touched.
var ErrNotStore = store.ErrNotStore

// ErrLocked: another process has the store open.
var ErrLocked = store.ErrLocked

// IsStore says whether a directory holds a store, of whatever format.
func IsStore(dir string) bool { return store.IsStore(dir) }
