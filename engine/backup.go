package engine

import (
	"errors"
	"fmt"
	"path"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// copyName marks a store that is a copy: it takes a new replica ID when it is opened. The original may have gone on.
const copyName = "COPY"

// Backup writes a marked copy of the store, as it is now, to dir, which must not exist. It takes little space at first: what
// does not change the two share by hard links, where dir is on the same file system. The process goes on meanwhile, but
// nothing is flushed.
func (e *Engine) Backup(dir string) error {
	if err := e.awaitPeers(); err != nil {
		return err
	}
	c := e.committer.lock()
	defer c.unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	fs := e.options.fs
	if _, err := fs.Stat(dir); err == nil {
		return fmt.Errorf("backup: %s exists already", dir)
	}
	if e.tight() {
		return fmt.Errorf("backup: %w", ErrNoSpace)
	}
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.giveAway(); err != nil {
		return err
	}
	f := &folder{fs: fs, dir: dir}
	if err := fs.MkdirAll(f.path(journalFolder), 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	err := errors.Join(
		e.db.Checkpoint(f.path(dbFolder), pebble.WithFlushedWAL()),
		f.put(copyName, ""),
		f.put(formatName, formatLine), // last: without it this is no store
		f.sync(), syncFolder(fs, path.Dir(dir)),
	)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// put writes a small file, synced; its name is not yet.
func (f *folder) put(name, text string) error {
	file, err := f.fs.Create(path.Join(f.dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(text))
	return errors.Join(err, file.Sync(), file.Close())
}

// isCopy says whether the store is marked.
func (f *folder) isCopy() bool {
	_, err := f.fs.Stat(f.path(copyName))
	return err == nil
}
