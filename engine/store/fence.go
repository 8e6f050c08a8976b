package store

import (
	"errors"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Fence stands between Pebble and the disk, because Pebble 2.1 has no way to stop writing and go on reading:
//
//   - An error of its log makes it panic, at a rotation even with a mutex that nobody can unlock any more; one of its
//     manifest leaves its lists of tables half changed. So no such error reaches it: the host fails, and what is written
//     there from then on goes nowhere. A committer asks Failed after its commit.
//   - Too many open files, of the process or the system, is no fault of the disk and passes: who opens a file waits until it can.
//   - A failed flush or compaction is tried again at once. So the error of a table is given back after a pause; a full disk
//     refuses writes until there is room, anything else fails the host.
//
// Once the host has failed nothing on the disk changes any more: the next start decides from what was there then.
type Fence struct {
	vfs.FS
	Host Host
}

// FencePause is how long the error of a table is held back.
const FencePause = 100 * time.Millisecond

// check reports the outcome of a write to a table.
func (f Fence) check(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) {
		f.Host.Full()
	} else if f.Host.Failed() == nil {
		err = f.Host.Fail(err)
	}
	f.pause()
	return err
}

// pause ends early when Pebble is about to be told to stop; before that it would try again at full speed.
func (f Fence) pause() { f.rest(FencePause) }

// rest waits, and says whether the store goes on: not if it is being closed, or its start was given up.
func (f Fence) rest(d time.Duration) bool {
	select {
	case <-f.Host.Leaving:
		return false
	case <-f.Host.GaveUp:
		return false
	case <-time.After(d):
		return true
	}
}

// TooManyFiles says that no file could be opened because the process or the system has too many.
func TooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// FilesPause is that between two attempts to open a file while too many are open.
const FilesPause = 20 * time.Millisecond

// patiently opens a file, and waits while too many are open.
func (f Fence) patiently(open func() (vfs.File, error)) (vfs.File, error) {
	for told := false; ; told = true {
		file, err := open()
		if !TooManyFiles(err) || f.Host.Failed() != nil {
			return file, err
		}
		if !told {
			f.Host.Log.Warn("too many open files: the store waits until some are closed; a greater ulimit -n avoids that", "err", err)
		}
		if !f.rest(FilesPause) {
			return file, err
		}
	}
}

// closed says why nothing may be written any more.
func (f Fence) closed() error {
	if err := f.Host.Failed(); err != nil {
		f.pause()
		return err
	}
	return nil
}

// unfailing says which files Pebble cannot go on without: its logs, its manifests, and what says which one holds.
func unfailing(name string) bool {
	base := path.Base(name)
	return path.Ext(base) == ".log" || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// open gives a file that is written to.
func (f Fence) open(name string, open func() (vfs.File, error)) (vfs.File, error) {
	if unfailing(name) {
		return f.openLog(open)
	}
	if err := f.closed(); err != nil {
		return nil, err
	}
	file, err := f.patiently(open)
	if err != nil {
		return nil, f.check(err)
	}
	return &fencedFile{File: file, f: f}, nil
}

func (f Fence) openLog(open func() (vfs.File, error)) (vfs.File, error) {
	if f.Host.Failed() == nil {
		file, err := f.patiently(open)
		if err == nil {
			return &fencedLog{File: file, host: f.Host}, nil
		}
		_ = f.Host.Fail(err) // logged there
	}
	return &fencedLog{File: vfs.NewMemFile(nil), host: f.Host}, nil
}

func (f Fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f Fence) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(newname, func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, c) })
}

func (f Fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, opts...) })
}

// Open is for reads, of tables above all. Without this a flush that reads would fail, which nobody can try again.
func (f Fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.patiently(func() (vfs.File, error) { return f.FS.Open(name, opts...) })
}

// OpenDir is for the syncs of directories, which Pebble does for its log and manifest too, and panics at their errors.
func (f Fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.patiently(func() (vfs.File, error) { return f.FS.OpenDir(name) })
	if err != nil {
		return nil, err
	}
	return &fencedLog{File: file, host: f.Host}, nil
}

func (f Fence) Rename(oldname, newname string) error {
	if err := f.closed(); err != nil {
		return err
	}
	return f.check(f.FS.Rename(oldname, newname))
}

func (f Fence) Remove(name string) error {
	if err := f.closed(); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// fencedFile is a table.
type fencedFile struct {
	vfs.File
	f Fence
}

func (w *fencedFile) do(write func() error) error {
	if err := w.f.closed(); err != nil {
		return err
	}
	return w.f.check(write())
}

func (w *fencedFile) Write(p []byte) (n int, err error) {
	err = w.do(func() (err error) { n, err = w.File.Write(p); return err })
	return n, err
}

func (w *fencedFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = w.do(func() (err error) { n, err = w.File.WriteAt(p, off); return err })
	return n, err
}

func (w *fencedFile) Sync() error     { return w.do(w.File.Sync) }
func (w *fencedFile) SyncData() error { return w.do(w.File.SyncData) }

func (w *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = w.do(func() (err error) { full, err = w.File.SyncTo(length); return err })
	return full, err
}

// fencedLog never fails; the host does.
type fencedLog struct {
	vfs.File
	host Host
}

func (w *fencedLog) do(write func() error) {
	if w.host.Failed() != nil {
		return
	}
	if err := write(); err != nil {
		_ = w.host.Fail(err) // logged there
	}
}

func (w *fencedLog) Write(p []byte) (int, error) {
	w.do(func() error { _, err := w.File.Write(p); return err })
	return len(p), nil
}

func (w *fencedLog) WriteAt(p []byte, off int64) (int, error) {
	w.do(func() error { _, err := w.File.WriteAt(p, off); return err })
	return len(p), nil
}

// Preallocate does nothing: Pebble asks for 35 MiB for each log, and begins with eight of which the first holds 256 KiB.
func (w *fencedLog) Preallocate(int64, int64) error { return nil }

func (w *fencedLog) Sync() error {
	w.do(w.File.Sync)
	return nil
}

func (w *fencedLog) SyncData() error {
	w.do(w.File.SyncData)
	return nil
}

func (w *fencedLog) SyncTo(length int64) (full bool, err error) {
	w.do(func() (err error) { full, err = w.File.SyncTo(length); return err })
	return full, nil
}

func (w *fencedLog) Close() error {
	if err := w.File.Close(); err != nil {
		_ = w.host.Fail(err) // logged there
	}
	return nil
}
