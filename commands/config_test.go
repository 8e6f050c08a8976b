package commands

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

func TestConfigTakesEffect(t *testing.T) {
	c := newContext(t)
	s := c.Server
	want(t, c, "CONFIG SET timeout 30 maxclients 5 appendfsync always loglevel debug", "+OK|")
	told := int64(0)
	s.Sized = func(cache, _ int64) { told = cache }
	want(t, c, "CONFIG SET update-period 250ms cache-size 64mb proto-max-bulk-len 1mb client-query-buffer-limit 2mb", "+OK|")
	for _, check := range []struct {
		name      string
		got, want any
	}{
		{"Timeout", s.Config.Timeout(), 30 * time.Second},
		{"MaxClients", s.Config.MaxClients(), 5},
		{"ProtoMaxBulk", s.Config.ProtoMaxBulk(), int64(1 << 20)},
		{"QueryBuffer", s.Config.QueryBuffer(), int64(2 << 20)},
		{"Sync", s.Engine.Sync(), engine.Always},
		{"Level", s.Log.Level.Level(), slog.LevelDebug},
		{"UpdatePeriod", s.Engine.UpdatePeriod(), 250 * time.Millisecond},
		{"CacheSize", s.Engine.CacheSize(), int64(64 << 20)},
		{"CacheSized", told, int64(64 << 20)},
	} {
		if check.got != check.want {
			t.Errorf("%s = %v; want %v", check.name, check.got, check.want)
		}
	}
	want(t, c, "CONFIG GET update-period", "*2|$13|update-period|$5|250ms|")
	for value, shown := range map[string]string{"0": "$1|1|", "100": "$3|100|", "501": "$3|500|"} { // as Redis does
		want(t, c, "CONFIG SET hz "+value, "+OK|")
		want(t, c, "CONFIG GET hz", "*2|$2|hz|"+shown)
	}
	want(t, c, "CONFIG GET repl-backlog-size", "*2|$17|repl-backlog-size|$9|268435456|")
	want(t, c, "CONFIG SET update-period 0", "+OK|")
	want(t, c, "CONFIG GET update-period", "*2|$13|update-period|$2|0s|")
	want(t, c, "CONFIG SET update-period x",
		"-ERR CONFIG SET failed (possibly related to argument 'update-period') - argument must be a duration, as in 1s or 250ms|")
}

// TestProtectedModeCanBeSet, as those are told to do who are not let in.
func TestProtectedModeCanBeSet(t *testing.T) {
	c := newContext(t)
	for _, mode := range []string{"yes", "no", "YES"} {
		want(t, c, "CONFIG SET protected-mode "+mode, "+OK|")
		if got, want := c.Server.Config.Protected(), mode != "no"; got != want {
			t.Errorf("Protected() after CONFIG SET protected-mode %s = %t; want %t", mode, got, want)
		}
	}
	want(t, c, "CONFIG SET protected-mode maybe",
		"-ERR CONFIG SET failed (possibly related to argument 'protected-mode') - argument must be 'yes' or 'no'|")
	want(t, c, "CONFIG GET protected-mode", "*2|$14|protected-mode|$3|yes|")
}

func TestConfigSetIsAllOrNothing(t *testing.T) {
	c := newContext(t)
	want(t, c, "CONFIG SET timeout 30 maxclients x",
		"-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer|")
	if got := c.Server.Config.Timeout(); got != 0 {
		t.Errorf("Timeout() after a failed CONFIG SET = %v; want 0", got)
	}
}

// TestConfigSetFails: who asks for another mode hears if the engine could not change it.
func TestConfigSetFails(t *testing.T) {
	e, err := engine.Open("store", engine.Options{InMemory: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Log: &Log{Logger: slog.New(slog.DiscardHandler)}}
	s.Open(e, nil)
	c := connect(t, s)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, c, "CONFIG SET appendfsync always", "-ERR CONFIG SET failed (possibly related to argument 'appendfsync') - engine is closed|")
}

// TestConfigKeepsWhatCannotChange: a tool that makes sure of a value goes on, one that wants another is told.
func TestConfigKeepsWhatCannotChange(t *testing.T) {
	c := newContext(t)
	want(t, c, "CONFIG SET tls-port 0 maxmemory 0 min-replicas-to-write 0", "+OK|")
	wants(t, c, map[string]string{
		"CONFIG SET tls-port 1":              "-ERR CONFIG SET failed (possibly related to argument 'tls-port') - can't set immutable config|",
		"CONFIG SET maxmemory 100mb":         "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - no key is evicted here; cache-size bounds the memory for cached keys|",
		"CONFIG SET min-replicas-to-write 1": "-ERR CONFIG SET failed (possibly related to argument 'min-replicas-to-write') - no write waits for replicas here; WAIT says how many have it|",
		"CONFIG SET min-slaves-to-write 1":   "-ERR CONFIG SET failed (possibly related to argument 'min-slaves-to-write') - no write waits for replicas here; WAIT says how many have it|",
	})
	want(t, c, "CONFIG GET maxmemory min-replicas-to-write", "*4|$9|maxmemory|$1|0|$21|min-replicas-to-write|$1|0|")
}

