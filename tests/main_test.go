// Package tests is evidence from outside: real servers, real clients, real crashes. Nothing here knows the code; all is
// said over sockets and signals.
//
//	go test ./tests                     everything, in less than eight minutes on two cores; -short: in half of that
//	go test ./tests -run Differential -streams 500      more random streams; -seed N replays
//	go test ./tests -run Crash -rounds 200              more crashes; -seed N replays their load
//	go test ./tests -run Replication                    a minute of faults between three servers; -seed N replays their order
//	go test ./tests -self                               redis-server in our place: tests the tests
//	go run ./tests/bench                                the table of ratios
//	go run ./tests/figures                              what replication takes
package tests

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tests/process"
)

var (
	seed    = flag.Uint64("seed", 0, "replay the random choices of this seed (0: a new one)")
	streams = flag.Int("streams", 30, "random command streams that are compared with redis-server")
	rounds  = flag.Int("rounds", 21, "crashes")
	self    = flag.Bool("self", false, "put redis-server in this server's place")

	ours process.Program // built by TestMain, once
)

func TestMain(m *testing.M) {
	flag.Parse()
	goredis.SetLogger(silent{})
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	os.Exit(run(m))
}

// silent is the log of go-redis: it would tell of each server that a test has ended.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// run is TestMain with deferred calls.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "atomiccounter-tests-")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(dir)
	if *self {
		ours, err = process.Redis()
	} else {
		ours, err = process.Build(dir)
	}
	if err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

// start runs a server with a data directory of its own until the test ends.
func start(t *testing.T, p process.Program, args ...string) *process.Server {
	t.Helper()
	return startIn(t, p, t.TempDir(), args...)
}

func startIn(t *testing.T, p process.Program, dir string, args ...string) *process.Server {
	t.Helper()
	s := launchIn(t, p, dir, args...)
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	return s
}

// launchIn does not wait until the server answers.
func launchIn(t *testing.T, p process.Program, dir string, args ...string) *process.Server {
	t.Helper()
	s, err := p.Launch(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.Name, s.Log())
		}
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// redis is the real server; without one the test is skipped, but fails in CI.
func redis(t *testing.T) process.Program {
	t.Helper()
	p, err := process.Redis()
	if err != nil {
		missing(t, err)
	}
	return p
}

// tool is the path of an executable that comes with Redis.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, err)
	}
	return path
}

func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("this test needs Redis: %v", err)
	}
	t.Skipf("this test needs Redis: %v", err)
}

// quote writes a command as redis-cli takes it, but for long arguments, which are cut.
func quote(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if a != "" && len(a) <= 100 && !strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\'' || r == '\\' }) {
			b.WriteString(a)
			continue
		}
		more := len(a) - 100
		if more > 0 {
			a = a[:100]
		}
		b.WriteByte('"')
		for _, c := range []byte(a) {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				fmt.Fprintf(&b, `\x%02x`, c)
			} else {
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		if more > 0 {
			fmt.Fprintf(&b, "(and %d bytes)", more)
		}
	}
	return b.String()
}
