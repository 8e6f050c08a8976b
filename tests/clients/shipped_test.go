package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shipped are the tests that limiters bring along for their stores. Those that know no address but Redis's own port are
// run from a copy with this server's in its place. (The packages of npm and Debian bring none.)
var shipped = []struct {
	module, dir string
	run         string // which tests
}{
	// The others of redis_rate fail with redis-server too: they compare for equality what floating point arithmetic on the
	// time of day has rounded.
	{"github.com/go-redis/redis_rate/v10", ".", "^TestRetryAfter$"},
	{"github.com/ulule/limiter/v3", "drivers/store/redis", "^Test"},
	{"github.com/throttled/throttled/v2", "store/goredisstore.v9", "^Test"},
	{"github.com/throttled/throttled/v2", "store/redigostore", "^Test"},
}

func TestShipped(t *testing.T) {
	for _, c := range shipped {
		pkg := filepath.Join(c.module, c.dir)
		t.Run(strings.ReplaceAll(pkg, "/", "_"), func(t *testing.T) {
			s := start(t)
			modfile := readdress(t, c.module, c.dir, s.Addr)
			out, err := exec.Command("go", "test", "-modfile", modfile, "-count=1", "-v", "-run", c.run, pkg).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS") || strings.Contains(string(out), "--- SKIP") {
				t.Errorf("go test %s: %v\n%s", pkg, err, out)
			}
		})
	}
}

// readdress copies a module, writes another address into the tests of one directory, and returns a go.mod that is this
// module's but for the copy in the module's place.
func readdress(t *testing.T, module, dir, addr string) string {
	t.Helper()
	origin, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	tmp := t.TempDir()
	clone := filepath.Join(tmp, "module")
	if err := os.CopyFS(clone, os.DirFS(strings.TrimSpace(string(origin)))); err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`(localhost)?:6379`)
	tests, err := filepath.Glob(filepath.Join(clone, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		rewrite(t, test, test, func(text string) string { return address.ReplaceAllString(text, addr) })
	}
	modfile := filepath.Join(tmp, "go.mod")
	rewrite(t, "go.mod", modfile, func(text string) string { return text + fmt.Sprintf("\nreplace %s => %s\n", module, clone) })
	rewrite(t, "go.sum", filepath.Join(tmp, "go.sum"), func(text string) string { return text })
	return modfile
}

func rewrite(t *testing.T, from, to string, edit func(string) string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) { // a copy of the module cache may be read-only
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(edit(string(b))), 0o644); err != nil {
		t.Fatal(err)
	}
}
