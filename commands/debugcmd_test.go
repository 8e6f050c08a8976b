package commands

import (
	"testing"
	"testing/synctest"
	"time"
)

// In a transaction DEBUG SLEEP sleeps, as in Redis: the clock of this test stands still for one that keeps looking at it.
func TestDebugSleepInTransaction(t *testing.T) {
	c := newContext(t)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c.within(byName.lookup([]byte("debug")), words("DEBUG", "SLEEP", "2.5"))
		if got := string(c.Out.Buf); got != "+OK\r\n" || time.Since(began) != 2500*time.Millisecond {
			t.Errorf("DEBUG SLEEP = %q after %v; want OK after 2.5 s", got, time.Since(began))
		}
	})
}

func TestMemoryPurgeInSection(t *testing.T) {
	c := newContext(t)
	do(t, c, "MULTI")
	do(t, c, "MEMORY", "PURGE")
	const why = "-ERR MEMORY PURGE: not possible in a transaction or a script"
	if got, want := do(t, c, "EXEC"), "*1\r\n"+why+"\r\n"; got != want {
		t.Errorf("in a transaction = %q; want %q", got, want)
	}
	if got, want := do(t, c, "EVAL", "return redis.pcall('memory', 'purge')", "0"), why+"\r\n"; got != want {
		t.Errorf("in a script = %q; want %q", got, want)
	}
	if got := do(t, c, "MEMORY", "PURGE"); got != "+OK\r\n" {
		t.Errorf("MEMORY PURGE = %q; want OK", got)
	}
}
