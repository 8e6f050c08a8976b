package commands

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCountsAreThoseOfRedis: after the same commands INFO counts the same calls and errors.
func TestCountsAreThoseOfRedis(t *testing.T) {
	script := func(text string) string { return "EVAL\x00" + text + "\x000" }
	for name, lines := range map[string][]string{
		"transaction":         {"SET k x", "MULTI", "INCR k", "SET k y", "EXEC", "GET k"},
		"two errors in one":   {"SET k x", "MULTI", "INCR k", "INCR k", "EXEC"},
		"aborted":             {"MULTI", "NOSUCH", "SET k x", "EXEC", "EXEC"},
		"discarded":           {"MULTI", "SET k x", "DISCARD"},
		"script in a section": {"MULTI", script("return redis.call('incr')"), script("return redis.pcall('get', 'a', 'b')"), script("error('x')"), "EXEC"},
		"rejected":            {"NOSUCH", "GET", "CONFIG NOSUCH", "GET a b", "GET a"},
		"unsafe code":         {script("return redis.error_reply('A:B=C#D x')"), script("return redis.error_reply('A:B=C#D')"), script("return redis.error_reply('ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ x')"), script("return redis.error_reply('ABCDEFGHIJKLMNOPQRSTUVWXYZABCD x')")},
		"scripts":             {script("redis.call('set', 'k', 'x') redis.pcall('incr', 'k') return redis.call('get', 'k')")},
		"other codes":         {"HSET h f 1", "GET h", "EVALSHA " + strings.Repeat("0", 40) + " 0", "AUTH x y", "HELLO 5"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, real := newContext(t), dialRedis(t, startRedis(t))
			for _, line := range lines {
				args := strings.Split(line, "\x00")
				if len(args) == 1 {
					args = strings.Fields(line)
				}
				do(t, ours, args...)
				real.do(t, args...)
			}
			got, want := counts(do(t, ours, "INFO", "everything")), counts(real.do(t, "INFO", "everything"))
			if got != want {
				t.Errorf("INFO counts\n%s; want\n%s", got, want)
			}
		})
	}
}

// counts are the lines of INFO that count calls and errors, without times.
func counts(info string) string {
	lines := regexp.MustCompile(`(?m)^(total_commands_processed|total_error_replies|errorstat_.*|cmdstat_[^:]*):.*$`).FindAllString(info, -1)
	slices.Sort(lines) // Redis has its commands in the order of its hash table
	return regexp.MustCompile(`usec=\d+,usec_per_call=[\d.]+,|\r`).ReplaceAllString(strings.Join(lines, "\n"), "")
}
