package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// smallDisk is the disk under dir as if it had a size and nothing else were on it but others bytes.
type smallDisk struct {
	vfs.FS
	dir    string
	size   int64
	others atomic.Int64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	used, err := occupied(d.dir, "")
	free := uint64(max(0, d.size-used-d.others.Load()))
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: uint64(d.size)}, err
}

// occupied is what the files under dir whose names end with suffix occupy in bytes, what is preallocated for them included.
func occupied(dir, suffix string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(name string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() || !strings.HasSuffix(name, suffix) {
			return ignoreGone(err)
		}
		info, err := f.Info()
		if err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return ignoreGone(err)
	})
	return sum, err
}

func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// TestSmallDisk: a store of many small flushes on a disk of 400 MiB stays far from its reserve. When others take what is left, the logs
// of the database are given back, and writes go on with the room.
func TestSmallDisk(t *testing.T) {
	d := &smallDisk{FS: vfs.Default, dir: t.TempDir(), size: 400 << 20}
	e, err := Open(d.dir, Options{fs: d, Logger: quiet, manual: true, Reserve: 64 << 20})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}()
	p := e.NewPipeline()
	written := 0
	count := func(n int) {
		t.Helper()
		for range n {
			if _, err := p.Incr(fmt.Appendf(nil, "key:%020d", written), 1); err != nil {
				t.Fatalf("Incr = %v after %d", err, written)
			}
			written++
		}
		if err := errors.Join(p.finish(), e.Flush()); err != nil {
			t.Fatalf("flush = %v", err)
		}
		e.checkSpace()
	}
	for range 60 {
		count(4000)
	}
	logs := func() int64 {
		t.Helper()
		n, err := occupied(d.dir, ".log")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := logs(); n > 48<<20 {
		t.Errorf("the logs of the database take %d MiB; want less than 48", n>>20)
	}
	for logs() < 2<<20 { // of which there is something to give back
		count(4000)
	}
	used, err := d.GetDiskUsage("")
	if err != nil {
		t.Fatal(err)
	}
	d.others.Store(int64(used.AvailBytes) - 32<<20)
	for give := time.Now().Add(time.Minute); logs() > 1<<20; time.Sleep(time.Millisecond) {
		if e.checkSpace(); time.Now().After(give) {
			t.Fatalf("the logs of the database take %d KiB though there is no room; want them given back", logs()>>10)
		}
	}
	if _, err := p.Incr([]byte("k"), 1); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Incr without room = %v; want %v", err, ErrNoSpace)
	}
	d.others.Store(0)
	e.checkSpace()
	count(1)
}
