package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Files keeps the segments as files of a directory.
type Files struct {
	dir     string
	buffers *sync.Pool // of *[]byte, of closed buffered segments
}

func NewFiles(dir string) Files {
	return Files{dir: dir, buffers: new(sync.Pool)}
}

// buffer gives memory that may hold anything: a buffered segment writes only what was appended.
func (s Files) buffer(size int) []byte {
	if b, ok := s.buffers.Get().(*[]byte); ok && len(*b) == size {
		return *b
	}
	return make([]byte, size)
}

type mappedFile struct {
	f   *os.File
	mem []byte
}

func (s Files) path(number uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("journal-%016x", number))
}

func (s Files) Create(number uint64, size int, head []byte, buffered bool) (File, error) {
	f, err := os.OpenFile(s.path(number), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	m, err := s.fill(f, size, buffered)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	copy(m.Bytes(), head)
	if err := m.Sync(0, len(head)); err != nil {
		return nil, errors.Join(err, m.Close(), os.Remove(f.Name()))
	}
	return m, nil
}

func (s Files) fill(f *os.File, size int, buffered bool) (File, error) {
	allocate := preallocate
	if buffered {
		allocate = writeZeros // so that a sync finds blocks that are written already, and has no metadata to change
	}
	if err := allocate(f, int64(size)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := syncDir(s.dir); err != nil {
		return nil, err
	}
	if buffered {
		return &bufferedFile{f: f, mem: s.buffer(size), free: s.buffers}, nil
	}
	return mapFile(f, size)
}

func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
	}
	return nil
}

func (s Files) Open(number uint64) (File, error) {
	f, err := os.OpenFile(s.path(number), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrMissing
	} else if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Size() == 0 { // died between creating and preallocating it
		return nil, errors.Join(ErrMissing, f.Close())
	}
	m, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return m, nil
}

func mapFile(f *os.File, size int) (File, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return &mappedFile{f: f, mem: mem}, nil
}

func (s Files) List() ([]uint64, error) {
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

func (s Files) Remove(number uint64) error { return os.Remove(s.path(number)) }

func (s Files) Lose(number uint64, from, to int) (name string, err error) {
	path := s.path(number)
	if from < to {
		if name, err = s.lostName(number, from); err != nil {
			return "", err
		}
	}
	switch {
	case from > 0:
		if name != "" {
			err = copyPart(filepath.Join(s.dir, name), path, from, to)
		}
		if err == nil {
			err = cutFile(path, from)
		}
	case name != "":
		err = os.Rename(path, filepath.Join(s.dir, name))
	default:
		err = os.Remove(path)
	}
	if err != nil {
		return "", err
	}
	return name, syncDir(s.dir)
}

// lostName gives a name that nothing has yet: the numbers of segments that are lost are used again.
func (s Files) lostName(number uint64, from int) (string, error) {
	base := fmt.Sprintf("lost-%016x-%d", number, from)
	name := base
	for i := 2; ; i++ {
		_, err := os.Lstat(filepath.Join(s.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", err
		}
		name = fmt.Sprintf("%s.%d", base, i)
	}
}

// copyPart makes a file of a part of another, durably but for its name; after an error there is none.
func copyPart(to, from string, begin, end int) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(in, int64(begin), int64(end-begin)))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// cutFile makes a file shorter, durably.
func cutFile(path string, size int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(int64(size)), f.Sync(), f.Close())
}

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

func (m *mappedFile) Touch(from, to int) { populate(m.mem[from:to]) }

func (m *mappedFile) Close() error {
	return errors.Join(unix.Munmap(m.mem), m.f.Close())
}

// bufferedFile holds the bytes in memory until they are synced.
type bufferedFile struct {
	f    *os.File
	mem  []byte
	free *sync.Pool
}

func (b *bufferedFile) Bytes() []byte { return b.mem }

func (b *bufferedFile) Sync(from, to int) error {
	if to <= from {
		return nil
	}
	if _, err := b.f.WriteAt(b.mem[from:to], int64(from)); err != nil {
		return err
	}
	return dataSync(b.f)
}

func (b *bufferedFile) Touch(int, int) {}

// Close gives the memory to the next segment: no writer uses it any more.
func (b *bufferedFile) Close() error {
	b.free.Put(&b.mem)
	return b.f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
