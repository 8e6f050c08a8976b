package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A step is what one of a stream's connections sends at once.
type step struct {
	client   int
	commands [][]string
	inline   bool // as text instead of arrays; only for plain words
	lapse    bool // afterwards, wait until every time written {now+N}, N ≤ lapseTime, has passed
}

// lapseTime is the lifetime, in ms, of keys that are to expire while a stream runs.
const lapseTime = 3

// resolve puts moments for {now+N} and {nows+N}, N ms or s ahead: absolute times must be the same for both servers, and
// the same stream must still mean the same tomorrow.
func resolve(args []string, now time.Time) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if n, ok := strings.CutPrefix(a, "{now+"); ok {
			ms, _ := strconv.ParseInt(strings.TrimSuffix(n, "}"), 10, 64) // written by moment
			out[i] = strconv.FormatInt(now.UnixMilli()+ms, 10)
		} else if n, ok := strings.CutPrefix(a, "{nows+"); ok {
			s, _ := strconv.ParseInt(strings.TrimSuffix(n, "}"), 10, 64)
			out[i] = strconv.FormatInt(now.Unix()+s, 10)
		}
	}
	return out
}

// generator makes streams. What it may say depends on its seed alone.
type generator struct {
	*rand.Rand
	password string // "": the servers have none
}

// clients is how many connections a stream uses.
const clients = 3

// stream makes a stream of n steps.
func (g generator) stream(n int) []step {
	steps := []step{{client: 1, commands: [][]string{{"HELLO", "3"}}}}
	if g.password != "" {
		steps[0].commands[0] = []string{"HELLO", "3", "AUTH", "default", g.password}
		steps = append(steps, step{client: 0, commands: [][]string{{"AUTH", g.password}}})
	}
	for range n {
		steps = append(steps, g.step())
	}
	return steps
}

func (g generator) step() step {
	s := step{client: g.IntN(clients)}
	if g.IntN(15) == 0 {
		s.commands, s.lapse = [][]string{g.expiring()}, true
		return s
	}
	if g.IntN(8) == 0 {
		s.commands = g.transaction()
		return s
	}
	n := 1
	if g.IntN(3) == 0 {
		n = 1 + g.IntN(40)
		if g.password != "" {
			n = 1 + n%3 // Redis closes a client that is not authenticated with more than 1 KiB still to be sent
		}
	}
	for range n {
		s.commands = append(s.commands, g.command())
	}
	s.inline = g.IntN(6) == 0 && allPlain(s.commands)
	return s
}

// allPlain: no word needs quotes, or makes the line longer than Redis takes.
func allPlain(commands [][]string) bool {
	for _, args := range commands {
		for _, a := range args {
			if a == "" || len(a) > 1000 || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'\{`, r) }) {
				return false
			}
		}
	}
	return true
}

// expiring makes a command after which a key soon vanishes.
func (g generator) expiring() []string {
	soon := fmt.Sprintf("{now+%d}", 1+g.IntN(lapseTime))
	switch g.IntN(4) {
	case 0:
		return []string{"SET", g.key(), g.integer(), "PXAT", soon}
	case 1:
		return []string{"GETEX", g.key(), "PXAT", soon}
	default:
		return []string{"PEXPIREAT", g.key(), soon}
	}
}

// command makes one of the grammar, in nine of ten cases a valid one.
func (g generator) command() []string {
	args := pickWeighted(g)(g)
	if g.IntN(10) == 0 {
		args = g.script()
	}
	if g.IntN(12) == 0 {
		args = g.spoil(args)
	}
	if g.IntN(8) == 0 {
		args[0] = strings.ToLower(args[0])
	}
	if fleeting(args) || misled(args) || g.password != "" && len(args) > maxUnauthArgs {
		return g.command()
	}
	return args
}

// maxUnauthArgs is how many arguments a client that is not authenticated may send before it is disconnected.
const maxUnauthArgs = 10

// spoil makes one mistake.
func (g generator) spoil(args []string) []string {
	args = append([]string(nil), args...)
	at := g.IntN(len(args))
	if oneOf(args[0], "HRANDFIELD") { // Redis replies as many fields as a negative count says
		return args
	}
	if at == 0 || dangerous(args) {
		return append(args, g.word())
	}
	switch g.IntN(4) {
	case 0:
		return append(args[:at], args[at+1:]...)
	case 1:
		return append(args, g.word())
	case 2:
		args[at] = g.word()
	default:
		args[at] = g.noInteger()
	}
	return args
}

// dangerous commands could end a server or a connection when changed, pause it for ever, have a client track keys, which is another
// test, or leave a server with room for one client.
func dangerous(args []string) bool {
	if len(args) < 2 {
		return oneOf(args[0], "SHUTDOWN")
	}
	return oneOf(args[0], "SHUTDOWN") || oneOf(args[0], "CLIENT") && oneOf(args[1], "KILL", "PAUSE", "TRACKING") ||
		oneOf(args[0], "CONFIG") && oneOf(args[1], "SET") ||
		oneOf(args[0], "EVAL", "EVAL_RO") && oneOf(args[len(args)-1], "SYNC") // a command of Redis, if FLUSHDB before it is left out
}

