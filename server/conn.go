package server

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"atomiccounter/commands"
)

// conn carries a session over a socket. Its goroutine reads, runs what it has read, hands over the replies, and reads on.
type conn struct {
	client  *commands.Client
	session *Session
	sock    *socket
	out     *outbox
	shared  *commands.Server
	ending  atomic.Bool // hangUp was called
	called  atomic.Bool // wake was, and the read that it interrupts has not ended yet
}

func (s *Server) newConn(nc net.Conn, secure *tls.Config, c *commands.Client) (*conn, error) {
	sock, err := newSocket(nc, &s.buffers, secure, c.Queued)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		c.Channel = sock.channel
	}
	made := &conn{
		client:  c,
		session: NewSession(s.shared, c),
		sock:    sock,
		out:     newOutbox(sock, func() journal { return s.shared.Engine }, &s.shared.Stats),
		shared:  s.shared,
	}
	made.called.Store(true) // a handshake is not to be disturbed
	return made, nil
}

// serve talks to the client until one of them ends it, and says why. The socket is still to be closed then.
func (c *conn) serve() error {
	err := c.begin()
	if err == nil {
		err = c.converse()
	}
	if e := c.out.finish(); e != nil {
		err = e
	}
	return err
}

// begin makes the connection ready to be read from.
func (c *conn) begin() error {
	if err := c.sock.handshake(); err != nil {
		return err
	}
	c.called.Store(false)
	if c.ending.Load() { // perhaps before the handshake took the deadline back
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *conn) converse() error {
	for {
		if err := c.deliver(); err != nil {
			return err
		}
		if err := c.out.waitRoom(); err != nil {
			return err
		}
		if err := c.receive(); err != nil {
			return err
		}
		if err := c.respond(); err != nil {
			return err
		}
		c.client.Received(int64(len(c.sock.in)), int64(cap(c.sock.in))+c.session.Held())
	}
}

// receive waits for input, or to be woken. A connection that is woken all the time still reads what the client sends.
func (c *conn) receive() error {
	err := c.sock.fill()
	if err == nil {
		return nil
	}
	if err = c.awake(err); err != nil {
		return err
	}
	if err := c.deliver(); err != nil {
		return err
	}
	if err = c.sock.poll(); err == nil && c.ending.Load() { // perhaps before a deadline was taken back
		err = os.ErrDeadlineExceeded
	}
	c.called.Store(false) // after the deadline, which a wake from now on sets again, and before the inbox is looked at
	return err
}

// wake has the connection's goroutine look at what others have sent to its client. Any goroutine may call it; it does not
// wait.
func (c *conn) wake() {
	if c.called.CompareAndSwap(false, true) {
		if err := c.sock.interrupt(); err != nil {
			c.shared.Log.Debug("cannot wake a connection", "client", c.client.ID, "err", err)
		}
	}
}

// awake is what follows when a read has ended with err: if wake did it, the next one may begin. Until called is taken back
// no wake disturbs it.
func (c *conn) awake(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if e := c.sock.SetReadDeadline(time.Time{}); e != nil || c.ending.Load() {
		return errors.Join(err, e)
	}
	return nil
}

// deliver sends what others have sent to the client.
func (c *conn) deliver() error {
	for {
		replies := c.session.Replies()
		pos, some := c.session.Deliver()
		if !some {
			return nil
		}
		b := *replies
		*replies = nil
		if err := c.out.send(b, pos); err != nil {
			return err
		}
	}
}

// respond runs all complete commands that have been received, round by round.
func (c *conn) respond() error {
	replies := c.session.Replies()
	*replies = c.sock.buffers.get()
	defer c.dropReplies()
	for rest := c.sock.in; ; {
		r := c.session.Feed(rest)
		rest = rest[r.Consumed:]
		if r.Close {
			c.sock.hold()
		}
		if err := c.out.send(*replies, r.Position); err != nil {
			return err
		}
		*replies = (*replies)[:0]
		c.client.Sent()
		if r.Close {
			return closing(r.Err)
		}
		switch {
		case r.Wait != nil:
			c.sock.keep(rest)
			c.dropReplies()
			if err := c.wait(r.Wait); err != nil {
				return err
			}
			*replies, rest = c.sock.buffers.get(), c.sock.in
		case !r.More:
			c.sock.keep(rest)
			return nil
		}
	}
}

func (c *conn) dropReplies() {
	replies := c.session.Replies()
	c.sock.buffers.put(*replies)
	*replies = nil
}

// errClosing ends a conversation as both sides wish.
var errClosing = errors.New("connection is closed at the client's wish")

func closing(err error) error {
	if err == nil {
		return errClosing
	}
	return err
}

// hangUp ends the conversation after the round in progress. Any goroutine may call it.
func (c *conn) hangUp() error {
	c.ending.Store(true) // before the deadline, which wait takes back
	return c.sock.interrupt()
}

// kill ends the connection at once. Any goroutine may call it; it does not wait.
func (c *conn) kill() {
	c.client.Ended.Store(true)
	if err := c.sock.end(); err != nil {
		c.shared.Log.Warn("cannot close a connection", "client", c.client.ID, "err", err)
	}
}

// note logs why a conversation ended: what clients do all the time at the level debug only.
func (c *conn) note(err error) {
	level, what := slog.LevelWarn, "client disconnected"
	switch {
	case ordinary(err):
		level = slog.LevelDebug
	case c.sock.tls != nil && !c.sock.tls.ConnectionState().HandshakeComplete:
		what = "client disconnected: no TLS with it"
	}
	c.shared.Log.Limited(level, what, slog.Int64("client", c.client.ID), slog.String("addr", c.client.Addr), slog.Any("reason", err))
}

func ordinary(err error) bool {
	var p protocolError
	return errors.Is(err, errClosing) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &p)
}
