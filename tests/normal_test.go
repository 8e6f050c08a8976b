package tests

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// form compares two replies that need not be equal to the byte. It may ask the servers more.
type form struct {
	equal func(w *twins, client int, args []string, redis, ours reply) bool
	asks  bool // it does: the command must not be in a pipeline
}

// forms has those of the commands, "name" or "name|subcommand", whose replies depend on clocks, order or identity.
// Errors are exact for all of them.
var forms = map[string]form{
	"ttl":                     {equal: within(3)},
	"expiretime":              {equal: within(3)},
	"pttl":                    {equal: within(3000)},
	"pexpiretime":             {equal: within(3000)},
	"keys":                    {equal: sameSet},
	"scan":                    {equal: sameScan, asks: true},
	"randomkey":               {equal: someKey, asks: true},
	"hgetall":                 {equal: samePairs},
	"hkeys":                   {equal: sameSet},
	"hvals":                   {equal: sameSet},
	"hscan":                   {equal: sameHScan},
	"hrandfield":              {equal: someField},
	"dbsize":                  {equal: soonEqual, asks: true},
	"time":                    {equal: sameShape},
	"info":                    {equal: sameInfo},
	"hello":                   {equal: sameHello},
	"client|id":               {equal: sameShape},
	"client|info":             {equal: sameFields("id=", "addr=", "laddr=", "name=", "age=", "idle=", "db=", "multi=", "cmd=", "user=default", "resp=")},
	"client|list":             {equal: sameFields("id=", "addr=", "name=", "age=", "idle=", "flags=", "db=", "cmd=")},
	"client|help":             {equal: sameShape},
	"config|help":             {equal: sameShape},
	"config|get":              {equal: sameSettings},
	"object|help":             {equal: sameShape},
	"script|help":             {equal: sameShape},
	"object|idletime":         {equal: sameShape},
	"object|refcount":         {equal: sameShape}, // Redis remembers how a value was made
	"memory|usage":            {equal: sizes, asks: true},
	"memory|doctor":           {equal: sameShape},
	"memory|stats":            {equal: sameShape},
	"memory|help":             {equal: sameShape},
	"lastsave":                {equal: sameShape},
	"acl|help":                {equal: sameShape},
	"function|help":           {equal: sameShape},
	"module|help":             {equal: sameShape},
	"slowlog|get":             {equal: sameMark}, // there may be one that was slow on one of them
	"slowlog|len":             {equal: sameShape},
	"slowlog|help":            {equal: sameShape},
	"latency|doctor":          {equal: sameMark},
	"latency|help":            {equal: sameShape},
	"latency|histogram":       {equal: sameMark},
	"pubsub|help":             {equal: sameShape},
	"object|encoding":         {equal: sameEncoding},
	"command|help":            {equal: sameShape},
	"command|count":           {equal: sameShape},
	"command|list":            {equal: sameCommands},
	"command|info":            {equal: sameCommandInfo},
	"command|docs":            {equal: sameDocs},
	"command|getkeysandflags": {equal: never}, // but it is not tried in scripts, whose tables order a set as they like
	"command":                 {equal: sameShape},
}

// infoFields are what dashboards and client libraries read.
var infoFields = strings.Fields(`redis_version: redis_mode: os: process_id: run_id: tcp_port: uptime_in_seconds: connected_clients: used_memory:
	lru_clock: maxclients: blocked_clients: used_memory_human: used_memory_peak: maxmemory_policy: mem_fragmentation_ratio: rdb_last_save_time:
	instantaneous_ops_per_sec: instantaneous_input_kbps: keyspace_hits: keyspace_misses: expired_keys: evicted_keys: pubsub_channels: total_error_replies:
	cmdstat_get: errorstat_ERR: cluster_enabled: loading: aof_enabled: total_connections_received: total_commands_processed: role: connected_slaves: used_cpu_sys: used_cpu_user:`)

func formOf(args []string) (form, bool) {
	name := strings.ToLower(args[0])
	if len(args) > 1 && oneOf(name, "client", "config", "object", "command", "script", "memory", "slowlog", "latency", "pubsub", "acl", "function", "module") {
		name += "|" + strings.ToLower(args[1])
	}
	f, ok := forms[name]
	return f, ok
}

// sameBytes allows for the one thing that errors of scripts say less of here.
func sameBytes(redis, ours reply) bool {
	return string(redis.raw) == string(ours.raw) || redis.isError() && nameless(string(redis.raw)) == nameless(string(ours.raw))
}

