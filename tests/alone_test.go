package tests

import (
	"net"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

// TestPeersThatAreNone: a server whose peers are itself and an address where nobody is starts, serves, publishes, and ends.
func TestPeersThatAreNone(t *testing.T) {
	if *self {
		t.Skip("redis-server has no peers")
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	dir := t.TempDir()
	for range 2 { // with what the store remembers, too
		s, err := ours.Launch(dir, "--peer", "127.0.0.1:1", "--peer", dead.Addr().String(), "--join-serve", "yes")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // it has ended, if all went well
			if err := s.Kill(); err != nil {
				t.Error(err)
			}
		})
		if err := s.Ready(); err != nil {
			t.Fatal(err)
		}
		alone(t, s)
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func alone(t *testing.T, s *process.Server) {
	t.Helper()
	c := connect(t, s.Addr)
	for _, step := range []struct{ line, want string }{
		{"CPEER ADD " + s.Addr, ":1\r\n"},
		{"SET k 41", "+OK\r\n"},
		{"INCR k", ":42\r\n"},
		{"WAIT 1 10", ":0\r\n"},
		{"GETDEL k", "$2\r\n42\r\n"},
		{"CPEER DEL 127.0.0.1:1", ":1\r\n"},
		{"CPEER DEL 127.0.0.1:1", ":0\r\n"},
	} {
		r, err := c.do(strings.Fields(step.line)...)
		if err != nil || string(r.raw) != step.want {
			t.Errorf("%s = %v, %v; want %q", step.line, r, err, step.want)
		}
	}
	token, err := c.do("CTOKEN")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.do("CWAIT", token.text, "20000"); err != nil || r.text != "1" { // it publishes once the peers have had their time
		t.Errorf("CWAIT of the own token = %v, %v; want 1\n%s", r, err, s.Log())
	}
}
