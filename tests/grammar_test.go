package tests

import (
	"slices"
	"strconv"
	"strings"
)

// production makes a valid command; the more its weight, the more often.
type production struct {
	weight int
	make   func(g generator) []string
}

func pickWeighted(g generator) func(generator) []string {
	sum := 0
	for _, p := range grammar {
		sum += p.weight
	}
	n := g.IntN(sum)
	for _, p := range grammar {
		if n -= p.weight; n < 0 {
			return p.make
		}
	}
	panic("not reached: n < the sum of the weights")
}

// words makes a command of fixed words and what follows.
func words(first string, rest ...[]string) []string {
	return slices.Concat(append([][]string{{first}}, rest...)...)
}

// grammar is what streams are made of: every command that Redis 7.0 has, too.
var grammar = []production{
	{30, func(g generator) []string { return []string{g.pick("INCR", "DECR"), g.key()} }},
	{30, func(g generator) []string { return []string{g.pick("INCRBY", "DECRBY"), g.key(), g.integer()} }},
	{15, func(g generator) []string { return []string{"GET", g.key()} }},
	{20, set},
	{4, func(g generator) []string { return []string{"SETNX", g.key(), g.value()} }},
	{4, func(g generator) []string { return []string{"SETEX", g.key(), g.seconds(), g.value()} }},
	{4, func(g generator) []string { return []string{"PSETEX", g.key(), g.milliseconds(), g.value()} }},
	{6, func(g generator) []string { return []string{"GETSET", g.key(), g.value()} }},
	{6, func(g generator) []string { return []string{"GETDEL", g.key()} }},
	{8, func(g generator) []string { return words("GETEX", []string{g.key()}, g.getexOption()) }},
	{6, func(g generator) []string { return words("MGET", g.keys()) }},
	{6, func(g generator) []string { return words(g.pick("MSET", "MSETNX"), g.pairs()) }},
	{3, func(g generator) []string { return []string{"STRLEN", g.key()} }},
	{6, func(g generator) []string { return []string{"APPEND", g.key(), g.pick("", "0", "5", "x", g.value())} }},
	{6, func(g generator) []string {
		return []string{"SETRANGE", g.key(), g.offset(), g.pick("", "7", "x", g.value())}
	}},
	{6, func(g generator) []string {
		return []string{g.pick("GETRANGE", "SUBSTR"), g.key(), g.place(), g.place()}
	}},
	{8, func(g generator) []string { return []string{"INCRBYFLOAT", g.key(), g.float()} }},
	{1, tooLong},
	{20, func(g generator) []string { return []string{"HINCRBY", g.hash(), g.field(), g.integer()} }},
	{5, func(g generator) []string { return []string{"HINCRBYFLOAT", g.hash(), g.field(), g.float()} }},
	{14, func(g generator) []string {
		return words(g.pick("HSET", "HSET", "HMSET"), []string{g.hash()}, g.fieldPairs())
	}},
	{3, func(g generator) []string { return []string{"HSETNX", g.hash(), g.field(), g.value()} }},
	{10, func(g generator) []string {
		return []string{g.pick("HGET", "HGET", "HEXISTS", "HSTRLEN"), g.hash(), g.field()}
	}},
	{8, func(g generator) []string {
		return words(g.pick("HMGET", "HDEL", "HDEL"), []string{g.hash()}, g.fields())
	}},
	{8, func(g generator) []string { return []string{g.pick("HGETALL", "HKEYS", "HVALS", "HLEN"), g.hash()} }},
	{3, hscan},
	{3, hrandfield},
	{12, func(g generator) []string { return words(g.pick("DEL", "UNLINK", "EXISTS", "TOUCH"), g.keys()) }},
	{4, func(g generator) []string { return []string{"TYPE", g.key()} }},
	{14, expire},
	{14, func(g generator) []string {
		return []string{g.pick("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"), g.key()}
	}},
	{4, func(g generator) []string { return []string{"PERSIST", g.key()} }},
	{4, func(g generator) []string { return []string{"KEYS", g.pattern()} }},
	{6, scan},
	{2, func(generator) []string { return []string{"RANDOMKEY"} }},
	{3, func(generator) []string { return []string{"DBSIZE"} }},
	{1, func(g generator) []string {
		return words(g.pick("FLUSHDB", "FLUSHALL"), g.maybe(g.pick("SYNC", "ASYNC")))
	}},
	{3, func(g generator) []string { return []string{"OBJECT", g.pick("ENCODING", "encoding"), g.key()} }},
	{1, func(g generator) []string {
		return []string{"OBJECT", g.pick("FREQ", "IDLETIME", "REFCOUNT", "NONE"), g.key()}
	}},
	{5, tools},
	{1, func(g generator) []string { return []string{"PUBLISH", g.key(), g.word()} }},
	{1, func(g generator) []string {
		return words("MEMORY", []string{"USAGE", g.key()}, g.maybe("SAMPLES", g.word()))
	}},
	{2, func(g generator) []string { return []string{g.pick("OBJECT", "CLIENT", "CONFIG", "COMMAND"), "HELP"} }},
	{1, func(g generator) []string { return []string{g.pick("RENAME", "RENAMENX", "COPY"), g.key(), g.key()} }},
	{1, func(g generator) []string { return []string{"MOVE", g.key(), g.pick("1", "2")} }},
	{1, func(generator) []string { return []string{"SWAPDB", "0", "1"} }},
	{6, func(g generator) []string {
		return []string{"SELECT", g.pick("0", "0", "0", "1", "1", "15", "16", "-1", "x")}
	}},
	{2, func(g generator) []string { return words("PING", g.maybe(g.word())) }},
	{2, func(g generator) []string { return []string{"ECHO", g.key()} }},
	{4, hello},
	{1, func(g generator) []string {
		return words("AUTH", g.maybe("default"), []string{g.pick(g.password, "wrong")})
	}},
	{1, func(generator) []string { return []string{"RESET"} }},
	{1, func(generator) []string { return []string{"QUIT"} }},
	{4, func(g generator) []string { return words("WATCH", g.keys()) }},
	{1, func(g generator) []string { return []string{g.pick("UNWATCH", "EXEC", "DISCARD")} }},
	{6, client},
	{5, command},
	{4, config},
	{2, func(g generator) []string {
		return words("INFO", g.maybe(g.pick("server", "keyspace", "all", "everything", "nothing")))
	}},
	{1, func(generator) []string { return []string{"TIME"} }},
	{1, func(g generator) []string { return []string{"SHUTDOWN", g.pick("LATER", "ABORT NOW", "", "NO")} }},
	{2, func(g generator) []string {
		return []string{g.pick("INCRR", "incrx", "x\r\ny", ""), g.word(), g.word(), g.key()}
	}},
	{1, func(g generator) []string {
		n := 65537
		if g.password != "" {
			n = 10 // a client that is not authenticated must not send more than 16 KiB
		}
		return []string{g.pick("INCR", "SETNX", "GETSET"), strings.Repeat("k", n), g.integer()}
	}},
	{1, func(g generator) []string { return []string{"LONGER", string(make([]byte, 5)), g.key(), "\r\n"} }},
}

