package server

import "syscall"

func sysRead(fd int, b []byte) (int, error)  { return syscall.Read(fd, b) }
func sysWrite(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }

// holdBack does nothing here: the end comes right after the last reply.
func holdBack(uintptr) {}
