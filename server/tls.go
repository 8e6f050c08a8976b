package server

import (
	"errors"
	"net"
	"os"
	"time"

	"atomiccounter/replica/handshake"
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

// channel is what only the two ends of this connection can know.
func (s *socket) channel() ([]byte, error) {
	state := s.tls.ConnectionState()
	return state.ExportKeyingMaterial(handshake.ChannelLabel, nil, handshake.Size)
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

// hold keeps what is written from now on until farewell, or for a moment: a client that has the last reply has the end of the
// connection too. Otherwise it might send once more in between, in vain.
func (s *socket) hold() {
	if _, ok := s.wire.Conn.(*net.TCPConn); ok {
		_ = s.wire.raw.Control(holdBack) // which fails only on a connection that is closed
	}
}

// farewell tells the client of an end that is meant. It does not wait for it to be taken.
func (s *socket) farewell() {
	// The connection is closed next, whatever comes of these.
	if s.tls != nil {
		_ = s.tls.CloseWrite()
	}
	if tcp, ok := s.wire.Conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // before the close, which drops what is held if the client has sent more
	}
}

// pollTime is how long poll waits under TLS, where it cannot be told whether something is there.
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
