package commands

import (
	"strings"
	"testing"

	"atomiccounter/engine"
)

func TestInfo(t *testing.T) {
	c := connect(t, newServerWith(t, engine.Options{Now: func() int64 { return 1e12 }}))
	do(t, c, "SELECT", "3")
	do(t, c, "SET", "k", "1", "EX", "100")
	do(t, c, "SET", "l", "1")
	text := reparse(t, do(t, c, "INFO")).(string)
	for _, part := range []string{"# Server\r\nredis_version:7.4.0\r\n", "\r\n\r\n# Clients\r\nconnected_clients:1\r\n",
		"\r\natomiccounter_version:0.0.0\r\n", "\r\nloading:0\r\n", "\r\nrole:master\r\n", "\r\naof_enabled:1\r\n",
		"\r\ntotal_commands_processed:3\r\n", "\r\ndb3:keys=2,expires=1,avg_ttl=100000\r\n", "\r\nused_cpu_user:",
		"\r\nmaxmemory:0\r\n", "\r\nreplica_id:", "\r\nready:1\r\nclock_ahead_ms:0\r\n", "\r\nappendfsync:everysec\r\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("INFO = %q; want %q in it", text, part)
		}
	}
	want(t, c, "CONFIG RESETSTAT", "+OK|")
	if got := do(t, c, "INFO", "stats"); !strings.Contains(got, "total_commands_processed:1\r\n") { // itself
		t.Errorf("INFO stats after RESETSTAT = %q; want 1 command", got)
	}
	const sections = "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\ndb3:keys=2,expires=1,avg_ttl=100000\r\n"
	if got := reparse(t, do(t, c, "INFO", "KEYSPACE", "cluster", "nosuch")); got != sections {
		t.Errorf("INFO KEYSPACE cluster nosuch = %q; want %q", got, sections)
	}
}

// TestInfoFieldsAreThoseOfRedis: a field that is not ours by its section must be one that tools know.
func TestInfoFieldsAreThoseOfRedis(t *testing.T) {
	c, real := newContext(t), dialRedis(t, startRedis(t))
	real.do(t, "CONFIG", "SET", "appendonly", "yes") // as here
	known, ours := real.do(t, "INFO", "everything"), do(t, c, "INFO", "everything")
	for line := range strings.Lines(known) {
		name, _, found := strings.Cut(line, ":")
		if of, _, _ := strings.Cut(name, "_"); found && of != "cmdstat" && of != "latency" && name != "atomicvar_api" && name != "gcc_version" &&
			!strings.Contains(ours, "\n"+name+":") {
			t.Errorf("%s of Redis is missing", name)
		}
	}
	section := ""
	for line := range strings.Lines(reparse(t, ours).(string)) {
		name, _, found := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case !found:
			section = name
		case section == "# Atomiccounter" || strings.HasPrefix(name, "go_") || strings.HasPrefix(name, program) || strings.HasPrefix(name, "peer") || name == "db0" ||
			strings.HasPrefix(name, "cmdstat_") || strings.HasPrefix(name, "errorstat_") || strings.HasPrefix(name, "latency_percentiles"):
		case name == "watching_clients" || name == "total_watched_keys" || strings.HasSuffix(name, "_buffer_limit_disconnections"): // of Redis 7.4
		case !strings.Contains(known, "\n"+name+":"):
			t.Errorf("%s in %s is no field of Redis", name, section)
		}
	}
}
