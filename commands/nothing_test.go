package commands

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// TestOfWhatThereIsNone: replies about functions, modules, users and saves are those of a Redis that has none.
func TestOfWhatThereIsNone(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	for _, proto := range []string{"2", "3"} {
		do(t, ours, "HELLO", proto)
		real.do(t, "HELLO", proto)
		for _, line := range []string{"MODULE LIST", "MODULE", "MODULE NOSUCH", "ACL WHOAMI", "ACL NOSUCH", "ACL WHOAMI x",
			"FUNCTION LIST", "FUNCTION LIST WITHCODE LIBRARYNAME *", "FUNCTION LIST LIBRARYNAME", "FUNCTION LIST x", "FUNCTION LIST WITHCODE WITHCODE",
			"FUNCTION LIST LIBRARYNAME a LIBRARYNAME b", "FUNCTION FLUSH", "FUNCTION FLUSH async", "FUNCTION FLUSH SYNC", "FUNCTION FLUSH x", "FUNCTION FLUSH SYNC x",
			"FUNCTION STATS", "FUNCTION KILL", "FUNCTION DUMP", "FUNCTION DELETE x", "FUNCTION RESTORE x BAD", "FUNCTION RESTORE x FLUSH y",
			"FUNCTION RESTORE " + noFunctionsDump[1:], "FUNCTION RESTORE " + noFunctionsDump[:9] + "x", "FUNCTION RESTORE " + noFunctionsDump, "FUNCTION RESTORE " + noFunctionsDump + " FLUSH", "FCALL f 0", "FCALL_RO f x", "FCALL f",
			"SAVE", "SAVE x", "BGSAVE x", "BGSAVE SCHEDULE x", "REPLICAOF NO ONE", "SLAVEOF no one", "REPLICAOF NO TWO", "REPLICAOF a 70000", "REPLICAOF a -1",
			"MULTI", "SAVE", "EXEC", "MULTI", "FUNCTION LIST", "FUNCTION FLUSH", "REPLICAOF NO ONE", "EXEC"} {
			args := strings.Split(line, " ")
			if got, want := do(t, ours, args...), real.do(t, args...); got != want {
				t.Errorf("%s in RESP%s = %q; want %q", line, proto, got, want)
			}
		}
	}
	for _, line := range []string{"BGREWRITEAOF", "BGSAVE"} { // each of a Redis that does not save yet
		if got, want := do(t, ours, line), dialRedis(t, startRedis(t)).do(t, line); got != want {
			t.Errorf("%s = %q; want %q", line, got, want)
		}
	}
	want(t, ours, "FUNCTION LOAD x", "-"+noFunctions+"|")
	real.do(t, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)")
	dump, ok := reparse(t, real.do(t, "FUNCTION", "DUMP")).(string)
	if !ok {
		t.Fatalf("FUNCTION DUMP = %q; want a string", dump)
	}
	if got := do(t, ours, "FUNCTION", "RESTORE", dump); got != "-"+noFunctions+"\r\n" {
		t.Errorf("FUNCTION RESTORE of a function = %q; want %q", got, noFunctions)
	}
	want(t, ours, "REPLICAOF host 6379", "-ERR every server takes writes here, and none follows another: CPEER ADD host:port has it pull from a peer|")
}

// TestSavesMoveLastSave, though there was nothing to flush.
func TestSavesMoveLastSave(t *testing.T) {
	c := newContext(t)
	c.Server.Started = time.Unix(0, 0)
	before := time.Now().Unix()
	want(t, c, "SAVE", "+OK|")
	last, err := strconv.ParseInt(strings.Trim(do(t, c, "LASTSAVE"), ":\r\n"), 10, 64)
	if err != nil || last < before {
		t.Errorf("LASTSAVE = %d, %v; want at least %d", last, err, before)
	}
	want(t, c, "MULTI", "+OK|")
	want(t, c, "BGSAVE", "+QUEUED|")
	want(t, c, "EXEC", "*1|+Background saving started|")
}

// TestWaitAOF: the caller's writes are synced when the first number is 1. Texts of errors are of Redis 7.2.
func TestWaitAOF(t *testing.T) {
	c := newContext(t)
	want(t, c, "WAITAOF 1 0 0", "*2|:1|:0|")
	want(t, c, "INCR k", ":1|")
	want(t, c, "WAITAOF 1 0 0", "*2|:1|:0|")
	if synced, all := c.Server.Engine.Durable(), c.Server.Engine.Appended(); synced < all {
		t.Errorf("the journal is synced up to %d; want %d", synced, all)
	}
	want(t, c, "WAITAOF 0 1 1", "*2|:1|:0|")
	wants(t, c, map[string]string{
		"WAITAOF x 0 0":  "-ERR value is not an integer or out of range|",
		"WAITAOF 2 0 0":  "-ERR value is out of range, value must between 0 and 1|",
		"WAITAOF -1 0 0": "-ERR value is out of range, value must between 0 and 1|",
		"WAITAOF 0 -1 0": "-ERR value is out of range, must be positive|",
		"WAITAOF 0 0 -1": "-ERR timeout is negative|",
		"WAITAOF 0 0 x":  "-ERR timeout is not an integer or out of range|",
		"WAITAOF 0 0":    "-ERR wrong number of arguments for 'waitaof' command|",
	})
}

// A store that is not yet sure of its replica ID does not flush, but SAVE and WAITAOF are done when what was acknowledged survives a power
// cut, and only then.
func TestSaveBeforeTheReplicaIDIsSure(t *testing.T) {
	const dir = "store"           // of a disk in memory: those above it would not survive the power cut
	for seed := range uint64(8) { // which decides how much a power cut takes
		disk := enginetest.NewDisk(rand.New(rand.NewPCG(1, seed)).Uint64)
		options := engine.Options{Disk: disk, AwaitPeers: true, Sync: engine.No}
		c := connect(t, newServerIn(t, dir, options))
		want(t, c, "INCR k", ":1|")
		if seed%2 == 0 {
			want(t, c, "SAVE", "+OK|")
		} else {
			want(t, c, "WAITAOF 1 0 0", "*2|:1|:0|")
		}
		options.Disk = disk.Crash()
		want(t, connect(t, newServerIn(t, dir, options)), "GET k", "$1|1|")
	}
}
