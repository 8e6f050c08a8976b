// Package clients runs client libraries and the limiters that people build on them, all unmodified, against a real server:
// Go's in this process, those of Node.js and Python as scripts of the directories beside this file. It is a module of its
// own, since none of what it needs is needed by the server.
//
//	apt-get install nodejs npm python3-redis python3-limits      what they need, on Debian
//	cd tests/clients && npm ci --prefix node && go test .
//	go test . -self                                              redis-server in our place: tests the tests
package clients

import (
	"context"
	"flag"
	"log"
	"os"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"atomiccounter/tests/process"
)

// patience is how long something may take that happens soon when all is well.
const patience = 30 * time.Second

var (
	self = flag.Bool("self", false, "put redis-server in this server's place")

	ours process.Program // built by TestMain, once
)

func TestMain(m *testing.M) {
	flag.Parse()
	goredis.SetLogger(silent{})
	os.Exit(run(m))
}

// silent is the log of go-redis: it would tell of each connection that a restart breaks.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// run is TestMain with deferred calls.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "atomiccounter-clients-")
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

// start runs a server with a data directory of its own until the test ends. What it has acknowledged survives kill -9.
func start(t *testing.T) *process.Server {
	t.Helper()
	var args []string
	if *self { // everysec would not do: it postpones what it writes while it syncs
		args = []string{"--appendonly", "yes", "--appendfsync", "no"}
	}
	s, err := ours.Start(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s wrote:\n%s", ours.Name, s.Log())
		}
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// restart kills the server with SIGKILL and starts it again at its address.
func restart(t *testing.T, s *process.Server) {
	t.Helper()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
}

// eventually repeats what fails until it does not.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", patience, err)
		}
	}
}

// resumes increments a counter that was 7 before a crash: its client may fail while it connects again, but counts nothing
// twice.
func resumes(t *testing.T, increment func() (int64, error)) {
	t.Helper()
	var n int64
	eventually(t, func() (err error) {
		n, err = increment()
		return err
	})
	if n != 8 {
		t.Errorf("the first increment after a crash = %d; want 8", n)
	}
}

// missing skips a test for which something is not installed, but fails it in CI.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
