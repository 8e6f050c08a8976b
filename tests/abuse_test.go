package tests

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"atomiccounter/tests/process"
)

// What was tried against the server, and has to leave it as it was.

// unstarted gives a server of ours that logs all, its address, and a pipe for what it writes.
func unstarted(t *testing.T) (cmd *exec.Cmd, addr string, r, w *os.File) {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(ours.Path, "serve", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--loglevel", "debug")
	return cmd, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), r, w
}

// TestDeadLogReader: whoever reads the log dies, and then something is to be logged.
func TestDeadLogReader(t *testing.T) {
	cmd, addr, r, w := unstarted(t)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("it has ended: %v", err)
		}
		_ = cmd.Wait() // it was killed
	}()
	if _, err := r.Read(make([]byte, 1<<16)); err != nil { // it is there
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "POST is refused", func() bool {
		c, err := dial(addr)
		if err != nil {
			return false
		}
		defer c.Close()
		if err := c.send([]byte("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			return false
		}
		_, err = io.Copy(io.Discard, c.r) // until the other side closes
		return err == nil || !errors.Is(err, os.ErrDeadlineExceeded)
	})
	until(t, "it answers", func() bool {
		c, err := dial(addr)
		if err != nil {
			return false
		}
		defer c.Close()
		pong, err := c.do("PING")
		return err == nil && pong.text == "PONG"
	})
}