// sameEncoding allows for what Redis remembers of a value's past: a string that was changed in place is raw, and one that
// was written by INCRBYFLOAT no int.
func sameEncoding(_ *twins, _ int, _ []string, redis, ours reply) bool {
	return redis.text == "raw" && oneOf(ours.text, "int", "embstr") || redis.text == "embstr" && ours.text == "int" ||
		redis.text == "hashtable" && ours.text == "listpack"
}

// samePairs: the same fields with the same values, in any order.
func samePairs(_ *twins, _ int, _ []string, redis, ours reply) bool {
	r, o := pairs(redis), pairs(ours)
	return redis.mark == ours.mark && len(redis.parts) == len(ours.parts) &&
		maps.EqualFunc(r, o, func(a, b reply) bool { return sameBytes(a, b) })
}

// sameHScan: a hash of few fields comes at once, in any order; Redis keeps one that had long values in another form.
func sameHScan(_ *twins, _ int, args []string, redis, ours reply) bool {
	if len(redis.parts) != 2 || len(ours.parts) != 2 || redis.mark != ours.mark {
		return false
	}
	if redis.parts[0].text != "0" || args[2] != "0" {
		return true
	}
	return samePairs(nil, 0, nil, redis.parts[1], ours.parts[1])
}

// someField: one field or as many of them, whichever they are.
func someField(_ *twins, _ int, _ []string, redis, ours reply) bool {
	return redis.mark == ours.mark && redis.null == ours.null && len(redis.parts) == len(ours.parts)
}

// within allows the time between one server's receipt of a command and the other's.
func within(tolerance int64) func(*twins, int, []string, reply, reply) bool {
	return func(_ *twins, _ int, _ []string, redis, ours reply) bool {
		r, errR := redis.int()
		o, errO := ours.int()
		if errR != nil || errO != nil || redis.mark != ours.mark {
			return false
		}
		return r == o || r > 0 && o > 0 && max(r-o, o-r) <= tolerance
	}
}

// never allows no difference.
func never(*twins, int, []string, reply, reply) bool { return false }

// sameShape: the same type, and empty or not.
func sameShape(_ *twins, _ int, _ []string, redis, ours reply) bool {
	return redis.mark == ours.mark && redis.null == ours.null && (len(redis.parts) == 0) == (len(ours.parts) == 0)
}

// sizes are of a key that may have just expired: Redis does not look at that.
func sizes(_ *twins, _ int, _ []string, redis, ours reply) bool {
	return redis.mark == ours.mark || redis.null || ours.null
}

func sameMark(_ *twins, _ int, _ []string, redis, ours reply) bool { return redis.mark == ours.mark }

