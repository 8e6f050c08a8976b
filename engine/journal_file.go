package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fileSegments keeps the segments as files of a directory.
type fileSegments struct{ dir string }

type mappedFile struct {
	f   *os.File
	mem []byte
}

func (s fileSegments) path(number uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("journal-%016x", number))
}

func (s fileSegments) Create(number uint64, size int) (segmentFile, error) {
	f, err := os.OpenFile(s.path(number), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	m, err := s.fill(f, size)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return m, nil
}

func (s fileSegments) fill(f *os.File, size int) (segmentFile, error) {
	if err := preallocate(f, int64(size)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := syncDir(s.dir); err != nil {
		return nil, err
	}
	return mapFile(f, size)
}

func (s fileSegments) Open(number uint64) (segmentFile, error) {
	f, err := os.OpenFile(s.path(number), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errMissing
	} else if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Size() == 0 { // died between creating and preallocating it
		return nil, errors.Join(errMissing, f.Close())
	}
	m, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return m, nil
}

func mapFile(f *os.File, size int) (segmentFile, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return &mappedFile{f: f, mem: mem}, nil
}

func (s fileSegments) List() ([]uint64, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "journal-*"))
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, name := range names {
		var n uint64
		if _, err := fmt.Sscanf(filepath.Base(name), "journal-%016x", &n); err != nil {
			return nil, fmt.Errorf("%s is not a journal segment", name)
		}
		list = append(list, n)
	}
	return list, nil
}

func (s fileSegments) Remove(number uint64) error { return os.Remove(s.path(number)) }

func (m *mappedFile) Bytes() []byte { return m.mem }

// Sync uses msync, which on Linux is fdatasync of the range; darwin needs its own flush of the drive's cache besides.
func (m *mappedFile) Sync(from, to int) error {
	from = from / os.Getpagesize() * os.Getpagesize()
	if to <= from {
		return nil
	}
	if err := unix.Msync(m.mem[from:to], unix.MS_SYNC); err != nil {
		return err
	}
	return flushDrive(m.f)
}

func (m *mappedFile) Close() error {
	return errors.Join(unix.Munmap(m.mem), m.f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