// TestFilesAreOurs: nobody else may read what the store has, whatever the directory was like.
func TestFilesAreOurs(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	startIn(t, ours, dir)
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestEvilPatternInTransaction: a pattern that nearly matches, ever again, where it holds up everybody. An administrator ends it.
func TestEvilPatternInTransaction(t *testing.T) {
	s := start(t, ours)
	evil, admin := connect(t, s.Addr), connect(t, s.Addr)
	key := strings.Repeat("a", 60_000)
	for i := range 50 {
		ask(t, evil, "SET", key+strconv.Itoa(i), "1")
	}
	id := ask(t, evil, "CLIENT", "ID").text
	ask(t, evil, "MULTI")
	pattern := "*" + strings.Repeat("a?", 15_000) + "b"
	for range 1000 {
		ask(t, evil, "KEYS", pattern)
	}
	if err := evil.send(appendCommand(nil, "EXEC")); err != nil {
		t.Fatal(err)
	}
	until(t, "EXEC", func() bool { return strings.Contains(ask(t, admin, "CLIENT", "LIST", "ID", id).text, " cmd=exec ") })
	ask(t, admin, "CLIENT", "KILL", "ID", id)
	wantText(t, admin, "1", "INCR", "n")
}

// ask is do of what gets a reply that is no error.
func ask(t *testing.T, c *conn, args ...string) reply {
	t.Helper()
	r, err := c.do(args...)
	if err != nil || r.isError() {
		t.Fatalf("%.60q = %v, %v", args, r, err)
	}
	return r
}

// TestScriptsThatEatAtTheirEnd: scripts of which the interpreter would write down gigabytes when they are stopped, and such as nest without
// end or do all in one builtin. SCRIPT KILL ends each.
func TestScriptsThatEatAtTheirEnd(t *testing.T) {
	s := start(t, ours, "--busy-reply-threshold", "100")
	evil, admin := connect(t, s.Addr), connect(t, s.Addr)
	for _, script := range []string{
		"local function f(n) if n == 0 then error('x') end return f(n - 1) end pcall(f, 1e9)",
		"local function f() return f() end pcall(f)",
		"while true do local function f() return coroutine.wrap(f)() end pcall(f) end",
		"local t = {} for i = 1, 1000000 do t[i] = 0.1 end while true do pcall(cjson.encode, t) end",
	} {
		if err := evil.send(appendCommand(nil, "EVAL", script, "0")); err != nil {
			t.Fatal(err)
		}
		until(t, "BUSY", func() bool {
			r, err := admin.do("GET", "k")
			return err == nil && strings.HasPrefix(r.text, "BUSY ")
		})
		ask(t, admin, "SCRIPT", "KILL")
		if r, err := evil.read(); err != nil || !strings.Contains(r.text, "SCRIPT KILL") {
			t.Errorf("%s = %v, %v; want that it was killed", script, r, err)
		}
		ask(t, admin, "GET", "k")
	}
	if _, peak, err := s.RSS(); !errors.Is(err, errors.ErrUnsupported) && (err != nil || peak > 1<<30) {
		t.Errorf("resident memory was %d, %v; want less than 1 GiB", peak, err)
	}
}

// TestManyHoarders: clients that each stay within their limits, and together take what they can get. The greatest go, and the server goes on.
func TestManyHoarders(t *testing.T) {
	s := start(t, ours, "--maxmemory-clients", "20mb")
	other := connect(t, s.Addr)
	text := strings.Repeat("x", 1<<20)
	for range 10 {
		c := connect(t, s.Addr)
		for _, line := range [][]string{{"MULTI"}, {"ECHO", text}, {"ECHO", text}, {"ECHO", text}, {"ECHO", text}} {
			if _, err := c.do(line...); err != nil {
				break // it was one too many
			}
		}
	}
	args := []string{"MSET"}
	for i := range 50_000 {
		args = append(args, strconv.Itoa(i), "1")
	}
	if r, err := other.do(args...); err != nil || !strings.HasPrefix(r.text, "ERR the command takes more memory") {
		t.Errorf("MSET of 50,000 keys = %v, %v; want an error", r, err)
	}
	info := ask(t, other, "INFO").text
	if n, err := strconv.Atoi(field(info, "evicted_clients")); err != nil || n < 4 {
		t.Errorf("evicted_clients:%d, %v; want 5 or more", n, err)
	}
	if n := ask(t, other, "DBSIZE").text; n != "0" {
		t.Errorf("DBSIZE = %s; want 0", n)
	}
}

// TestBackupsStayInTheirPlace: CBACKUP writes below backup-dir only, and in no store; and what it writes there is nothing to the store beside it.
func TestBackupsStayInTheirPlace(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := startIn(t, ours, dir)
	c := connect(t, s.Addr)
	ask(t, c, "SET", "k", "5")
	ask(t, c, "CBACKUP", "one")
	backups := filepath.Join(dir, "backups")
	if err := os.Symlink(outside, filepath.Join(backups, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "/", "..", "../x", "a/../../x", "../db/x", "../../x", outside + "/x", dir + "/x", dir + "/db/x", backups, backups + "/..", backups + "/../x",
		"link", "link/x", "link/../../x", "one", "one/x", "one/db/x", backups + "/one/journal/x", "x\x00y"} {
		if r, err := c.do("CBACKUP", name); err != nil || !r.isError() {
			t.Errorf("CBACKUP %q = %v, %v; want an error", name, r, err)
		}
	}
	ask(t, c, "CBACKUP", "years/2026/two")
	ask(t, c, "CBACKUP", backups+"/three")
	if list, err := os.ReadDir(outside); err != nil || len(list) != 0 {
		t.Errorf("outside there is %v, %v; want nothing", list, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{dir, backups + "/one", backups + "/years/2026/two", backups + "/three"} {
		if out, err := exec.Command(ours.Path, "check", store).CombinedOutput(); err != nil {
			t.Errorf("check %s: %v\n%s", store, err, out)
		}
	}
	wantText(t, connect(t, startIn(t, ours, dir).Addr), "5", "GET", "k")
	for _, wrong := range []string{dir, filepath.Join(dir, "db"), filepath.Join(dir, "journal", "x")} {
		out, err := exec.Command(ours.Path, "serve", "--dir", dir, "--port", "0", "--backup-dir", wrong).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "backup-dir") {
			t.Errorf("--backup-dir %s = %v: %s", wrong, err, out)
		}
	}
}

// TestStalledLogReader: the reader of the log holds still, whatever comes: nobody waits for it, and the process ends as it should. When it
// goes on it hears how much it has missed.
func TestStalledLogReader(t *testing.T) {
	cmd, addr, r, w := unstarted(t)
	defer r.Close()
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill() // which may have ended
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var c *conn
	until(t, "server", func() bool {
		var err error
		c, err = dial(addr)
		return err == nil
	})
	defer c.Close()
	const call = "for i = 1, 2000 do redis.log(redis.LOG_WARNING, string.rep('x', 1000)) end return redis.status_reply('done')"
	until(t, "answer", func() bool {
		r, err := c.do("EVAL", call, "0")
		return err == nil && r.text == "done"
	})
	wantText(t, c, "done", "EVAL", call, "0")
	wantText(t, c, "1", "INCR", "k")
	info := ask(t, c, "INFO", "atomiccounter").text
	if n, err := strconv.Atoi(field(info, "log_lines_dropped")); err != nil || n == 0 {
		t.Errorf("log_lines_dropped:%d, %v; want some", n, err)
	}
	logged := bufio.NewScanner(r)
	told := false
	for !told && logged.Scan() {
		told = strings.Contains(logged.Text(), "the log was not read in time: dropped ")
	}
	if !told {
		t.Errorf("the log does not say what was dropped: %v", logged.Err())
	}
	wantText(t, c, "done", "EVAL", call, "0") // and again nobody reads
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// TestFloodedLog: what anybody can cause without a password is one line a second.
func TestFloodedLog(t *testing.T) {
	s := start(t, ours, "--requirepass", "secret", "--loglevel", "debug", "--maxclients", "50")
	for i := range 300 {
		c, err := dial(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			c.do("AUTH", "eve", "guess") // is refused
		case 1:
			c.send([]byte("*1\r\nx\r\n")) // is no request
			c.read()
		case 2:
			c.send([]byte("POST / HTTP/1.1\r\n"))
		}
		c.Close() // as a client may
	}
	until(t, "line on AUTH", func() bool { return strings.Contains(s.Log(), "AUTH failed") })
	if n := strings.Count(s.Log(), "\n"); n > 150 {
		t.Errorf("%d lines are logged", n)
	}
	if strings.Contains(s.Log(), "guess") {
		t.Error("a password is logged")
	}
}

// TestStrangerThatDoesNotRead: a client without the password asks and asks, and reads nothing.
func TestStrangerThatDoesNotRead(t *testing.T) {
	s := start(t, ours, "--requirepass", "secret")
	c := connect(t, s.Addr)
	calls := bytes.Repeat([]byte("what-is-this "+strings.Repeat("x", 100)+"\r\n"), 10_000)
	sent := 0
	for ; sent < 1<<30; sent += len(calls) {
		if err := c.send(calls); err != nil {
			break
		}
	}
	if sent > 256<<20 {
		t.Errorf("it is let in for %d bytes", sent)
	}
	other := connect(t, s.Addr)
	wantText(t, other, "OK", "AUTH", "secret")
	if n := field(ask(t, other, "INFO", "stats").text, "client_output_buffer_limit_disconnections"); n != "1" {
		t.Errorf("%s are disconnected; want 1", n)
	}
}
