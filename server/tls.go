package server

import (
	"errors"
	"os"
	"time"
)

// handshakeTimeout is how long a client may take for the handshake of TLS.
const handshakeTimeout = 10 * time.Second

// handshake does that of TLS, if there is one to do. It leaves the socket without deadlines.
func (s *socket) handshake() error {
	if s.tls == nil {
		return nil
	}
	if err := s.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if err := s.tls.Handshake(); err != nil {
		return err
	}
	return s.SetDeadline(time.Time{})
}

// fillSecure waits for input, which is decrypted.
func (s *socket) fillSecure() error {
	if s.in == nil {
		s.in = s.buffers.get()
	}
	n, err := s.tls.Read(s.in[len(s.in):cap(s.in)])
	s.in = s.in[:len(s.in)+n]
	if n > 0 {
		return nil // the error comes again
	}
	s.keep(s.in)
	return err
}

// farewell tells the client of an end that is meant. It waits no more than a few seconds for it to be taken.
func (s *socket) farewell() {
	if s.tls != nil {
		_ = s.tls.CloseWrite() // the connection is closed next, whatever came of it
	}
}

// pollTime is how long poll waits under TLS, where nobody can tell whether something is there.
const pollTime = 100 * time.Microsecond

func (s *socket) pollSecure() error {
	if err := s.SetReadDeadline(time.Now().Add(pollTime)); err != nil {
		return err
	}
	err := s.fillSecure()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return errors.Join(err, s.SetReadDeadline(time.Time{}))
}
