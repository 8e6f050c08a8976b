package commands

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// idle are parameters of Redis that change nothing here, but that applications set when they begin. SET checks a value as Redis does, and
// GET shows it for as long as the process runs. A value that would promise what is not kept is refused.
var idle = slices.Concat(
	idleYesNo("yes", "appendonly", "aof-load-truncated", "aof-use-rdb-preamble", "aof-rewrite-incremental-fsync", "rdb-save-incremental-fsync",
		"rdbcompression", "stop-writes-on-bgsave-error", "activerehashing", "dynamic-hz", "replica-read-only", "replica-serve-stale-data",
		"repl-diskless-sync"),
	idleYesNo("no", "no-appendfsync-on-rewrite", "activedefrag", "lazyfree-lazy-eviction", "lazyfree-lazy-expire", "lazyfree-lazy-server-del",
		"lazyfree-lazy-user-del", "lazyfree-lazy-user-flush", "replica-lazy-flush", "repl-disable-tcp-nodelay"),
	[]param{
		{"save", showIdle("save", ""), takeSave},
		{"maxmemory", fixed("0"), zero(takeBytes(0, leave), "no key is evicted here; cache-size bounds the memory for cached keys")},
		{"maxmemory-policy", showIdle("maxmemory-policy", "noeviction"), policies.take(func(s *Server, n int) error {
			s.Config.idle.Store("maxmemory-policy", policies.name(n))
			return nil
		})},
		{"min-replicas-to-write", fixed("0"), zero(takeInt(0, math.MaxInt32, leave), "no write waits for replicas here; WAIT says how many have it")},
		idleInt("min-replicas-max-lag", 10, 0, math.MaxInt32),
		idleInt("replica-priority", 100, 0, math.MaxInt32),
		idleInt("repl-diskless-sync-delay", 5, 0, math.MaxInt32),
		idleInt("repl-ping-replica-period", 10, 1, math.MaxInt32),
		idleInt("repl-timeout", 60, 1, math.MaxInt32),
		idleInt("repl-backlog-ttl", 3600, 0, math.MaxInt64),
		idleInt("maxmemory-samples", 5, 1, math.MaxInt32),
		idleInt("lfu-log-factor", 10, 0, math.MaxInt32),
		idleInt("lfu-decay-time", 1, 0, math.MaxInt32),
		idleInt("active-expire-effort", 1, 1, 10),
		idleInt("auto-aof-rewrite-percentage", 100, 0, math.MaxInt32),
		idleBytes("auto-aof-rewrite-min-size", 64<<20),
		idleInt("hash-max-listpack-entries", 512, 0, math.MaxInt64),
		idleBytes("hash-max-listpack-value", 64),
		idleInt("list-max-listpack-size", -2, math.MinInt32, math.MaxInt32),
		idleInt("list-compress-depth", 0, 0, math.MaxInt32),
		idleInt("set-max-intset-entries", 512, 0, math.MaxInt64),
		idleInt("zset-max-listpack-entries", 128, 0, math.MaxInt64),
		idleBytes("zset-max-listpack-value", 64),
		idleBytes("hll-sparse-max-bytes", 3000),
		idleBytes("stream-node-max-bytes", 4096),
		idleInt("stream-node-max-entries", 100, 0, math.MaxInt64),
	})

// oldNames are other names of parameters: of that which follows.
var oldNames = []string{
	"slave-read-only", "replica-read-only", "slave-serve-stale-data", "replica-serve-stale-data", "slave-lazy-flush", "replica-lazy-flush",
	"slave-priority", "replica-priority", "min-slaves-to-write", "min-replicas-to-write", "min-slaves-max-lag", "min-replicas-max-lag",
	"repl-ping-slave-period", "repl-ping-replica-period", "hash-max-ziplist-entries", "hash-max-listpack-entries",
	"hash-max-ziplist-value", "hash-max-listpack-value", "list-max-ziplist-size", "list-max-listpack-size",
	"zset-max-ziplist-entries", "zset-max-listpack-entries", "zset-max-ziplist-value", "zset-max-listpack-value",
}

func byOldNames(list []param) (old []param) {
	for i := 0; i < len(oldNames); i += 2 {
		p := list[slices.IndexFunc(list, func(p param) bool { return p.name == oldNames[i+1] })]
		p.name = oldNames[i]
		old = append(old, p)
	}
	return old
}

var policies = choice{{"volatile-lru", 0}, {"volatile-lfu", 1}, {"volatile-random", 2}, {"volatile-ttl", 3},
	{"allkeys-lru", 4}, {"allkeys-lfu", 5}, {"allkeys-random", 6}, {"noeviction", 7}}

// idleOr is what a parameter that changes nothing was set to.
func (c *Config) idleOr(name, usual string) string {
	if v, ok := c.idle.Load(name); ok {
		return v.(string)
	}
	return usual
}

func showIdle(name, usual string) func(*Server) string {
	return func(s *Server) string { return s.Config.idleOr(name, usual) }
}

func leave(*Server, int64) {}

func keepInt(name string) func(*Server, int64) {
	return func(s *Server, n int64) { s.Config.idle.Store(name, strconv.FormatInt(n, 10)) }
}

func idleYesNo(usual string, names ...string) (list []param) {
	for _, name := range names {
		keep := func(s *Server, on int64) { s.Config.idle.Store(name, yesNo(on == 1)) }
		list = append(list, param{name, showIdle(name, usual), takeYesNo(keep)})
	}
	return list
}

func idleInt(name string, usual, lo, hi int64) param {
	return param{name, showIdle(name, strconv.FormatInt(usual, 10)), takeInt(lo, hi, keepInt(name))}
}

func idleBytes(name string, usual int64) param {
	return param{name, showIdle(name, strconv.FormatInt(usual, 10)), takeBytes(0, keepInt(name))}
}

// zero takes nothing but 0 of what check takes, and says why.
func zero(check setter, why string) setter {
	return func(s *Server, value string) (func() error, error) {
		apply, err := check(s, value)
		if n, _ := parseBytes([]byte(value)); err == nil && n != 0 {
			err = errors.New(why)
		}
		return apply, err
	}
}

// takeSave takes pairs of seconds and changes, or nothing. What is acknowledged is in the journal anyway.
func takeSave(s *Server, value string) (func() error, error) {
	words := strings.Split(value, " ")
	if value == "" {
		words = nil
	}
	var points []string
	for i, word := range words {
		n, err := strconv.ParseInt(word, 10, 64)
		if least := int64(1 - i%2); err != nil || n < least || len(words)%2 != 0 {
			return nil, errors.New("Invalid save parameters") //lint:ignore ST1005 Redis's words
		}
		points = append(points, strconv.FormatInt(n, 10))
	}
	return sure(func() { s.Config.idle.Store("save", strings.Join(points, " ")) }), nil
}