// value is what SET takes: mostly an integer, so that there is something to add to.
func (g generator) value() string {
	switch g.IntN(16) {
	case 0:
		return g.noInteger()
	case 1:
		return g.float()
	case 2:
		return g.text()
	}
	return g.integer()
}

// text is any string, of a length around those at which Redis stores it otherwise.
func (g generator) text() string {
	b := make([]byte, g.pickInt(0, 1, 5, 20, 43, 44, 45, 46, 100, 3000))
	for i := range b {
		b[i] = byte(g.IntN(256))
		if len(b) == 20 {
			b[i] = byte('0' + g.IntN(10))
		}
	}
	return string(b)
}

// float is a number as INCRBYFLOAT takes it, of a size at which sums still show all of it; or of any size, or none.
func (g generator) float() string {
	switch g.IntN(8) {
	case 0:
		return g.noInteger()
	case 1:
		return g.integer()
	case 2:
		return g.pick("inf", "-inf", "nan", "1e4932", "-1e4932", "1e-4950", "1e5000", ".5", "5.", "1e3", "0x1.8p3", "0x10", "-0.0", "+3", "1e-18", "-1e-20")
	default:
		return g.pick("", "-") + strconv.Itoa(g.IntN(1000)) + g.pick("", ".5", ".1", ".25", ".001", "e2", "e-3", "."+strconv.Itoa(g.IntN(1e9)))
	}
}

func (g generator) pickInt(list ...int) int { return list[g.IntN(len(list))] }

func (g generator) offset() string {
	if g.IntN(8) == 0 {
		return g.pick("-1", "9223372036854775807", "536870912", "1048576", "2000000", "x", "-9223372036854775808")
	}
	return strconv.Itoa(g.IntN(60))
}

