package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	formatName    = "FORMAT"
	formatNew     = "FORMAT.new" // a store that is being made; renamed to FORMAT when it is complete
	formatLine    = "atomiccounter 5\n"
	copyName      = "COPY" // of a copy, which takes a new replica ID when it is opened: the original may have gone on
	journalFolder = "journal"
	dbFolder      = "db"
)

// formatsBefore are those that a start makes this one of. In version 2 there were no fields of hashes and no tokens, in version 3
// no hashes of batches; up to version 4 the records of the history and of a transfer were JSON.
var formatsBefore = []string{"atomiccounter 2\n", "atomiccounter 3\n", "atomiccounter 4\n"}

// ErrNotStore: the directory holds something that is not a store of this format; it was not touched.
var ErrNotStore = errors.New("not an atomiccounter store")

// ErrLocked: another process has the store open.
var ErrLocked = errors.New("in use by another process")

// Folder is a locked store directory.
type Folder struct {
	Dir   string
	Fresh bool // no store there yet
	fs    vfs.FS
	lock  *pebble.Lock
}

// OpenFolder locks dir, which is created if create is set and it is missing or empty. What is not a store is left as it is.
func OpenFolder(fs vfs.FS, dir string, create bool) (*Folder, error) {
	fresh, err := probe(fs, dir)
	if err != nil {
		return nil, err
	}
	if fresh && !create {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotStore)
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if fresh { // or a power failure may take the whole directory
		if err := syncFolder(fs, path.Dir(dir)); err != nil {
			return nil, err
		}
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (%w)", dir, ErrLocked, err)
	}
	f := &Folder{Dir: dir, fs: fs, lock: lock}
	if f.Fresh, err = probe(fs, dir); err != nil { // again: the owner before may have gone on
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

// Close unlocks it.
func (f *Folder) Close() error { return f.lock.Close() }

// probe says whether dir holds no store yet; if it holds anything else, that is an error.
func probe(fs vfs.FS, dir string) (fresh bool, err error) {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	if slices.Contains(names, formatName) {
		return false, checkFormat(fs, path.Join(dir, formatName))
	}
	if slices.Contains(names, formatNew) {
		return true, nil
	}
	for _, name := range names {
		if name != "LOCK" && name != "lost+found" {
			return false, fmt.Errorf("%s: %w: it has no file %s, but %s", dir, ErrNotStore, formatName, name)
		}
	}
	return true, nil
}

// IsStore says whether a directory holds a store, of whatever format.
func IsStore(dir string) bool {
	_, err := os.Lstat(path.Join(dir, formatName))
	return err == nil
}

func checkFormat(fs vfs.FS, name string) error {
	line, err := readFormat(fs, name)
	if err != nil || line == formatLine || slices.Contains(formatsBefore, line) {
		return err
	}
	if v, ok := strings.CutPrefix(line, "atomiccounter "); ok {
		return fmt.Errorf("%s: format version %s is unknown to this program, which reads versions 2 to 5", name, strings.TrimSpace(v))
	}
	return fmt.Errorf("%s: %w", name, ErrNotStore)
}

func readFormat(fs vfs.FS, name string) (string, error) {
	f, err := fs.Open(name)
	if err != nil {
		return "", err
	}
	line, err := io.ReadAll(io.LimitReader(f, 64))
	return string(line), errors.Join(err, f.Close())
}

// Upgrade makes a store of the version before one of this version, before anything else is changed.
func (f *Folder) Upgrade() error {
	line, err := readFormat(f.fs, f.path(formatName))
	if err != nil || line == formatLine {
		return err
	}
	if err := f.put(formatNew, formatLine); err != nil {
		return err
	}
	return f.Finish()
}

// Begin notes that a store is being made, and removes what an attempt before left.
func (f *Folder) Begin() error {
	if err := errors.Join(f.put(formatNew, formatLine), f.sync()); err != nil {
		return err
	}
	for _, name := range []string{f.Journal(), f.Database()} {
		if err := f.fs.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

// Finish makes the store count as made.
func (f *Folder) Finish() error {
	f.Fresh = false
	return errors.Join(f.fs.Rename(f.path(formatNew), f.path(formatName)), f.sync())
}

func (f *Folder) sync() error { return syncFolder(f.fs, f.Dir) }

func syncFolder(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *Folder) path(name string) string { return path.Join(f.Dir, name) }

// Journal is the directory of the journal's segments.
func (f *Folder) Journal() string { return f.path(journalFolder) }

// Database is the directory of the database.
func (f *Folder) Database() string { return f.path(dbFolder) }

// put writes a small file, synced; its name is not yet.
func (f *Folder) put(name, text string) error {
	file, err := f.fs.Create(f.path(name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(text))
	return errors.Join(err, file.Sync(), file.Close())
}

// Copy writes a marked copy of the database and an empty journal to dir, which does not exist.
func (f *Folder) Copy(db *pebble.DB, dir string) error {
	to := &Folder{Dir: dir, fs: f.fs}
	if err := to.fs.MkdirAll(to.Journal(), 0o700); err != nil {
		return err
	}
	return errors.Join(
		db.Checkpoint(to.Database(), pebble.WithFlushedWAL()),
		to.put(copyName, ""),
		to.put(formatName, formatLine), // last: without it this is no store
		to.sync(), syncFolder(to.fs, path.Dir(dir)),
	)
}

// IsCopy says whether the store is marked as a copy.
func (f *Folder) IsCopy() bool {
	_, err := f.fs.Stat(f.path(copyName))
	return err == nil
}

// Unmark makes a copy a store like any other.
func (f *Folder) Unmark() error { return errors.Join(f.fs.Remove(f.path(copyName)), f.sync()) }
