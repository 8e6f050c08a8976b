package store

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// Host is what the database stands in. It may fail for reasons of its own, and fails when the disk does.
type Host struct {
	Log     *slog.Logger
	Fail    func(error) error // the host fails, and logs that; gives what callers get from then on
	Failed  func() error      // why nothing on the disk may change any more, or nil
	Full    func()            // a table could not be written, because the disk is full
	Leaving <-chan struct{}   // closed before the database is
	GaveUp  <-chan struct{}   // closed when a start is broken off
}

// Options of a database.
type Options struct {
	Host     Host
	ReadOnly bool
	InMemory bool // the file system is
	MaxFiles int  // open ones, all in all
	MemTable int  // size of a memory table in bytes
}

// OpenDatabase opens the folder's database, or creates it if the folder is fresh.
func (f *Folder) OpenDatabase(o Options) (*pebble.DB, error) {
	return pebble.Open(f.Database(), o.pebble(f))
}

func (o *Options) pebble(f *Folder) *pebble.Options {
	p := &pebble.Options{
		FS:                          Fence{f.fs, o.Host},
		Merger:                      Merger,
		Logger:                      pebbleLog{o.Host},
		Cleaner:                     remover{},
		ErrorIfNotExists:            !f.Fresh,
		ErrorIfExists:               f.Fresh,
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