func sameSet(_ *twins, _ int, _ []string, redis, ours reply) bool {
	return redis.mark == ours.mark && slices.Equal(sorted(redis.texts()), sorted(ours.texts()))
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// sameScan goes on with each server's own cursor to the end: what is found in all must be the same.
func sameScan(w *twins, client int, args []string, redis, ours reply) bool {
	if args[1] != "0" {
		return redis.mark == ours.mark && len(redis.parts) == len(ours.parts)
	}
	r, errR := scanRest(w.conns[client][0], args, redis)
	o, errO := scanRest(w.conns[client][1], args, ours)
	return errR == nil && errO == nil && slices.Equal(r, o)
}

// scanRest gives the keys of a whole SCAN that began with page, sorted, each once.
func scanRest(c *conn, args []string, page reply) ([]string, error) {
	keys := make(map[string]bool)
	for range 10000 {
		if len(page.parts) != 2 {
			return nil, fmt.Errorf("SCAN = %v; want cursor and keys", page)
		}
		for _, k := range page.parts[1].texts() {
			keys[k] = true
		}
		cursor := page.parts[0].text
		if cursor == "0" {
			all := make([]string, 0, len(keys))
			for k := range keys {
				all = append(all, k)
			}
			sort.Strings(all)
			return all, nil
		}
		next := slices.Clone(args)
		next[1] = cursor
		var err error
		if page, err = c.do(next...); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s does not end", quote(args))
}

// someKey: what either gives exists in both.
func someKey(w *twins, client int, _ []string, redis, ours reply) bool {
	if redis.null || ours.null {
		return redis.null == ours.null
	}
	for _, c := range w.conns[client] {
		for _, key := range []string{redis.text, ours.text} {
			if r, err := c.do("EXISTS", key); err != nil || r.text != "1" {
				return false
			}
		}
	}
	return true
}

// soonEqual asks again for a while: an expired key may be counted until it is swept.
func soonEqual(w *twins, client int, args []string, redis, ours reply) bool {
	deadline := time.Now().Add(patience)
	for !sameBytes(redis, ours) {
		if time.Now().After(deadline) {
			return false
		}
		var errR, errO error
		redis, errR = w.conns[client][0].do(args...)
		ours, errO = w.conns[client][1].do(args...)
		if errR != nil || errO != nil {
			return false
		}
	}
	return true
}

// sameFields compares texts of many fields: of those named, each text has all or the same.
func sameFields(fields ...string) func(*twins, int, []string, reply, reply) bool {
	return func(_ *twins, _ int, _ []string, redis, ours reply) bool {
		for _, f := range fields {
			if strings.Contains(redis.text, f) && !strings.Contains(ours.text, f) {
				return false
			}
		}
		return redis.mark == ours.mark
	}
}

// sameInfo: all fields, and the database, but if all keys of it may have expired: Redis counts them until it sweeps them.
func sameInfo(w *twins, client int, args []string, redis, ours reply) bool {
	var keys, expires int
	if _, err := fmt.Sscanf(field(redis.text, "db0"), "keys=%d,expires=%d", &keys, &expires); err == nil && keys > expires && field(ours.text, "db0") == "" {
		return false
	}
	return sameFields(infoFields...)(w, client, args, redis, ours)
}

func TestSameInfo(t *testing.T) {
	info := func(text string) reply { return reply{mark: '$', text: text} }
	for _, c := range []struct {
		redis, ours string
		want        bool
	}{
		{"db0:keys=2,expires=1,avg_ttl=0\r\n", "", false},
		{"db0:keys=2,expires=1,avg_ttl=0\r\n", "db0:keys=1,expires=0,avg_ttl=0\r\n", true},
		{"db0:keys=2,expires=2,avg_ttl=0\r\n", "", true},
		{"", "", true},
		{"loading:0\r\n", "", false},
	} {
		if got := sameInfo(nil, 0, nil, info(c.redis), info(c.ours)); got != c.want {
			t.Errorf("sameInfo(%q, %q) = %v; want %v", c.redis, c.ours, got, c.want)
		}
	}
}

// sameHello: all that Redis says is there; fields of our own may be, too.
func sameHello(_ *twins, _ int, _ []string, redis, ours reply) bool {
	own := pairs(ours)
	for name, value := range pairs(redis) {
		v, ok := own[name]
		if !ok || v.mark != value.mark || name != "version" && name != "id" && !sameBytes(v, value) {
			return false
		}
	}
	return redis.mark == ours.mark
}

// pairs are the values of a map, or of a RESP2 array in its place, by name.
func pairs(r reply) map[string]reply {
	m := make(map[string]reply)
	for i := 0; i+1 < len(r.parts); i += 2 {
		m[r.parts[i].text] = r.parts[i+1]
	}
	return m
}

// sameSettings: those that Redis has by default, and which exist in ours, are the same.
func sameSettings(_ *twins, _ int, args []string, redis, ours reply) bool {
	if slices.ContainsFunc(args[2:], func(a string) bool { return strings.Trim(a, "*") == "" }) {
		return redis.mark == ours.mark
	}
	return sameSet(nil, 0, nil, redis, ours)
}

// sameCommands: names that match an exact pattern; a full list differs.
func sameCommands(_ *twins, _ int, args []string, redis, ours reply) bool {
	if len(args) == 2 || args[len(args)-1] == "*" {
		return redis.mark == ours.mark && len(ours.parts) > 0
	}
	return sameSet(nil, 0, nil, redis, ours)
}

// sameCommandInfo compares name, arity, flags, key positions and ACL categories.
func sameCommandInfo(_ *twins, _ int, args []string, redis, ours reply) bool {
	if len(args) == 2 || len(redis.parts) != len(ours.parts) {
		return redis.mark == ours.mark && len(args) == 2
	}
	for i, r := range redis.parts {
		if describe(r) != describe(ours.parts[i]) {
			return false
		}
	}
	return redis.mark == ours.mark
}

// describe writes the fixed part of a COMMAND INFO entry.
func describe(r reply) string {
	if len(r.parts) < 7 {
		return r.String()
	}
	p := r.parts
	return fmt.Sprintf("%s arity %s flags %v keys %s..%s/%s categories %v", p[0].text, p[1].text, sorted(p[2].texts()), p[3].text, p[4].text, p[5].text, sorted(p[6].texts()))
}

// sameDocs: about the same commands.
func sameDocs(_ *twins, _ int, args []string, redis, ours reply) bool {
	if redis.mark != ours.mark || len(args) == 2 {
		return redis.mark == ours.mark
	}
	if len(redis.parts) != len(ours.parts) {
		return false
	}
	for i := 0; i < len(redis.parts); i += 2 {
		if redis.parts[i].text != ours.parts[i].text || redis.parts[i+1].mark != ours.parts[i+1].mark {
			return false
		}
	}
	return true
}
