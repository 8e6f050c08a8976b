package commands

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"atomiccounter/commands/config"
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

// TestDebugSleepCounts: its time is the command's, in a transaction or not, as in Redis.
func TestDebugSleepCounts(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t, "--enable-debug-command", "yes"))
	adjust(ours.Server, func(o *config.Settings) { o.Debug = "yes" })
	lines := []string{"CONFIG SET slowlog-log-slower-than 20000 latency-monitor-threshold 20", "SLOWLOG RESET", "CONFIG RESETSTAT",
		"DEBUG SLEEP 0.03", "SLOWLOG LEN", "MULTI", "DEBUG SLEEP 0.03", "EXEC", "SLOWLOG LEN", "DEBUG SLEEP 0", "DEBUG SLEEP 0 0", "WAIT 1 30"}
	for _, line := range lines {
		args := strings.Fields(line)
		if got, want := do(t, ours, args...), real.do(t, args...); got != want {
			t.Errorf("%s = %q; want %q", line, got, want)
		}
	}
	for who, texts := range map[string][]string{
		"here":         {do(t, ours, "INFO", "commandstats"), do(t, ours, "SLOWLOG", "GET"), do(t, ours, "LATENCY", "LATEST")},
		"in the other": {real.do(t, "INFO", "commandstats"), real.do(t, "SLOWLOG", "GET"), real.do(t, "LATENCY", "LATEST")},
	} {
		stats := regexp.MustCompile(`cmdstat_debug:calls=4,usec=(\d+),.*failed_calls=1`).FindStringSubmatch(texts[0])
		if stats == nil || len(stats[1]) < 5 {
			t.Errorf("commandstats %s = %q; want 4 calls of DEBUG, of 60 ms and more", who, texts[0])
		}
		if !strings.Contains(texts[1], "$5\r\nSLEEP\r\n$4\r\n0.03\r\n") || strings.Contains(texts[1], "WAIT") {
			t.Errorf("SLOWLOG GET %s = %q; want DEBUG SLEEP, and no WAIT, which only waits", who, texts[1])
		}
		if !strings.Contains(texts[2], "$7\r\ncommand\r\n") {
			t.Errorf("LATENCY LATEST %s = %q; want the event command", who, texts[2])
		}
	}
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
