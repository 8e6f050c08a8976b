package clients

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

func TestIORedis(t *testing.T) {
	for _, pkg := range []string{"ioredis", "ioredis5", "ioredis4"} {
		t.Run(pkg, func(t *testing.T) { suite(t, node(t), "node/ioredis.mjs", pkg) })
	}
}

func TestNodeRedis(t *testing.T) {
	for _, pkg := range []string{"redis", "redis5", "redis4"} {
		t.Run(pkg, func(t *testing.T) { suite(t, node(t), "node/noderedis.mjs", pkg) })
	}
	t.Run("redis3", func(t *testing.T) { suite(t, node(t), "node/noderedis3.mjs") })
}

func TestRateLimiterFlexible(t *testing.T) { suite(t, node(t), "node/rate-limiter-flexible.mjs") }
func TestRateLimitRedis(t *testing.T)      { suite(t, node(t), "node/rate-limit-redis.mjs") }
func TestRedisPy(t *testing.T)             { suite(t, python(t, "redis"), "python/redis_py.py") }
func TestLimits(t *testing.T)              { suite(t, python(t, "limits"), "python/limits_suite.py") }

// node is the path of Node.js; it needs the packages that package-lock.json pins.
func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		missing(t, "this test needs Node.js: %v", err)
	}
	if _, err := os.Stat("node/node_modules"); err != nil {
		missing(t, "this test needs npm ci --prefix tests/clients/node: %v", err)
	}
	return path
}

// python is the path of a Python that has the library. Debian's packages are for Debian's own.
func python(t *testing.T, library string) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import "+library).Run() == nil {
			return path
		}
	}
	missing(t, "this test needs a Python with the library %s", library)
	return ""
}

// suite runs a script against a server of its own and takes each line that it prints for a check.
func suite(t *testing.T, interpreter, script string, args ...string) {
	s := start(t)
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(background(t), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, append([]string{script, host, port}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	passed, err := follow(t, s, stdout, stdin)
	if werr := cmd.Wait(); err != nil || werr != nil {
		t.Errorf("%s: %v, %v\n%s", script, err, werr, complaints.String())
	}
	if passed == 0 {
		t.Errorf("%s has passed no check", script)
	}
}

// follow reads what a suite prints: "ok …", "FAIL …" and its reasons, "restart".
func follow(t *testing.T, s *process.Server, from io.Reader, to io.Writer) (passed int, err error) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "ok "):
			passed++
			t.Log(line)
		case line == "restart":
			if err := s.Restart(); err != nil {
				return passed, err
			}
			if _, err := fmt.Fprintln(to, "restarted"); err != nil {
				return passed, err
			}
		default:
			t.Error(line)
		}
	}
	return passed, lines.Err()
}