// place is an end of a range.
func (g generator) place() string {
	if g.IntN(8) == 0 {
		return g.integer()
	}
	return strconv.Itoa(g.IntN(80) - 40)
}

// tooLong is a value that only Redis takes.
func tooLong(g generator) []string {
	n := 1<<20 + 1
	if g.password != "" {
		n = 10 // a client that is not authenticated must not send more than 16 KiB
	}
	long := strings.Repeat("v", n)
	switch g.IntN(6) {
	case 5:
		return []string{g.pick("HSET", "HSETNX"), g.hash(), g.field(), long}
	case 0:
		return []string{"SETEX", g.key(), g.seconds(), long}
	case 1:
		return []string{"MSET", g.key(), "1", g.key(), long}
	case 2:
		return []string{"APPEND", g.key(), long}
	case 3:
		return []string{"SETRANGE", g.key(), g.offset(), long}
	default:
		return []string{g.pick("SET", "SETNX", "GETSET"), g.key(), long}
	}
}

// hash is a key that is one more often than others are.
func (g generator) hash() string {
	if g.IntN(4) == 0 {
		return g.key()
	}
	return g.pick("h", "h", "h", "hh")
}

func (g generator) field() string { return g.pick("f", "f", "g", "", "\x00\xff", "field:12") }

func (g generator) fields() []string {
	list := []string{g.field()}
	for g.IntN(3) > 0 {
		list = append(list, g.field())
	}
	return list
}

func (g generator) fieldPairs() []string {
	var p []string
	for range 1 + g.IntN(3) {
		p = append(p, g.field(), g.value())
	}
	if g.IntN(20) == 0 {
		return p[1:]
	}
	return p
}

func hscan(g generator) []string {
	cursor := "0"
	if g.IntN(8) == 0 {
		cursor = g.pick("x", "-1", "", "18446744073709551616")
	}
	return words("HSCAN", []string{g.hash(), cursor}, g.maybe("MATCH", g.pattern()), g.maybe("COUNT", g.pick("1", "1000", "0", "x")), g.maybe("TYPE", "hash"))
}

func hrandfield(g generator) []string {
	return words("HRANDFIELD", []string{g.hash()}, g.maybe(words(g.pick("1", "2", "0", "-3", "100", "x", "9223372036854775807"), g.maybe(g.pick("WITHVALUES", "x")))...))
}

func (g generator) pairs() []string {
	var p []string
	for range 1 + g.IntN(3) {
		p = append(p, g.key(), g.value())
	}
	return p
}

