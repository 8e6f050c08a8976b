//go:build !linux

package process

import (
	"errors"
	"syscall"
	"time"
)

// leash is known on Linux only.
func leash() *syscall.SysProcAttr { return nil }

// CPU is known on Linux only.
func (s *Server) CPU() (time.Duration, error) { return 0, errors.ErrUnsupported }

// RSS is known on Linux only.
func (s *Server) RSS() (now, peak int64, err error) { return 0, 0, errors.ErrUnsupported }

// DiskUsage is known on Linux only.
func (s *Server) DiskUsage() (int64, error) { return 0, errors.ErrUnsupported }
