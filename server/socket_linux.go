package server

import (
	"syscall"
	"unsafe"
)

// The system calls of a non-blocking socket return within microseconds. They are made without telling the scheduler, which
// would otherwise watch each of them, and when one takes 20 µs hand its processor to another thread: at 50 clients that
// cost more than the calls did. A stop of the world waits for them that long.

func sysRead(fd int, b []byte) (int, error)  { return rawSyscall(syscall.SYS_READ, fd, b) }
func sysWrite(fd int, b []byte) (int, error) { return rawSyscall(syscall.SYS_WRITE, fd, b) }

func rawSyscall(trap uintptr, fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// holdBack has a TCP socket keep less than a full packet until it is shut, or for 200 ms.
func holdBack(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) // without it the end only comes a little later
}
