package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/tidwall/redcon"

	"atomiccounter/commands"
)

// What clients that are not let in are told.
const (
	tooManyClients = "ERR max number of clients reached"
	denied         = "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. " +
		"In this mode connections are only accepted from the loopback interface. " +
		"If you want to connect from external computers to Redis you may adopt one of the following solutions: " +
		"1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, " +
		"however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. " +
		"2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. " +
		"3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. " +
		"4) Setup a an authentication password for the default user. " +
		"NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside."
)

// Pauses after a failed accept, while the process is out of descriptors for instance.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// guest is a new connection, of TLS if secure is there.
type guest struct {
	net.Conn
	secure *tls.Config
}

// accept lets clients of one listener in until it is closed. Whatever else fails, it tries again.
func (s *Server) accept(ctx context.Context, l listener) {
	pause := minAcceptPause
	for ctx.Err() == nil {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = minAcceptPause
			s.admit(guest{nc, l.secure})
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.shared.Log.Error("cannot accept a connection", "listener", l.Addr().String(), "err", err, "retry", pause)
			sleep(ctx, pause)
			pause = min(2*pause, maxAcceptPause)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// admit begins to serve a connection, or turns it away.
func (s *Server) admit(g guest) {
	if s.protected() && !local(g.RemoteAddr()) {
		s.shared.Log.Limited(slog.LevelWarn, "client turned away: there is no password, and it is not on this machine", slog.String("addr", g.RemoteAddr().String()))
		s.turnAway(g, denied)
		return
	}
	client := describe(g.Conn)
	c, err := s.newConn(g.Conn, g.secure, client)
	if err != nil {
		s.shared.Log.Limited(slog.LevelError, "cannot serve a connection", slog.String("addr", client.Addr), slog.Any("err", err))
		s.turnAway(g, "")
		return
	}
	if err := keepAlive(g.Conn, s.shared.Config.KeepAlive()); err != nil {
		s.shared.Log.Limited(slog.LevelDebug, "cannot set tcp-keepalive", slog.String("addr", client.Addr), slog.Any("err", err))
	}
	client.Kill, client.Wake = c.kill, c.wake
	if !s.shared.Clients.Add(client, s.shared.Config.MaxClients()) {
		s.shared.Log.Limited(slog.LevelWarn, "client turned away: there are as many as maxclients", slog.String("addr", client.Addr))
		s.turnAway(g, tooManyClients)
		return
	}
	s.start(c)
}

// start runs the connection on a goroutine of its own, unless the server is ending.
func (s *Server) start(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.shared.Forget(c.client)
		c.kill()
		return
	}
	s.conns[c] = struct{}{}
	s.shared.Stats.Connections.Add(1)
	s.handlers.Go(func() {
		err := c.serve()
		s.remove(c)
		c.sock.keep(nil)
		c.note(err)
	})
}

// remove ends what start began. A client that sees the connection end can count on there being room for another.
func (s *Server) remove(c *conn) {
	c.session.Close()
	s.shared.Forget(c.client)
	c.sock.farewell()
	c.kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// turnAway tells the client why, and closes the connection. A new socket has room for that, so it does not wait. Under TLS nobody
// could be told without a handshake.
func (s *Server) turnAway(g guest, why string) {
	s.shared.Stats.Rejected.Add(1)
	var err error
	if g.secure == nil && why != "" {
		_, err = g.Write(redcon.AppendError(nil, why))
	}
	if err = errors.Join(err, g.Close()); err != nil {
		s.shared.Log.Limited(slog.LevelDebug, "turned a client away", slog.Any("err", err))
	}
}

// protected says that only clients on this machine are let in: there is no password.
func (s *Server) protected() bool {
	config := &s.shared.Config
	return config.Protected() && config.Password() == ""
}

func local(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// describe is what CLIENT LIST shows of a connection.
func describe(nc net.Conn) *commands.Client {
	now := time.Now()
	c := &commands.Client{Addr: nc.RemoteAddr().String(), LocalAddr: nc.LocalAddr().String(), Created: now, Local: local(nc.RemoteAddr())}
	if u, ok := nc.LocalAddr().(*net.UnixAddr); ok {
		c.Unix = true
		c.Addr = fmt.Sprintf("%s:0", u.Name)
		c.LocalAddr = c.Addr
	}
	c.Active.Store(now.UnixNano())
	return c
}
