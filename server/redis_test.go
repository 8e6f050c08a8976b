package server

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands/config"
)

// startRedis runs a real redis-server on a Unix socket, and gives its address.
func startRedis(t *testing.T, args ...string) net.Addr {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no redis-server to compare with, and CI is set")
		}
		t.Skip("there is no redis-server to compare with")
	}
	dir, err := os.MkdirTemp("", "redis") // short, as the path of a socket must be
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	cmd := exec.Command(program, append([]string{"--port", "0", "--unixsocket", path, "--dir", dir, "--save", "", "--appendonly", "no"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("Start = %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	await(t, "redis-server", func() bool {
		nc, err := net.Dial("unix", path)
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	return addr
}

// exchange sends raw bytes and the end of input, and gives all that is answered until the server closes.
func exchange(t *testing.T, a net.Addr, in string) string {
	t.Helper()
	nc, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, in) // the server may close before it has read all
	nc.(*net.UnixConn).CloseWrite()
	out, err := io.ReadAll(nc)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("ReadAll after %.60q = %v", in, err)
	}
	return string(out)
}

// Raw bytes are answered as Redis answers them, to the letter.
func TestProtocolAgainstRedis(t *testing.T) {
	redis := startRedis(t)
	ours := serve(t, Options{Settings: settings(func(o *config.Settings) { o.UnixSocket = filepath.Join(t.TempDir(), "s") })}, nil).Addrs()[1]
	const ping = "*1\r\n$4\r\nPING\r\n"
	inputs := []string{
		ping + ping + "PING\r\n", "PING\nPING\r\n\r\nPING", ping + "*1\r\n$4\r\nPI", "*1\r\n$4\r\nPINGxxPING\r\n",
		ping + "QUIT\r\n" + ping, "*1\r\n$0\r\n\r\n", "\"\"\r\nPING\r\n", "nosuch 'a b' \"c\\x41\"\r\n", "POST /\r\nPING\r\n",
		"host: x\r\nPING\r\n", "*2\r\n$4\r\nECHO\r\n$3\r\n\x00\r\n\r\n", "GET\r\nGET a b\r\n*0\r\n*-1\r\nPING\r\n",
		"CLIENT REPLY OFF\r\nPING\r\n*x\r\n", "CLIENT REPLY SKIP\r\n*x\r\n", "*2147483648\r\n", "*-2147483649\r\n" + ping, "*-9223372036854775809\r\n",
	}
	for _, test := range scanTests {
		if test.in != "ECHO a\x00b\n" { // Redis finds no line end behind a zero byte
			inputs = append(inputs, test.in, ping+test.in)
		}
	}
	for _, in := range inputs {
		if got, want := exchange(t, ours, in), exchange(t, redis, in); got != want {
			t.Errorf("%.80q is answered %.200q; Redis %.200q", in, got, want)
		}
	}
}

func TestUnauthenticatedAgainstRedis(t *testing.T) {
	redis := startRedis(t, "--requirepass", "secret")
	ours := serve(t, Options{Settings: settings(func(o *config.Settings) { o.UnixSocket, o.Password = filepath.Join(t.TempDir(), "s"), "secret" })}, nil).Addrs()[1]
	for _, in := range []string{
		"PING\r\n", "*10\r\n$3\r\nGET\r\n", "*11\r\n$3\r\nGET\r\n", "*2\r\n$4\r\nECHO\r\n$16385\r\n", "nosuch\r\n", "GET\r\n",
		"AUTH secret\r\n*11\r\n$4\r\nMGET\r\n" + strings.Repeat("$1\r\nk\r\n", 10), "AUTH wrong\r\n*11\r\n", "QUIT\r\nPING\r\n", "*x\r\n",
	} {
		if got, want := exchange(t, ours, in), exchange(t, redis, in); got != want {
			t.Errorf("%.80q is answered %.200q; Redis %.200q", in, got, want)
		}
	}
}

func TestMaxClientsAgainstRedis(t *testing.T) {
	redis := startRedis(t, "--maxclients", "1")
	r := serve(t, Options{Settings: settings(func(o *config.Settings) { o.UnixSocket, o.MaxClients = filepath.Join(t.TempDir(), "s"), 1 })}, nil)
	for _, a := range []net.Addr{redis, r.Addrs()[1]} {
		// The one that startRedis came with may still count.
		await(t, "room for a client", func() bool { return exchange(t, a, "PING\r\n") == "+PONG\r\n" })
		first := dial(t, a)
		first.send("PING\r\n")
		first.want("+PONG\r\n")
		dial(t, a).wantEnd("-" + tooManyClients + "\r\n")
	}
}
