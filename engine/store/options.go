package store

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Host is what the database stands in. It may fail for reasons of its own, and fails when the disk does.
type Host struct {
	Log     *slog.Logger
	Fail    func(error) error // the host fails, and logs that; gives what callers get from then on
	Failed  func() error      // why nothing on the disk may change any more, or nil
	Full    func()            // a table could not be written, because the disk is full
	Leaving <-chan struct{}   // closed before the database is
	GaveUp  <-chan struct{}   // closed when an Open is broken off
}

// Options of Open.
type Options struct {
	FS       vfs.FS
	Host     Host
	Create   bool // there is none yet
	ReadOnly bool
	InMemory bool // FS is
	MaxFiles int  // open ones, all in all
	MemTable int  // size of a memory table in bytes
}

// Open opens the database in dir.
func Open(dir string, o Options) (*pebble.DB, error) { return pebble.Open(dir, o.pebble()) }

func (o *Options) pebble() *pebble.Options {
	p := &pebble.Options{
		FS:                          Fence{o.FS, o.Host},
		Merger:                      Merger,
		Logger:                      pebbleLog{o.Host},
		Cleaner:                     remover{},
		ErrorIfNotExists:            !o.Create,
		ErrorIfExists:               o.Create,
		ReadOnly:                    o.ReadOnly,
		CacheSize:                   80 << 20,
		MaxOpenFiles:                o.MaxFiles,
		MemTableSize:                uint64(o.MemTable),
		MemTableStopWritesThreshold: stallNever,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       stallNever,
		LBaseMaxBytes:               64 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
	}
	p.EventListener = &pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) {
		o.Host.Log.Error("pebble", "msg", info.String()) // a reader gets an error
	}}
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		if i < len(p.Levels)-1 { // what is soon to be written again
			p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		}
	}
	if o.InMemory {
		p.CacheSize = 1 << 20
	}
	return p
}

// remover removes what Pebble does not need any more. Pebble keeps its logs to write them again, as many as it ever needed at
// once, unless its cleaner wants what they contain.
type remover struct {
	pebble.DeleteCleaner
	wantsContents
}

type wantsContents struct{ pebble.ArchiveCleaner }

// pebbleLog passes Pebble's messages on. Its fatal ones, which Pebble would end the process with, fail the host: from then
// on the fence lets nothing change on the disk, and reads go on.
type pebbleLog struct{ host Host }

func (l pebbleLog) Infof(format string, args ...any) {
	l.host.Log.Debug("pebble", "msg", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.host.Log.Error("pebble", "msg", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	_ = l.host.Fail(fmt.Errorf("pebble: "+format, args...)) // logged there
}
