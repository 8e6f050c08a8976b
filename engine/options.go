package engine

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/journal"
	"atomiccounter/tlv"
)

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
	// Progress is told, while the journal is replayed, of how many bytes that is done, of how many in all. Nil: no call.
	Progress func(done, total int64)
	// Now is the wall clock in ms since the Unix epoch; default the system's.
	Now func() int64

	// InMemory keeps all of the store in memory, for tests and fuzzing: dir is only a name, and nothing outlives Close.
	InMemory bool
	// Disk has the store on a simulated disk (package enginetest). Nothing runs in the background then: the caller calls Flush, Sweep,
	// Refresh, Scrub and SyncJournal.
	Disk Disk

	fs       vfs.FS        // default: the disk
	segments journal.Store // default: files in dir
	segment  int           // size of a journal segment in bytes
	memTable int           // size of a memory table of Pebble's in bytes; default 32 MiB, less on a small disk (fitDisk)
	manual   bool          // no background work: tests flush, sync and sweep by themselves
	readOnly bool          // Check looks at the database
	free     func() (int64, error)
	publish  func(batch []byte) // gets what each flush committed; valid during the call
	random   func() uint64      // default: rand.Uint64
}

// Disk is all that a store stands on beside the clock. A simulation has one of its own.
type Disk interface {
	FS() vfs.FS             // has the database
	Journal() journal.Store // has the segments of the journal
	Random() uint64         // what the store draws next; not called by two goroutines at once
	Resumes() bool          // the process goes on with its memory, so in the same life, and awaits no peers

	// Opened gets what a simulation looks at in a store that is being opened: the state of a key of the engine (tlv.ValidateKey), as
	// the next batch would publish it, and the ID under which the tail of a life is published, 0 for none.
	Opened(state func(key []byte) (tlv.State, error), tail func(life uint64) tlv.ReplicaID)
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
		o.fs, o.segments, o.segment, o.manual, o.random = o.Disk.FS(), o.Disk.Journal(), 1<<16, true, o.Disk.Random
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	return o
}
