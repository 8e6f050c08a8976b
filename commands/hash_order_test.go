package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// TestSmallHashesKeepTheirOrder: the fields of a small hash come in the order in which they came to be, as in Redis, also after a loss of
// power, and whatever is set anew.
func TestSmallHashesKeepTheirOrder(t *testing.T) {
	const dir = "store"
	disk := enginetest.NewDisk(rand.Uint64)
	options := engine.Options{Disk: disk}
	ours, real := connect(t, newServerIn(t, dir, options)), dialRedis(t, startRedis(t))
	both := func(line string) {
		t.Helper()
		args := strings.Fields(line)
		if got, want := do(t, ours, args...), real.do(t, args...); got != want {
			t.Errorf("%s = %q; want %q", line, got, want)
		}
	}
	show := func() {
		t.Helper()
		for _, hash := range []string{"user", "counts", "many"} {
			for _, line := range []string{"HGETALL ", "HKEYS ", "HVALS ", "OBJECT ENCODING "} {
				both(line + hash)
			}
			both("HSCAN " + hash + " 0 COUNT 2")
		}
	}
	for _, line := range []string{"HSET user name ann plan free age 30 city x", "HINCRBY user logins 5", "HINCRBY user age 1", "HSETNX user zip 1", "HSETNX user plan y",
		"HDEL user plan", "HSET user plan paid", "HSET user name eve", "HSET user age x", "HINCRBYFLOAT user score 1", "HMSET user city 5 name 7", "HINCRBY user name 1", "HINCRBYFLOAT user score 1.5", "HMSET user b 1 a 2", "EXPIRE user 1000",
		"HINCRBY counts z 1", "HINCRBY counts y 1", "HINCRBY counts x 1", "HINCRBY counts z 1", "DEL counts", "HINCRBY counts b 1", "HINCRBY counts z 1", "HINCRBY counts a 1"} {
		both(line)
		show()
	}
	both("SAVE")
	for _, line := range []string{"HSET user city y", "HDEL user name", "HSET user name bob", "HSET user age 2", "HSET user city z", "HINCRBY counts b 1", "HINCRBY counts c 1"} {
		both(line)
	}
	show()
	for i := range engine.SmallHash {
		both(fmt.Sprintf("HSET many %d %d", 7919*i%engine.SmallHash, i))
	}
	show()
	if err := ours.Server.Engine.SyncJournal(); err != nil { // it has what was done since the SAVE
		t.Fatal(err)
	}
	options.Disk = disk.Crash()
	ours = connect(t, newServerIn(t, dir, options))
	show()
	for _, line := range []string{"HSET many one-more 1", "HSET user long " + strings.Repeat("x", engine.SmallField+1)} {
		both(line)
	}
	both("OBJECT ENCODING many")
	both("OBJECT ENCODING user")
	both("HLEN many")
}