func (g generator) pattern() string {
	return g.pick("*", "*", "a*", "?", "[a-b]", "[^a]", `\[a-c\]`, `\\\*`, "views:*", "", "*\xff*", "[", "[c-a]", `a\`, "**a**", "[]", "x[", "[\\")
}

func set(g generator) []string {
	args := []string{"SET", g.key(), g.value()}
	if g.IntN(2) == 0 {
		return args
	}
	options := [][]string{g.maybe(g.pick("NX", "XX")), g.maybe("GET"), g.maybe(g.expiry()...)}
	if g.IntN(6) == 0 {
		options = append(options, []string{"KEEPTTL"})
	}
	g.Shuffle(len(options), func(i, j int) { options[i], options[j] = options[j], options[i] })
	return slices.Concat(append([][]string{args}, options...)...)
}

func (g generator) getexOption() []string {
	switch g.IntN(3) {
	case 0:
		return nil
	case 1:
		return []string{"PERSIST"}
	default:
		return g.expiry()
	}
}

func expire(g generator) []string {
	var args []string
	switch key := g.key(); g.IntN(4) {
	case 0:
		args = []string{"EXPIRE", key, g.seconds()}
	case 1:
		args = []string{"PEXPIRE", key, g.milliseconds()}
	case 2:
		args = []string{"EXPIREAT", key, g.moment("EXAT")}
	default:
		args = []string{"PEXPIREAT", key, g.moment("PXAT")}
	}
	for g.IntN(3) == 0 {
		args = append(args, g.pick("NX", "XX", "GT", "LT", "xx", "gt"))
	}
	return args
}

func scan(g generator) []string {
	cursor := "0"
	if g.IntN(8) == 0 {
		cursor = g.pick("x", "-1", "", "18446744073709551616", " 1", "1 ", "12")
	}
	options := [][]string{g.maybe("MATCH", g.pattern()), g.maybe("COUNT", g.pick("1", "3", "1000", "0", "-1", "x"))}
	if g.IntN(4) == 0 {
		options = append(options, []string{"TYPE", g.pick("string", "STRING", "hash", "nothing")})
	}
	return words("SCAN", append([][]string{{cursor}}, options...)...)
}

func hello(g generator) []string {
	args := []string{"HELLO", g.pick("2", "2", "3", "3", "3", "4", "1", "x")}
	if g.IntN(4) == 0 {
		args = append(args, "AUTH", g.pick("default", "default", "nobody"), g.pick(g.password, "wrong"))
	}
	if g.IntN(4) == 0 {
		args = append(args, "SETNAME", g.pick("me", "you", "", "not this"))
	}
	if g.IntN(10) == 0 {
		return args[:1]
	}
	return args
}

func client(g generator) []string {
	return g.oneLine(
		"CLIENT ID", "CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT SETNAME you", "CLIENT INFO", "CLIENT LIST",
		"CLIENT LIST TYPE normal", "CLIENT LIST TYPE none", "CLIENT LIST ID 1 2", "CLIENT LIST ID x", "CLIENT LIST ID", "CLIENT LIST x",
		"CLIENT KILL ID 99999999", "CLIENT KILL ID 0", "CLIENT KILL ID x", "CLIENT KILL 127.0.0.1:1", "CLIENT KILL ADDR 127.0.0.1:1",
		"CLIENT KILL TYPE none", "CLIENT KILL TYPE pubsub", "CLIENT KILL USER nobody", "CLIENT KILL LADDR 127.0.0.1:1 SKIPME yes",
		"CLIENT KILL SKIPME perhaps ID 99999999", "CLIENT KILL ADDR", "CLIENT NO-EVICT on", "CLIENT NO-EVICT off", "CLIENT NO-EVICT x",
		"CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "CLIENT REPLY x", "CLIENT", "CLIENT NOTHING", "CLIENT NOTHING a b",
		"CLIENT ID x", "CLIENT SETNAME", "CLIENT MAINT_NOTIFICATIONS on")
}

// tools are commands that only tools send.
func tools(g generator) []string {
	return g.oneLine(
		"LASTSAVE", "LASTSAVE x", "MEMORY DOCTOR", "MEMORY STATS", "MEMORY PURGE", "MEMORY HELP", "MEMORY NOTHING", "MEMORY", "MEMORY USAGE",
		"SLOWLOG GET", "SLOWLOG GET 0", "SLOWLOG GET -1", "SLOWLOG GET -2", "SLOWLOG GET 1 2", "SLOWLOG LEN", "SLOWLOG RESET", "SLOWLOG HELP", "SLOWLOG NOTHING",
		"LATENCY LATEST", "LATENCY HISTORY command", "LATENCY GRAPH command", "LATENCY RESET", "LATENCY RESET a b", "LATENCY DOCTOR", "LATENCY HELP",
		"LATENCY HISTOGRAM", "LATENCY HISTOGRAM nothing", "LATENCY HISTOGRAM incr get", "LATENCY NOTHING", "CLUSTER INFO", "CLUSTER MYID", "CLUSTER SLOTS", "CLUSTER SHARDS",
		"CLUSTER NODES", "CLUSTER KEYSLOT a", "CLUSTER HELP", "CLUSTER NOTHING", "CLUSTER", "READONLY", "READWRITE", "ASKING", "SENTINEL MASTERS",
		"DEBUG SLEEP 0", "DEBUG", "CLIENT PAUSE 0", "CLIENT PAUSE 1 WRITE", "CLIENT PAUSE 1 READ", "CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT UNPAUSE",
		"CLIENT UNBLOCK 99999999", "CLIENT UNBLOCK 99999999 ERROR", "CLIENT UNBLOCK 99999999 x", "CLIENT UNBLOCK x",
		"PUBSUB CHANNELS", "PUBSUB CHANNELS a*", "PUBSUB NUMSUB", "PUBSUB NUMSUB a b", "PUBSUB NUMPAT", "PUBSUB SHARDCHANNELS", "PUBSUB SHARDNUMSUB a", "PUBSUB HELP", "PUBSUB NOTHING",
		"CLIENT TRACKINGINFO", "CLIENT GETREDIR", "CLIENT CACHING YES", "CLIENT TRACKING OFF", "CLIENT TRACKING ON PREFIX a", "CLIENT TRACKING ON OPTIN OPTOUT", "CLIENT TRACKING x",
		"SPUBLISH a b", "SPUBLISH a", "UNSUBSCRIBE a", "PUNSUBSCRIBE a", "SUNSUBSCRIBE a", "CONFIG GET slowlog-max-len", "CONFIG SET slowlog-max-len 128", "CONFIG SET slowlog-max-len x",
		"ACL WHOAMI", "ACL HELP", "ACL NOTHING", "MODULE LIST", "MODULE HELP", "MODULE NOTHING", "REPLICAOF NO ONE", "SLAVEOF NO ONE", "REPLICAOF a b",
		"FUNCTION LIST", "FUNCTION FLUSH", "FUNCTION FLUSH SYNC x", "FUNCTION STATS", "FUNCTION DUMP", "FUNCTION DELETE a", "FUNCTION HELP", "FCALL a 0", "FCALL_RO a 1 b",
		"CONFIG SET latency-monitor-threshold 0", "CONFIG GET client-output-buffer-limit", "CONFIG GET latency-tracking",
		"INFO commandstats", "INFO latencystats", "INFO errorstats", "INFO modules", "INFO cluster keyspace", "INFO everything")
}

func command(g generator) []string {
	return g.oneLine(
		"COMMAND COUNT", "COMMAND COUNT x", "COMMAND INFO get", "COMMAND INFO none", "COMMAND INFO get none incr", "COMMAND DOCS get",
		"COMMAND DOCS none", "COMMAND LIST", "COMMAND LIST FILTERBY PATTERN none*", "COMMAND LIST FILTERBY PATTERN getde*",
		"COMMAND LIST FILTERBY ACLCAT nothing", "COMMAND LIST FILTERBY MODULE none", "COMMAND LIST FILTERBY x y", "COMMAND LIST x",
		"COMMAND GETKEYS get a", "COMMAND GETKEYS mget a b c", "COMMAND GETKEYS mset a 1 b 2", "COMMAND GETKEYS del a b",
		"COMMAND GETKEYS set a 1 NX", "COMMAND GETKEYS ping", "COMMAND GETKEYS none a", "COMMAND GETKEYS get", "COMMAND GETKEYS",
		"COMMAND GETKEYSANDFLAGS get a", "COMMAND GETKEYSANDFLAGS mset a 1 b 2", "COMMAND GETKEYSANDFLAGS set a 1 GET", "COMMAND GETKEYSANDFLAGS set a 1",
		"COMMAND GETKEYSANDFLAGS eval x 2 a b", "COMMAND GETKEYSANDFLAGS get", "COMMAND GETKEYSANDFLAGS time now", "COMMAND GETKEYSANDFLAGS none a",
		"COMMAND GETKEYS object encoding a", "COMMAND GETKEYS expire a 5", "COMMAND NOTHING", "COMMAND NOTHING x", "COMMAND INFO incr decr mset")
}

func config(g generator) []string {
	return g.oneLine(
		"CONFIG GET databases", "CONFIG GET timeout", "CONFIG GET maxclients", "CONFIG GET nothing", "CONFIG GET time* nothing", "CONFIG GET *",
		"CONFIG GET", "CONFIG SET", "CONFIG SET timeout", "CONFIG SET timeout 0", "CONFIG SET timeout x", "CONFIG SET timeout -1",
		"CONFIG SET nothing 1", "CONFIG SET timeout 0 nothing 1", "CONFIG SET timeout 0 timeout 0", "CONFIG SET databases 4",
		"CONFIG SET maxclients x", "CONFIG SET appendfsync sometimes", "CONFIG SET loglevel loud", "CONFIG RESETSTAT", "CONFIG RESETSTAT x",
		"CONFIG NOTHING", "CONFIG NOTHING x", "CONFIG SET maxclients 10000", "CONFIG REWRITE", "CONFIG REWRITE x",
		"CONFIG GET hz", "CONFIG SET hz 0", "CONFIG SET hz 501", "CONFIG SET hz 10", "CONFIG SET hz -1", "CONFIG SET hz x",
		"CONFIG GET tcp-keepalive", "CONFIG SET tcp-keepalive 0", "CONFIG SET tcp-keepalive 60", "CONFIG SET tcp-keepalive 300", "CONFIG SET tcp-keepalive -1")
}