// TestIdleParameters are shown and checked as Redis does.
func TestIdleParameters(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	real.do(t, "CONFIG", "SET", "appendonly", "yes") // as here
	same := func(args ...string) {
		t.Helper()
		if got, want := do(t, ours, args...), real.do(t, args...); got != want {
			t.Errorf("%q = %q; want %q", args, got, want)
		}
	}
	values := []string{"yes", "No", "x", "", "0", "1", "-1", "007", "+1", "5", "11", "1kb", "1mb", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808",
		"900 1 60 010", "900 1 300", "900  1", " 900 1", "900 -1", "0 1", "1 0", "9 x", " ", "ALLKEYS-LRU", "noeviction"}
	odd := []string{"", "007", "9223372036854775808"} // that Redis takes for sizes
	for _, p := range config.Idle() {
		same("CONFIG", "GET", p.Name)
		for _, value := range values {
			n, _ := config.ParseBytes(value)
			switch {
			case n != 0 && (p.Name == "maxmemory" || strings.HasSuffix(p.Name, "-to-write")): // refused here
			case value == "yes" && p.Name == "activedefrag": // and there
			case slices.Contains(odd, value) && strings.HasSuffix(do(t, ours, "CONFIG", "SET", p.Name, "x"), "memory value\r\n"):
			default:
				same("CONFIG", "SET", p.Name, value)
				same("CONFIG", "GET", p.Name)
			}
		}
	}
	for line := range strings.Lines(`hash-max-ziplist-value 1 hash-max-listpack-value 2
		hash-max-ziplist-value 1 hash-max-ziplist-value 2
		stop-writes-on-bgsave-error no lazyfree-lazy-user-del maybe
		save 60 1 appendonly no`) {
		same(append([]string{"CONFIG", "SET"}, strings.Fields(line)...)...)
	}
	for _, name := range []string{"hash-max-ziplist-value", "save", "appendonly", "stop-writes-on-bgsave-error"} {
		same("CONFIG", "GET", name)
	}
	do(t, ours, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	if info := do(t, ours, "INFO", "memory"); !strings.Contains(info, "\r\nmaxmemory_policy:volatile-ttl\r\n") {
		t.Errorf("INFO memory = %q; want the policy that was set", info)
	}
}

func TestConfigRewrite(t *testing.T) {
	c := newContext(t)
	want(t, c, "CONFIG REWRITE", "-ERR The server is running without a config file|")
	dir := t.TempDir()
	adjust(c.Server, func(o *config.Settings) { o.File = filepath.Join(dir, "conf") })
	want(t, c, "CONFIG SET timeout 30 cache-size 64mb", "+OK|")
	want(t, c, "CONFIG REWRITE", "+OK|")
	text, err := os.ReadFile(filepath.Join(dir, "conf"))
	if want := "# Generated by CONFIG REWRITE\ncache-size 67108864\ntimeout 30\n"; err != nil || string(text) != want {
		t.Errorf("CONFIG REWRITE writes %q, %v; want %q", text, err, want)
	}
	adjust(c.Server, func(o *config.Settings) { o.File = dir })
	want(t, c, "CONFIG REWRITE", "-ERR Rewriting config file: read "+dir+": is a directory|")
}

func TestConfigGet(t *testing.T) {
	c := newContext(t)
	adjust(c.Server, func(o *config.Settings) { o.Dir, o.Natural, o.Timeout = "/data", []string{"views:*", "hits:*"}, 60 })
	want(t, c, "CONFIG GET d[ia]r dir save timeout", "*6|$3|dir|$5|/data|$4|save|$0||$7|timeout|$2|60|")
	want(t, c, "CONFIG GET tcp-keepalive", "*2|$13|tcp-keepalive|$3|300|")
	want(t, c, "CONFIG GET natural", "*2|$7|natural|$14|views:* hits:*|")
	all := reparse(t, do(t, c, "CONFIG", "GET", "*")).([]any)
	if known := config.Match(func(string) bool { return true }); len(all) != 2*len(known) {
		t.Errorf("CONFIG GET * = %d settings; want %d", len(all)/2, len(known))
	}
	for _, name := range []string{"save", "appendonly", "appendfsync", "timeout", "maxclients", "databases", "replica-read-only",
		"maxmemory", "requirepass", "loglevel", "port", "bind", "dir"} {
		if config.Find(name) == nil {
			t.Errorf("CONFIG GET %s = nothing; want what tools read", name)
		}
	}
}
