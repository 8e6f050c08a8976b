package broadcast

import "testing"

func TestSignal(t *testing.T) {
	var s Signal
	s.Send() // nothing waits
	a, b := s.Next(), s.Next()
	select {
	case <-a:
		t.Error("Next is closed before Send")
	default:
	}
	s.Send()
	<-a
	<-b
	select {
	case <-s.Next():
		t.Error("Next is closed by a Send that was before it")
	default:
	}
}
