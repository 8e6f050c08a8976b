// Package broadcast wakes all goroutines that wait for something to happen, for the engine and the replication.
package broadcast

import "sync"

// Signal tells of something that happens again and again. The zero value is ready.
type Signal struct {
	mu   sync.Mutex
	next chan struct{} // nil: there was no Next since the last Send
}

// Next is closed by the next Send. The caller asks for it before it looks at what may change.
func (s *Signal) Next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Send wakes all goroutines that wait.
func (s *Signal) Send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
