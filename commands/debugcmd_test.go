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
	for what, got := range map[string]string{"*1\r\n+OK\r\n": do(t, c, "EXEC"), "+OK\r\n": do(t, c, "EVAL", "return redis.call('memory', 'purge')", "0")} {
		if got != what || c.Wait != nil {
			t.Errorf("MEMORY PURGE in a section = %q, waits %t; want %q", got, c.Wait != nil, what)
		}
	}
}
