package server

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atomiccounter/commands"
	"atomiccounter/commands/config"
)

// TestListenOfOneFamily: an address of IPv4 is none of IPv6.
func TestListenOfOneFamily(t *testing.T) {
	for addr, want := range map[string]string{"0.0.0.0": "0.0.0.0:", "*": "0.0.0.0:", "127.0.0.1": "127.0.0.1:"} {
		l, err := listenAddr(addr, 0)
		if err != nil {
			t.Fatalf("listenAddr(%s) = %v", addr, err)
		}
		if got := l.Addr().String(); !strings.HasPrefix(got, want) {
			t.Errorf("listenAddr(%s) listens on %s; want %s…", addr, got, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	if _, err := New(Options{Settings: settings(func(o *config.Settings) { o.UnixSocket = path })}); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Errorf("New on a socket in use = %v; want an error that says so", err)
	}
	stale.Close()
	r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.UnixSocket, o.UnixSocketPerm = path, 0o600 })}, nil)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("Stat = %v, %v; want mode 0600", info, err)
	}
	p := dial(t, r.Addrs()[1])
	p.send("PING\r\n")
	p.want("+PONG\r\n")
	r.shared.Clients.Each(func(c *commands.Client) {
		if want := path + ":0"; !c.Unix || c.Addr != want {
			t.Errorf("client has address %q, Unix %v; want %q, true", c.Addr, c.Unix, want)
		}
	})
	r.end(t)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stat after Serve = %v; want no such file", err)
	}
}

func TestUnixSocketIsNoSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Settings: settings(func(o *config.Settings) { o.UnixSocket = path })}); err == nil {
		t.Error("New on a plain file = nil; want an error")
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("ReadFile = %q, %v; want it untouched", b, err)
	}
}

func TestNothingToListenOn(t *testing.T) {
	if _, err := New(Options{Settings: settings(func(o *config.Settings) { o.Port = 0 })}); err == nil {
		t.Error("New without a port = nil; want an error")
	}
	if _, err := New(Options{Settings: settings(func(o *config.Settings) { o.Bind = "127.0.0.1 not.an.address.invalid" })}); err == nil {
		t.Error("New on an address that is none = nil; want an error")
	}
}

func TestOptionalBind(t *testing.T) {
	// 192.0.2.1 is for documentation: no machine has it.
	r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.Bind = "-192.0.2.1 127.0.0.1" })}, nil)
	if n := len(r.Addrs()); n != 1 {
		t.Errorf("%d addresses; want 1", n)
	}
}
