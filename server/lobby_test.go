package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"atomiccounter/commands"
	"atomiccounter/engine"
)

func openLobby(t *testing.T, o Options) (*Lobby, Options) {
	t.Helper()
	o.Port, o.Log = -1, quiet()
	if o.Settings.Bind == "" {
		o.Settings.Bind = "127.0.0.1"
	}
	l, err := Listen(o)
	if err != nil {
		t.Fatalf("Listen = %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	o.Lobby = l
	return l, o
}

// begin has a server take the lobby over.
func begin(t *testing.T, o Options) *running {
	t.Helper()
	o.Engine = openEngine(t, engine.EverySec)
	s, err := New(o)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx) }()
	t.Cleanup(func() { r.end(t) })
	return r
}

func TestLobby(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, o := openLobby(t, Options{Settings: commands.Settings{UnixSocket: path}})
	addr := l.listeners[0].Addr()
	asks, silent, wrong, long := dial(t, addr), dial(t, l.listeners[1].Addr()), dial(t, addr), dial(t, addr)
	asks.send("*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINCR\r\n$1\r")
	asks.want(loading)
	asks.send("\nk\r\n\r\nGET k\r\n")
	asks.want(loading + loading)
	wrong.send("PING\r\n*x\r\n")
	wrong.wantEnd(loading + "-ERR Protocol error: invalid multibulk length\r\n")
	go io.WriteString(long.Conn, "*2\r\n$4\r\nECHO\r\n$100000\r\n"+strings.Repeat("x", 100000))
	long.want(loading)
	r := begin(t, o)
	asks.wantEnd("")
	silent.send("GET k\r\n")
	silent.want("$-1\r\n")
	late := r.dial(t)
	late.send("INCR k\r\n")
	late.want(":1\r\n")
}

// TestLobbyTurnsAway: also before there is a store, there are only so many clients.
func TestLobbyTurnsAway(t *testing.T) {
	l, _ := openLobby(t, Options{Settings: commands.Settings{MaxClients: 1}})
	first := dial(t, l.listeners[0].Addr())
	first.send("PING\r\n")
	first.want(loading)
	dial(t, l.listeners[0].Addr()).wantEnd(tooManyClients)
	near, far := net.Pipe()
	go new(Lobby).admit(guest{stranger{near}, nil})
	if got, err := io.ReadAll(far); err != nil || string(got) != denied {
		t.Errorf("a stranger reads %q, %v; want %q", got, err, denied)
	}
}

func TestLobbyTLS(t *testing.T) {
	a := newAuthority(t)
	l, o := openLobby(t, Options{TLSPort: -1, TLS: &tls.Config{Certificates: []tls.Certificate{a.pair(t, "server")}}})
	addr := l.listeners[1].Addr().String()
	p := a.dial(t, addr)
	p.send("PING\r\n")
	p.want(loading)
	begin(t, o)
	if got, err := io.ReadAll(p.Reader); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %q, %v; want the end", got, err)
	}
	p = a.dial(t, addr)
	p.send("PING\r\n")
	p.want("+PONG\r\n")
}

// TestLobbyCloses: where no store can be opened, nothing is left of it.
func TestLobbyCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, o := openLobby(t, Options{Settings: commands.Settings{UnixSocket: path}})
	p := dial(t, l.listeners[0].Addr())
	p.send("PING\r\n")
	p.want(loading)
	o.Port = l.listeners[0].Addr().(*net.TCPAddr).Port
	o.Settings.UnixSocket = path + "2"
	if _, err := Listen(o); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen on a port in use = %v; want EADDRINUSE", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	p.wantEnd("")
	for _, name := range []string{path, path + "2"} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Stat(%s) = %v; want no such file", name, err)
		}
	}
}