// fleeting commands make a key vanish while the stream runs, but not at the same moment on both servers.
func fleeting(args []string) bool {
	for i := 1; i+1 < len(args); i++ {
		seconds := i == 1 && oneOf(args[0], "EXPIRE", "SETEX") || i > 1 && oneOf(args[0], "SET", "GETEX") && oneOf(args[i], "EX")
		millis := i == 1 && oneOf(args[0], "PEXPIRE", "PSETEX") || i > 1 && oneOf(args[0], "SET", "GETEX") && oneOf(args[i], "PX")
		n, err := strconv.ParseInt(args[i+1], 10, 64)
		if err == nil && n > 0 && (seconds && n < 100 || millis && n < 100_000) {
			return true
		}
	}
	return false
}

func oneOf(s string, list ...string) bool {
	for _, l := range list {
		if strings.EqualFold(s, l) {
			return true
		}
	}
	return false
}

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// maybe gives the words in half of the cases.
func (g generator) maybe(words ...string) []string {
	if g.IntN(2) == 0 {
		return nil
	}
	return words
}

// key is one of few, so that commands meet.
func (g generator) key() string {
	if g.IntN(60) == 0 {
		return strings.Repeat("long", 50+g.IntN(1000))
	}
	return g.pick("a", "b", "c", "a", "b", "c", "views:1", "views:2", "", "a b", "\x00\xff\r\n", "[a-c]", `\*`, "ключ")
}

func (g generator) keys() []string {
	k := make([]string, 1+g.IntN(4))
	for i := range k {
		k[i] = g.key()
	}
	return k
}

// integer is a number as Redis accepts it, often one near the end of the range.
func (g generator) integer() string {
	switch g.IntN(4) {
	case 0:
		return g.pick("9223372036854775807", "-9223372036854775808", "9223372036854775806", "-9223372036854775807",
			"4611686018427387904", "-4611686018427387904", "4294967296", "2147483648")
	case 1:
		return strconv.FormatInt(int64(g.Uint64()), 10)
	default:
		return strconv.Itoa(g.IntN(41) - 20)
	}
}

// noInteger looks like one, and is none.
func (g generator) noInteger() string {
	return g.pick("", " 1", "1 ", "+1", "01", "-0", "-", "1.0", "1e3", "0x10", "1\x00", "\x001", "9223372036854775808",
		"-9223372036854775809", "18446744073709551616", "--1", "one", "١", strings.Repeat("1", 40))
}

func (g generator) word() string {
	switch g.IntN(4) {
	case 0:
		return g.noInteger()
	case 1:
		return g.integer()
	default:
		return g.pick("NX", "XX", "GT", "LT", "GET", "EX", "PX", "KEEPTTL", "PERSIST", "MATCH", "COUNT", "TYPE", "abc", "*", "a",
			"SETNAME", "AUTH", "ASYNC", "HELP", "x y", "'", "\r\n", strings.Repeat("w", 200))
	}
}

// seconds is a TTL far longer than a stream takes, spread widely, so that GT and LT do not depend on a clock; or a bad one.
func (g generator) seconds() string {
	if g.IntN(8) == 0 {
		return g.pick("0", "-1", "-9223372036854775808", "9223372036854775807", "9223372036854775", "9223372036854776", "92233720368547758070")
	}
	return strconv.Itoa(1000 + g.IntN(1e9))
}

func (g generator) milliseconds() string {
	if g.IntN(8) == 0 {
		return g.seconds()
	}
	return strconv.Itoa(1000_000 + g.IntN(1e12))
}

// moment is an absolute time.
func (g generator) moment(unit string) string {
	if g.IntN(6) == 0 {
		return g.pick("1", "0", "-1", "1700000000", "9223372036854775807", "9223372036854775")
	}
	if unit == "EXAT" {
		return fmt.Sprintf("{nows+%d}", 1000+g.IntN(1e9))
	}
	return fmt.Sprintf("{now+%d}", 1000_000+g.IntN(1e12))
}

// expiry is an option of SET and GETEX.
func (g generator) expiry() []string {
	switch g.IntN(4) {
	case 0:
		return []string{"EX", g.seconds()}
	case 1:
		return []string{"PX", g.milliseconds()}
	case 2:
		return []string{"EXAT", g.moment("EXAT")}
	default:
		return []string{"PXAT", g.moment("PXAT")}
	}
}

// oneLine picks a command that is written with spaces.
func (g generator) oneLine(lines ...string) []string { return strings.Split(g.pick(lines...), " ") }

func TestStreamsKeepWithinBounds(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 1)), "secret"}
	for range 100_000 {
		args := g.command()
		if fleeting(args) {
			t.Fatalf("the grammar made %s, after which the servers differ for a moment", quote(args))
		}
		if len(args) > maxUnauthArgs {
			t.Fatalf("the grammar made %s, after which a client is disconnected", quote(args))
		}
	}
}
