package config

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// idle are settings of Redis that change nothing here, but that applications set when they begin. SET checks a value as Redis does, and
// GET shows it for as long as the process runs. A value that would promise what is not kept is refused.
var idle = slices.Concat(
	idleYesNo("yes", "appendonly", "aof-load-truncated", "aof-use-rdb-preamble", "aof-rewrite-incremental-fsync", "rdb-save-incremental-fsync",
		"rdbcompression", "stop-writes-on-bgsave-error", "activerehashing", "dynamic-hz", "replica-read-only", "replica-serve-stale-data",
		"repl-diskless-sync"),
	idleYesNo("no", "no-appendfsync-on-rewrite", "activedefrag", "lazyfree-lazy-eviction", "lazyfree-lazy-expire", "lazyfree-lazy-server-del",
		"lazyfree-lazy-user-del", "lazyfree-lazy-user-flush", "replica-lazy-flush", "repl-disable-tcp-nodelay"),
	[]Setting{
		idleSetting("save", "", parseSave),
		idleSetting("maxmemory", "0", zero(idleBytes, "no key is evicted here; cache-size bounds the memory for cached keys")),
		{Name: "maxmemory-policy", Default: "noeviction", field: policy()},
		idleSetting("min-replicas-to-write", "0", zero(idleInt(0, math.MaxInt32), "no write waits for replicas here; WAIT says how many have it")),
		idleSetting("min-replicas-max-lag", "10", idleInt(0, math.MaxInt32)),
		idleSetting("replica-priority", "100", idleInt(0, math.MaxInt32)),
		idleSetting("repl-diskless-sync-delay", "5", idleInt(0, math.MaxInt32)),
		idleSetting("repl-ping-replica-period", "10", idleInt(1, math.MaxInt32)),
		idleSetting("repl-timeout", "60", idleInt(1, math.MaxInt32)),
		idleSetting("repl-backlog-ttl", "3600", idleInt(0, math.MaxInt64)),
		idleSetting("maxmemory-samples", "5", idleInt(1, math.MaxInt32)),
		idleSetting("lfu-log-factor", "10", idleInt(0, math.MaxInt32)),
		idleSetting("lfu-decay-time", "1", idleInt(0, math.MaxInt32)),
		idleSetting("active-expire-effort", "1", idleInt(1, 10)),
		idleSetting("auto-aof-rewrite-percentage", "100", idleInt(0, math.MaxInt32)),
		idleSetting("auto-aof-rewrite-min-size", "64mb", idleBytes),
		idleSetting("hash-max-listpack-entries", "512", idleInt(0, math.MaxInt64)),
		idleSetting("hash-max-listpack-value", "64", idleBytes),
		idleSetting("list-max-listpack-size", "-2", idleInt(math.MinInt32, math.MaxInt32)),
		idleSetting("list-compress-depth", "0", idleInt(0, math.MaxInt32)),
		idleSetting("set-max-intset-entries", "512", idleInt(0, math.MaxInt64)),
		idleSetting("zset-max-listpack-entries", "128", idleInt(0, math.MaxInt64)),
		idleSetting("zset-max-listpack-value", "64", idleBytes),
		idleSetting("hll-sparse-max-bytes", "3000", idleBytes),
		idleSetting("stream-node-max-bytes", "4096", idleBytes),
		idleSetting("stream-node-max-entries", "100", idleInt(0, math.MaxInt64)),
	})

// oldNames are other names of idle settings: of that which follows.
var oldNames = []string{
	"slave-read-only", "replica-read-only", "slave-serve-stale-data", "replica-serve-stale-data", "slave-lazy-flush", "replica-lazy-flush",
	"slave-priority", "replica-priority", "min-slaves-to-write", "min-replicas-to-write", "min-slaves-max-lag", "min-replicas-max-lag",
	"repl-ping-slave-period", "repl-ping-replica-period", "hash-max-ziplist-entries", "hash-max-listpack-entries",
	"hash-max-ziplist-value", "hash-max-listpack-value", "list-max-ziplist-size", "list-max-listpack-size",
	"zset-max-ziplist-entries", "zset-max-listpack-entries", "zset-max-ziplist-value", "zset-max-listpack-value",
}

func byOldNames(list []Setting) (old []Setting) {
	for i := 0; i < len(oldNames); i += 2 {
		p := list[slices.IndexFunc(list, func(p Setting) bool { return p.Name == oldNames[i+1] })]
		p.Name = oldNames[i]
		old = append(old, p)
	}
	return old
}

func policy() field {
	names := []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"}
	return choice(func(s *Settings) *string { return &s.MaxMemoryPolicy }, names, names...)
}

// idleSetting keeps what check makes of a text.
func idleSetting(name, usual string, check func(string) (string, error)) Setting {
	set := func(s *Settings, value string) error {
		shown, err := check(value)
		if err == nil {
			s.idle = maps.Clone(s.idle)
			if s.idle == nil {
				s.idle = make(map[string]string)
			}
			s.idle[name] = shown
		}
		return err
	}
	return Setting{Name: name, Default: usual, field: field{func(s *Settings) string { return s.idle[name] }, set}}
}

func idleYesNo(usual string, names ...string) (list []Setting) {
	for _, name := range names {
		list = append(list, idleSetting(name, usual, func(value string) (string, error) {
			on, err := parseYesNo(value)
			return YesOrNo(on), err
		}))
	}
	return list
}

func idleInt(lo, hi int64) func(string) (string, error) {
	return func(value string) (string, error) {
		n, err := within(ParseInt, errNoInteger, lo, hi, value)
		return strconv.FormatInt(n, 10), err
	}
}

func idleBytes(value string) (string, error) {
	n, err := within(ParseBytes, errNoMemory, 0, math.MaxInt64, value)
	return strconv.FormatInt(n, 10), err
}

// zero takes nothing but 0 of what check takes, and says why.
func zero(check func(string) (string, error), why string) func(string) (string, error) {
	return func(value string) (string, error) {
		shown, err := check(value)
		if err == nil && shown != "0" {
			err = errors.New(why)
		}
		return shown, err
	}
}

// parseSave takes pairs of seconds and changes, or nothing. What is acknowledged is in the journal anyway.
func parseSave(value string) (string, error) {
	words := strings.Split(value, " ")
	if value == "" {
		words = nil
	}
	var points []string
	for i, word := range words {
		n, err := strconv.ParseInt(word, 10, 64)
		if least := int64(1 - i%2); err != nil || n < least || len(words)%2 != 0 {
			return "", errors.New("Invalid save parameters") //lint:ignore ST1005 Redis's words
		}
		points = append(points, strconv.FormatInt(n, 10))
	}
	return strings.Join(points, " "), nil
}

// Idle are the settings that change nothing, by their old names too.
func Idle() []Setting { return slices.Concat(idle, byOldNames(idle)) }
