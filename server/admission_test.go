package server

import (
	"errors"
	"io"
	"net"
	"testing"

	"atomiccounter/commands"
	"atomiccounter/commands/config"
)

func TestMaxClients(t *testing.T) {
	r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.MaxClients = 2 })}, nil)
	a, b := r.dial(t), r.dial(t)
	for _, p := range []*peer{a, b} {
		p.send("PING\r\n")
		p.want("+PONG\r\n")
	}
	r.dial(t).wantEnd("-ERR max number of clients reached\r\n")
	if n := r.shared.Stats.Rejected.Load(); n != 1 {
		t.Errorf("rejected = %d; want 1", n)
	}
	a.send("QUIT\r\n")
	a.wantEnd("+OK\r\n")
	c := r.dial(t)
	c.send("PING\r\n")
	c.want("+PONG\r\n")
}

func TestProtectedMode(t *testing.T) {
	for _, test := range []struct {
		settings *config.Settings
		want     bool
	}{
		{settings(nil), true},
		{settings(func(o *config.Settings) { o.Bind = "10.0.0.1" }), true},
		{settings(func(o *config.Settings) { o.Password = "secret" }), false},
		{settings(func(o *config.Settings) { o.Protected = false }), false},
	} {
		s := &Server{shared: new(commands.Server), options: Options{Settings: test.settings}}
		s.shared.Start(test.settings)
		if got := s.protected(); got != test.want {
			t.Errorf("protected(%+v) = %v; want %v", test.settings, got, test.want)
		}
	}
	for ip, want := range map[string]bool{"127.0.0.1": true, "127.1.2.3": true, "::1": true, "10.0.0.1": false, "::ffff:127.0.0.1": true, "fe80::1": false} {
		if got := local(&net.TCPAddr{IP: net.ParseIP(ip)}); got != want {
			t.Errorf("local(%s) = %v; want %v", ip, got, want)
		}
	}
	if !local(&net.UnixAddr{}) {
		t.Error("local(Unix socket) = false; want true")
	}
}

// stranger is a connection that seems to come from another machine.
type stranger struct{ net.Conn }

func TestDenied(t *testing.T) {
	s := &Server{shared: &commands.Server{Log: quiet()}}
	near, far := net.Pipe()
	go s.admit(guest{stranger{near}, nil})
	got, err := io.ReadAll(far)
	if err != nil || string(got) != "-"+denied+"\r\n" {
		t.Errorf("read %q, %v; want %q", got, err, "-"+denied+"\r\n")
	}
}

// brokenListener fails as when the process is out of descriptors, then goes on.
type brokenListener struct {
	net.Listener
	failures int
}

func (l *brokenListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptErrors(t *testing.T) {
	r := serve(t, Options{}, func(s *Server) { s.listeners[0].Listener = &brokenListener{s.listeners[0].Listener, 3} })
	p := r.dial(t)
	p.send("PING\r\n")
	p.want("+PONG\r\n")
}
