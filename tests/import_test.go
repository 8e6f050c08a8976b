package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tests/process"
)

// importer runs the program's import from one server to another.
func importer(t *testing.T, from, to *process.Server, flags ...string) (report string, err error) {
	t.Helper()
	args := append([]string{"import", "--from", "redis://" + from.Addr, "--to", "redis://" + to.Addr}, flags...)
	cmd := exec.Command(ours.Path, args...)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	t.Logf("%s%s", log.String(), out)
	if !strings.Contains(log.String(), "keys/s") || !strings.Contains(log.String(), "remaining") {
		t.Errorf("import wrote %q; want its progress", log.String())
	}
	return string(out), err
}

// clientOf is a client of a server's database.
func clientOf(t *testing.T, s *process.Server, db int) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr, DB: db})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func do(t *testing.T, c *goredis.Client, args ...any) any {
	t.Helper()
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil && err != goredis.Nil {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

func TestImport(t *testing.T) {
	if *self {
		t.Skip("redis-server imports nothing")
	}
	from, to := start(t, redis(t)), start(t, ours)
	source, target := clientOf(t, from, 0), clientOf(t, to, 0)
	binary := "\x00\xff text\r\n"
	for range 3 {
		do(t, source, "incrby", "count", 14)
	}
	do(t, source, "set", "edge", "-9223372036854775808")
	do(t, source, "set", binary, binary)
	do(t, source, "set", "float", "1.5", "px", 3_600_000)
	do(t, source, "set", "mine", "1")
	do(t, source, "rpush", "list", "a", "b")
	do(t, source, "setrange", "long", 1<<20, "x")
	do(t, clientOf(t, from, 3), "set", "third", "3")
	for i := range 2000 {
		do(t, source, "set", "many:"+strings.Repeat("k", i%7)+string(rune('a'+i%26))+time.Duration(i).String(), i)
	}
	do(t, target, "set", "mine", "7")

	left := filepath.Join(t.TempDir(), "left")
	report, err := importer(t, from, to, "--left", left)
	if err == nil || !strings.Contains(report, `"list"`) || !strings.Contains(report, `"long"`) || !strings.Contains(report, "already: 1 keys") {
		t.Errorf("import = %v, %q; want an error and the keys that stay behind", err, report)
	}
	if list, err := os.ReadFile(left); err != nil || strings.Count(string(list), "\n") != 2 {
		t.Errorf("--left = %q, %v; want two lines", list, err)
	}
	for key, want := range map[string]string{"count": "42", "edge": "-9223372036854775808", binary: binary, "float": "1.5", "mine": "7"} {
		if got := do(t, target, "get", key); got != want {
			t.Errorf("%q = %q; want %q", key, got, want)
		}
	}
	if ttl := target.PTTL(context.Background(), "float").Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("PTTL float = %v; want what is left of an hour", ttl)
	}
	if got := do(t, clientOf(t, to, 3), "get", "third"); got != "3" {
		t.Errorf("third, in database 3, = %v; want 3", got)
	}
	if got, want := do(t, target, "dbsize"), do(t, source, "dbsize").(int64)-2; got != want {
		t.Errorf("DBSIZE = %v; want %d: all but the list and the long string", got, want)
	}

	do(t, target, "incr", "count") // life goes on; another import leaves it alone
	if report, err = importer(t, from, to, "--match", "[^l]*"); err != nil {
		t.Errorf("second import = %v, %q; want none left", err, report)
	}
	if got := do(t, target, "get", "count"); got != "43" {
		t.Errorf("count = %v after the second import; want 43", got)
	}
	if _, err = importer(t, from, to, "--match", "count", "--replace"); err != nil {
		t.Error(err)
	}
	if got := do(t, target, "get", "count"); got != "42" {
		t.Errorf("count = %v after --replace; want 42", got)
	}
}

// TestImportFails: a source that is not there, and a URL that is none.
func TestImportFails(t *testing.T) {
	if *self {
		t.Skip("redis-server imports nothing")
	}
	for _, from := range []string{"redis://127.0.0.1:1", "http://127.0.0.1:1", ":"} {
		cmd := exec.Command(ours.Path, "import", "--from", from)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "from: ") {
			t.Errorf("import --from %s = %v, %q; want an error about it", from, err, out)
		}
	}
}
