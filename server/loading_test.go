package server

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

const loading = "-LOADING Redis is loading the dataset in memory\r\n"

// serveLoading starts a server whose store is not open yet, and so long since that clients do not wait for it.
func serveLoading(t *testing.T, o Options) *running {
	return serveLoadingSince(t, o, time.Now().Add(-time.Hour))
}

func serveLoadingSince(t *testing.T, o Options, started time.Time) *running {
	t.Helper()
	if o.Settings == nil {
		o.Settings = settings(nil)
	}
	o.Log = quiet()
	s, err := New(o)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	s.shared.Started = started
	return start(t, s)
}

// TestLoadingSoon: right after the start, commands that need the store wait for it, in their order, and hold up no other connection.
func TestLoadingSoon(t *testing.T) {
	r := serveLoadingSince(t, Options{}, time.Now().Add(time.Hour))
	p, queues, other := r.dial(t), r.dial(t), r.dial(t)
	p.send("CLIENT REPLY SKIP\r\nINCR k\r\nINCR k\r\nSELECT 3\r\nINCR k\r\n")
	queues.send("MULTI\r\nINCR q\r\nEXEC\r\n")
	queues.want("+OK\r\n")
	r.awaitBlocked(t, 2)
	other.send("SELECT 3\r\n")
	other.want("+OK\r\n")
	r.Open(openEngine(t, engine.EverySec), nil)
	p.want(":2\r\n+OK\r\n:1\r\n")
	queues.want("+QUEUED\r\n*1\r\n:1\r\n")
}

// TestLoadingSoonOver: a store that takes longer is not waited for any longer.
func TestLoadingSoonOver(t *testing.T) {
	p := serveLoadingSince(t, Options{}, time.Now()).dial(t)
	p.send("INCR k\r\nINCR k\r\nSELECT 3\r\n")
	p.want(loading + loading + "+OK\r\n")
}

// TestLoading: a connection that is there while the store is opened goes on with it, and what it has chosen holds.
func TestLoading(t *testing.T) {
	r := serveLoading(t, Options{Settings: settings(func(o *config.Settings) { o.Sync = engine.Always })})
	p, silent, listener := r.dial(t), r.dial(t), r.dial(t)
	p.send("*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINCR\r\n$1\r")
	p.want(loading)
	p.send("\nk\r\n\r\nGET k\r\nSELECT 3\r\nCLIENT SETNAME early\r\n")
	p.want(loading + loading + "+OK\r\n+OK\r\n")
	p.send("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n") // keys that the engine is told of ahead
	p.want(loading + loading)
	p.send("CONFIG GET appendfsync\r\nCONFIG SET appendfsync no\r\nCONFIG SET timeout 7\r\n")
	p.want("*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n" +
		"-ERR CONFIG SET failed (possibly related to argument 'appendfsync') - the store is still loading: try again\r\n+OK\r\n")
	p.send("MULTI\r\nINCR k\r\nEXEC\r\nMULTI\r\nECHO hi\r\nEXEC\r\n")
	p.want("+OK\r\n" + loading + "-EXECABORT Transaction discarded because of previous errors.\r\n+OK\r\n+QUEUED\r\n*1\r\n$2\r\nhi\r\n")
	p.send("WATCH k\r\n")
	p.want("+OK\r\n")
	listener.send("SUBSCRIBE c\r\n")
	listener.want("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
	p.send("PUBLISH c early\r\n")
	p.want(":1\r\n")
	listener.want("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nearly\r\n")

	r.Open(openEngine(t, engine.Always), nil)
	silent.send("SELECT 3\r\nINCR k\r\nPUBLISH c late\r\n") // nobody knows whether p has read k meanwhile
	silent.want("+OK\r\n:1\r\n:1\r\n")
	listener.want("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\nlate\r\n")
	p.send("MULTI\r\nINCR k\r\nEXEC\r\nINCR k\r\nCLIENT GETNAME\r\nCONFIG SET appendfsync no\r\n")
	p.want("+OK\r\n+QUEUED\r\n*-1\r\n:2\r\n$5\r\nearly\r\n+OK\r\n")
}

func TestLoadingInfo(t *testing.T) {
	r := serveLoading(t, Options{})
	r.Progress(250, 1000)
	info := func() string {
		p := r.dial(t)
		p.send("INFO everything\r\nQUIT\r\n")
		all, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(all)
	}
	text := info()
	for _, line := range []string{"loading:1", "loading_total_bytes:1000", "loading_loaded_bytes:250", "loading_loaded_perc:25.00", "loading_eta_seconds:"} {
		if !strings.Contains(text, line) {
			t.Errorf("INFO = %q; want a line %s", text, line)
		}
	}
	r.Open(openEngine(t, engine.EverySec), nil)
	if text := info(); !strings.Contains(text, "loading:0") || strings.Contains(text, "loading_eta") {
		t.Errorf("INFO after that = %q; want loading:0 and nothing more of it", text)
	}
}

// TestLoadingEnds: SHUTDOWN is answered by the end of Serve also while there is no store.
func TestLoadingEnds(t *testing.T) {
	r := serveLoading(t, Options{})
	p := r.dial(t)
	p.send("SHUTDOWN\r\n")
	p.wantEnd("")
	r.end(t)
}

// TestNewListensAtAllOrNone: what is in use is found before there is a store.
func TestNewListensAtAllOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	r := serveLoading(t, Options{Settings: settings(func(o *config.Settings) { o.UnixSocket = path })})
	port := r.Addrs()[0].(*net.TCPAddr).Port
	o := Options{Log: quiet(), Settings: settings(func(o *config.Settings) { o.Port, o.UnixSocket = int64(port), path+"2" })}
	if _, err := New(o); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("New on a port in use = %v; want EADDRINUSE", err)
	}
	r.end(t)
	for _, name := range []string{path, path + "2"} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Stat(%s) = %v; want no such file", name, err)
		}
	}
}
