package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// preallocate writes zeros: darwin's F_PREALLOCATE does not make the blocks part of the file.
func preallocate(f *os.File, size int64) error { return writeZeros(f, size) }

// dataSync makes the data of f durable; fsync alone leaves it in the drive's cache.
func dataSync(f *os.File) error { return flushDrive(f) }

func flushDrive(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_FULLFSYNC, 0)
	return err
}

// populate does nothing: darwin cannot be asked.
func populate([]byte) {}
