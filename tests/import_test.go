package tests

import (
	"context"
	"maps"
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
	if !strings.Contains(log.String(), " keys/") || !strings.Contains(log.String(), "% |") {
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

// TestImportAdds: writers count here first, and what they had counted in Redis is added afterwards, once.
func TestImportAdds(t *testing.T) {
	if *self {
		t.Skip("redis-server imports nothing")
	}
	from, to := start(t, redis(t)), start(t, ours)
	source, target := clientOf(t, from, 0), clientOf(t, to, 0)
	ctx := context.Background()
	for i := range 1500 {
		do(t, source, "set", "many:"+time.Duration(i).String(), i)
	}
	do(t, source, "set", "both", "42", "px", 7_200_000)
	do(t, source, "set", "old", "7", "px", 3_600_000)
	do(t, source, "set", "zero", "0")
	do(t, source, "set", "down", "-5")
	do(t, source, "set", "text", "words", "px", 3_600_000)
	do(t, source, "set", "word", "words")
	do(t, source, "set", "clash", "1")
	do(t, source, "hset", "hash", "f", "1", "g", "2")
	do(t, source, "hset", "mine", "f", "1")
	do(t, clientOf(t, from, 3), "set", "both", "1000")

	do(t, target, "incrby", "both", "8")
	do(t, target, "pexpire", "both", 60_000)
	do(t, target, "set", "word", "another")
	do(t, target, "set", "clash", "a text")
	do(t, target, "hincrby", "mine", "f", "5")
	for round := range 2 {
		report, err := importer(t, from, to, "--add")
		if err == nil || !strings.Contains(report, "refused: 1 keys") || !strings.Contains(report, `"clash"`) || !strings.Contains(report, "added: 1505 counters") {
			t.Errorf("import = %v, %q; want an error for what cannot be added to", err, report)
		}
		for key, want := range map[string]string{"both": "50", "old": "7", "zero": "0", "down": "-5", "text": "words", "word": "another", "clash": "a text", "many:" + time.Duration(1499).String(): "1499"} {
			if got := do(t, target, "get", key); got != want {
				t.Errorf("import %d: %q = %q; want %q", round, key, got, want)
			}
		}
		for key, most := range map[string]time.Duration{"both": time.Minute, "old": time.Hour, "text": time.Hour} {
			if ttl := target.PTTL(ctx, key).Val(); ttl <= 0 || ttl > most {
				t.Errorf("import %d: PTTL %s = %v; want up to %v", round, key, ttl, most)
			}
		}
		if got := target.HGetAll(ctx, "mine").Val(); len(got) != 1 || got["f"] != "5" {
			t.Errorf("import %d: the hash that is there = %v; want it as it was", round, got)
		}
		if got := target.HGetAll(ctx, "hash").Val(); len(got) != 2 {
			t.Errorf("import %d: the hash that was not there = %v; want 2 fields", round, got)
		}
		if got := do(t, clientOf(t, to, 3), "get", "both"); got != "1000" {
			t.Errorf("import %d: both, in database 3, = %v; want 1000", round, got)
		}
	}

	do(t, source, "incr", "old") // somebody still writes there
	report, err := importer(t, from, to, "--add", "--match", "old")
	if err == nil || !strings.Contains(report, "added before, when it had another value: 1 keys") || do(t, target, "get", "old") != "7" {
		t.Errorf("import = %v, %q; want an error for what has changed", err, report)
	}
	if out, err := exec.Command(ours.Path, "import", "--from", "redis://"+from.Addr, "--add", "--replace").CombinedOutput(); err == nil || !strings.Contains(string(out), "exclude") {
		t.Errorf("import --add --replace = %v, %q; want an error", err, out)
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

// TestImportHashes: with their fields, numbers and texts, and their expiry; also one that is larger than a page.
func TestImportHashes(t *testing.T) {
	if *self {
		t.Skip("redis-server imports nothing")
	}
	from, to := start(t, redis(t)), start(t, ours)
	source, target := clientOf(t, from, 0), clientOf(t, to, 0)
	do(t, source, "hset", "h", "n", "5", "t", "text", "", "\x00")
	do(t, source, "pexpire", "h", 3_600_000)
	for i := range 3000 {
		do(t, source, "hset", "large", i, -i)
	}
	do(t, source, "hset", "mine", "a", "1")
	do(t, target, "hincrby", "mine", "b", 2)
	if report, err := importer(t, from, to); err != nil || !strings.Contains(report, "0 strings, 2 hashes") {
		t.Errorf("import = %v, %q; want two hashes", err, report)
	}
	ctx := context.Background()
	for key, want := range map[string]map[string]string{"h": {"n": "5", "t": "text", "": "\x00"}, "mine": {"b": "2"}} {
		if got := target.HGetAll(ctx, key).Val(); !maps.Equal(got, want) {
			t.Errorf("%s = %q; want %q", key, got, want)
		}
	}
	if got, want := target.HGetAll(ctx, "large").Val(), source.HGetAll(ctx, "large").Val(); len(got) != 3000 || !maps.Equal(got, want) {
		t.Errorf("large has %d fields, which are not all the same; want %d", len(got), len(want))
	}
	if ttl := target.PTTL(ctx, "h").Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("PTTL h = %v; want what is left of an hour", ttl)
	}
	if _, err := importer(t, from, to, "--replace"); err != nil {
		t.Error(err)
	}
	if got := target.HGetAll(ctx, "mine").Val(); !maps.Equal(got, map[string]string{"a": "1"}) {
		t.Errorf("mine = %q after --replace; want a: 1", got)
	}
}
