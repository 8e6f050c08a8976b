package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// realRedis is a connection to a redis-server of this test's own, to compare with.
type realRedis struct {
	conn net.Conn
	in   *bufio.Reader
}

// startRedis skips the test where there is no redis-server, except in CI.
func startRedis(t *testing.T, flags ...string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no redis-server to compare with: %v", err)
		}
		t.Skip("skipped: no redis-server to compare with")
	}
	socket := t.TempDir() + "/redis.sock"
	args := append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, flags...)
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return socket
}

func dialRedis(t *testing.T, socket string) *realRedis {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return &realRedis{conn, bufio.NewReader(conn)}
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// do sends a command and gives its raw reply.
func (r *realRedis) do(t *testing.T, args ...string) string {
	t.Helper()
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if err := r.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.conn.Write(b); err != nil {
		t.Fatalf("send %q: %v", args, err)
	}
	reply, err := readReply(r.in)
	if err != nil {
		t.Fatalf("reply to %q: %v", args, err)
	}
	return string(reply)
}

// readReply reads one whole reply of RESP2 or RESP3.
func readReply(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line, nil
		}
		body := make([]byte, n+2)
		_, err = io.ReadFull(in, body)
		return append(line, body...), err
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return line, nil
	}
	for range max(n, 0) {
		element, err := readReply(in)
		if err != nil {
			return nil, err
		}
		line = append(line, element...)
	}
	return line, nil
}
