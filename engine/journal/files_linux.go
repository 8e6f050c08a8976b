package journal

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// preallocate gives f its blocks now, so that a full disk is met here and never by a write through the map.
func preallocate(f *os.File, size int64) error {
	return unix.Fallocate(int(f.Fd()), 0, 0, size)
}

// dataSync makes the data of f durable.
func dataSync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// flushDrive has nothing to do: msync reaches the medium.
func flushDrive(*os.File) error { return nil }

// populate makes the whole pages of mapped memory present and writable. Kernels before 5.14 refuse, which costs only speed.
func populate(mem []byte) {
	page := uintptr(os.Getpagesize())
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(mem))) & (page - 1))
	if n := (len(mem) - skip) &^ int(page-1); n > 0 {
		_ = unix.Madvise(mem[skip:skip+n], unix.MADV_POPULATE_WRITE)
	}
}
