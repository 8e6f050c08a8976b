package tests

import (
	"strconv"
)

// difference is a way in which this server departs from Redis 7.0 by design.
type difference struct {
	phrase string // a table of the documents has a row with these words
	reason string
	match  func(args []string) bool // commands it is about; nil: what it is about is not in the streams
	accept func(redis, ours reply) bool
	repair func(args []string) [][]string // what makes both servers' data equal again
}

// differences are all there are; whatever else differs is a defect. The table in commands/README.md repeats them.
var differences = []difference{
	{
		phrase: "1 MiB",
		reason: "A value of more than 1 MiB is refused: it is stored, and sent to every replica, as a whole.",
		match:  func(args []string) bool { return longest(args) > 1<<20 },
		accept: func(redis, ours reply) bool {
			return !redis.isError() && string(ours.raw) == "-ERR string exceeds maximum allowed size (1 MiB)\r\n"
		},
		repair: deleteKeys,
	},
	{
		phrase: "RENAME",
		reason: "RENAME, RENAMENX, COPY, MOVE and SWAPDB have no meaning for counters that other replicas add to under their name.",
		match:  func(args []string) bool { return oneOf(args[0], "rename", "renamenx", "copy", "move", "swapdb") },
		accept: func(_, ours reply) bool { return ours.isError() },
		repair: func([]string) [][]string { return [][]string{{"FLUSHALL"}} },
	},
	{
		phrase: "64 KiB",
		reason: "A key of more than 64 KiB is refused: it would be stored in every delta of the counter.",
		match:  func(args []string) bool { return len(args) > 1 && len(args[1]) > 64<<10 },
		accept: func(_, ours reply) bool { return ours.isError() },
		repair: func(args []string) [][]string { return [][]string{{"DEL", args[1]}} },
	},
	{
		phrase: "`OBJECT FREQ`",
		reason: "OBJECT FREQ is always known, about.",
		match: func(args []string) bool {
			return len(args) == 3 && oneOf(args[0], "object") && oneOf(args[1], "freq")
		},
		accept: func(redis, ours reply) bool { return redis.isError() && ours.mark == ':' },
	},
	{
		phrase: "OBJECT ENCODING",
		reason: "OBJECT ENCODING goes by the value alone: after APPEND, SETRANGE and INCRBYFLOAT Redis keeps what it had made room for.",
	},
	{
		phrase: "syntax errors",
		reason: "Lua's own errors are those of another interpreter: nameless says what may differ.",
	},
	{
		phrase: "the order of `pairs`",
		reason: "pairs gives keys in the order in which they came; no script of the streams depends on it.",
	},
	{
		phrase: "options of `cjson`",
		reason: "An option of cjson holds for one script only.",
	},
	{
		phrase: "only `EVAL` has brought",
		reason: "Of scripts that were not loaded the last 500 are kept, as in Redis 7.4.",
	},
	{
		phrase: "keeps more than 256 MiB",
		reason: "A script that takes too much memory fails.",
	},
	{
		phrase: "SCRIPT DEBUG YES",
		reason: "There is no debugger of scripts.",
	},
	{
		phrase: "redis_version",
		reason: "HELLO and INFO say version 7.4.0, from which on clients use all that there is here.",
	},
	{
		phrase: "`SLOWLOG`, `LATENCY`",
		reason: "Fast commands of a pipelined round share its time.",
	},
}

// longest is how long the longest value is that comes of a command, as far as its arguments say.
func longest(args []string) (n int) {
	for _, v := range valuesOf(args) {
		n = max(n, len(v))
	}
	if len(args) == 4 && oneOf(args[0], "setrange") && args[3] != "" {
		offset, _ := strconv.Atoi(args[2]) // what is no offset makes nothing
		n = max(n, offset+len(args[3]))
	}
	return n
}

// valuesOf are the arguments that become values.
func valuesOf(args []string) []string {
	at := 2
	switch {
	case oneOf(args[0], "set", "setnx", "getset", "append"):
	case oneOf(args[0], "setex", "psetex", "hset", "hsetnx"):
		at = 3
	case oneOf(args[0], "mset", "msetnx"):
		var v []string
		for i := 2; i < len(args); i += 2 {
			v = append(v, args[i])
		}
		return v
	default:
		return nil
	}
	if at >= len(args) {
		return nil
	}
	return args[at : at+1]
}

// deleteKeys removes all that a SET or MSET may have written: every argument, since one that is no key does no harm; but
// what is too long for a key.
func deleteKeys(args []string) [][]string {
	del := []string{"DEL"}
	for _, a := range args[1:] {
		if len(a) <= 64<<10 {
			del = append(del, a)
		}
	}
	return [][]string{del}
}

// designed is the difference that speaks of a command, or nil.
func designed(args []string) *difference {
	for i, d := range differences {
		if d.match != nil && d.match(args) {
			return &differences[i]
		}
	}
	return nil
}
