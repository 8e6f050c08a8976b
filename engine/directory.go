package engine

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
	journalFolder = "journal"
	dbFolder      = "db"
)

// formatsBefore are those that a start makes this one of. In version 2 there were no fields of hashes and no tokens, in version 3
// no hashes of batches (convert); up to version 4 the records of the history and of a transfer were JSON (history.Begin, transfer).
var formatsBefore = []string{"atomiccounter 2\n", "atomiccounter 3\n", "atomiccounter 4\n"}

// ErrNotStore: the directory holds something that is not a store of this format; it was not touched.
var ErrNotStore = errors.New("not an atomiccounter store")

// ErrLocked: another process has the store open.
var ErrLocked = errors.New("in use by another process")

// folder is a locked store directory.
type folder struct {
	fs    vfs.FS
	dir   string
	lock  *pebble.Lock
	fresh bool // no store there yet
}

// openFolder locks dir, which is created if create is set and it is missing or empty. What is not a store is left as it is.
func openFolder(fs vfs.FS, dir string, create bool) (*folder, error) {
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
	f := &folder{fs: fs, dir: dir, lock: lock}
	if f.fresh, err = probe(fs, dir); err != nil { // again: the owner before may have gone on
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

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

// upgrade makes a store of the version before one of this version, before anything else is changed.
func (f *folder) upgrade() error {
	line, err := readFormat(f.fs, f.path(formatName))
	if err != nil || line == formatLine {
		return err
	}
	if err := f.put(formatNew, formatLine); err != nil {
		return err
	}
	return f.finish()
}

// begin notes that a store is being made, and removes what an attempt before left.
func (f *folder) begin() error {
	file, err := f.fs.Create(path.Join(f.dir, formatNew), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(formatLine))
	if err = errors.Join(err, file.Sync(), file.Close(), f.sync()); err != nil {
		return err
	}
	for _, name := range []string{journalFolder, dbFolder} {
		if err := f.fs.RemoveAll(path.Join(f.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// finish makes the store count as made.
func (f *folder) finish() error {
	f.fresh = false
	return errors.Join(f.fs.Rename(path.Join(f.dir, formatNew), path.Join(f.dir, formatName)), f.sync())
}

func (f *folder) sync() error { return syncFolder(f.fs, f.dir) }

func syncFolder(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *folder) path(name string) string { return path.Join(f.dir, name) }
