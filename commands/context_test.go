package commands

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

// newServer gives a server on a new store.
func newServer(t testing.TB) *Server {
	t.Helper()
	return newServerAt(t, nil)
}

// newServerAt is newServer by another wall clock, in ms; nil: the system's.
func newServerAt(t testing.TB, now func() int64) *Server {
	t.Helper()
	return newServerWith(t, engine.Options{Now: now})
}

func newServerWith(t testing.TB, o engine.Options) *Server {
	t.Helper()
	return newServerIn(t, t.TempDir(), o)
}

func newServerIn(t testing.TB, dir string, o engine.Options) *Server {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	o.Logger = quiet
	e, err := engine.Open(dir, o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	s := &Server{Log: &Log{Logger: quiet, Level: new(slog.LevelVar)}, Started: time.Now(), RunID: strings.Repeat("0", 40),
		Port: 6379, Version: "0.0.0", Shutdown: func() {}}
	s.Open(e, nil)
	return s
}

// connect gives a context as a session makes one.
func connect(t testing.TB, s *Server) *Context {
	t.Helper()
	cl := &Client{Addr: "127.0.0.1:1", LocalAddr: "127.0.0.1:6379", Created: time.Now(), Kill: func() {}, Local: true}
	if !s.Clients.Add(cl, s.Config.MaxClients()) {
		t.Fatal("Add = false; want true")
	}
	c := s.NewContext(cl)
	t.Cleanup(c.Pipe.Pause) // a round that did not end with a Commit
	return c
}

func newContext(t testing.TB) *Context {
	t.Helper()
	return connect(t, newServer(t))
}

func words(args ...string) [][]byte {
	list := make([][]byte, len(args))
	for i, arg := range args {
		list[i] = []byte(arg)
	}
	return list
}

// do runs one command as a session would, and gives its raw reply.
func do(t testing.TB, c *Context, args ...string) string {
	t.Helper()
	c.Out.Buf = c.Out.Buf[:0]
	c.Run(words(args...))
	for c.Wait != nil {
		await(t, c)
		c.Resume()
	}
	if _, err := c.Pipe.Commit(); err != nil {
		t.Fatalf("Commit after %q = %v", args, err)
	}
	return string(c.Out.Buf)
}

// await waits as a connection does.
func await(t testing.TB, c *Context) {
	t.Helper()
	if _, err := c.Pipe.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
	w, end := c.Wait, time.NewTimer(patience)
	select {
	case <-w.News:
		return
	default:
	}
	if !w.Until.IsZero() {
		end.Reset(time.Until(w.Until))
	}
	defer end.Stop()
	select {
	case <-w.News:
	case <-end.C:
		if w.Expired = w.Over(time.Now()); !w.Expired {
			t.Fatal("a command waits in vain")
		}
	}
}

// patience bounds what a test waits for; nothing is expected to take that long.
const patience = 30 * time.Second

// want runs a line of words and compares the raw reply, in which | stands for a line end.
func want(t testing.TB, c *Context, line, reply string) {
	t.Helper()
	got := strings.ReplaceAll(do(t, c, strings.Fields(line)...), "\r\n", "|")
	if got != reply {
		t.Errorf("%s = %q; want %q", line, got, reply)
	}
}

// wants are replies by the lines that they answer, in no order.
func wants(t testing.TB, c *Context, replies map[string]string) {
	t.Helper()
	for line, reply := range replies {
		want(t, c, line, reply)
	}
}

func TestReplyModes(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"PING", "+PONG|"},
		{"CLIENT REPLY SKIP", ""},
		{"PING", ""},
		{"PING", "+PONG|"},
		{"CLIENT REPLY OFF", ""},
		{"PING", ""},
		{"GET", ""},
		{"CLIENT REPLY SKIP", ""},
		{"PING", ""},
		{"CLIENT REPLY ON", "+OK|"},
		{"CLIENT REPLY SKIP", ""},
		{"CLIENT REPLY ON", "+OK|"},
		{"PING", "+PONG|"},
		{"CLIENT REPLY OFF", ""},
		{"RESET", "+RESET|"},
		{"PING", "+PONG|"},
		{"CLIENT REPLY SKIP", ""},
		{"RESET", ""}, // it is the reply to be left out
		{"PING", "+PONG|"},
	} {
		want(t, c, step[0], step[1])
	}
}

func TestAuthentication(t *testing.T) {
	s := newServer(t)
	early := connect(t, s)
	want(t, early, "CONFIG SET requirepass secret", "+OK|")
	want(t, early, "PING", "+PONG|") // as in Redis, who is in stays in
	c := connect(t, s)
	for _, step := range [][2]string{
		{"NOSUCH a", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' |"},
		{"GET", "-ERR wrong number of arguments for 'get' command|"},
		{"CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.|"},
		{"GET k", "-NOAUTH Authentication required.|"},
		{"CLIENT ID", "-NOAUTH Authentication required.|"},
		{"AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.|"},
		{"AUTH other secret", "-WRONGPASS invalid username-password pair or user is disabled.|"},
		{"GET k", "-NOAUTH Authentication required.|"},
		{"AUTH secret", "+OK|"},
		{"GET k", "$-1|"},
		{"RESET", "+RESET|"},
		{"GET k", "-NOAUTH Authentication required.|"},
		{"HELLO 3 AUTH default wrong", "-WRONGPASS invalid username-password pair or user is disabled.|"},
		{"GET k", "-NOAUTH Authentication required.|"},
	} {
		want(t, c, step[0], step[1])
	}
	if got := do(t, c, "HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me"); !strings.HasPrefix(got, "%8\r\n") {
		t.Errorf("HELLO 3 AUTH = %q; want a map of 8", got)
	}
	want(t, c, "GET k", "_|")
	want(t, c, "CLIENT GETNAME", "$2|me|")
	want(t, early, "CONFIG SET requirepass", "-ERR wrong number of arguments for 'config|set' command|")
	if got := do(t, early, "CONFIG", "SET", "requirepass", ""); got != "+OK\r\n" {
		t.Errorf("CONFIG SET requirepass \"\" = %q; want OK", got)
	}
	want(t, connect(t, s), "GET k", "$-1|")
}

func TestUnknownCommandShowsLittleOfItsInput(t *testing.T) {
	c := newContext(t)
	long := strings.Repeat("x", 1000)
	got := do(t, c, long, long, long)
	if limit := 400; len(got) > limit || !bytes.HasPrefix([]byte(got), []byte("-ERR unknown command 'xxx")) {
		t.Errorf("reply = %q, %d bytes; want at most %d", got, len(got), limit)
	}
	if got := do(t, c, "a\r\nb", "c\nd"); got != "-ERR unknown command 'a  b', with args beginning with: 'c d' \r\n" {
		t.Errorf("reply = %q; want line ends as spaces", got)
	}
}

// adjust changes settings as only a start can.
func adjust(s *Server, change func(*config.Settings)) {
	settings := *s.Config.Load()
	change(&settings)
	s.Config.Start(&settings)
}
