package tests

import (
	"syscall"
	"testing"
)

// TestHangup: a terminal that closes does not end the server.
func TestHangup(t *testing.T) {
	s := start(t, ours)
	if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err != nil {
		t.Errorf("after SIGHUP: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("Stop after SIGHUP: %v", err)
	}
}
