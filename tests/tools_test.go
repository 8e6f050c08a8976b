package tests

import (
	"bufio"
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRedisCLITools runs what people look at a server with.
func TestRedisCLITools(t *testing.T) {
	s := start(t, ours)
	c := connect(t, s.Addr)
	for _, args := range [][]string{{"MSET", "a", "1", "b", "2", "text", strings.Repeat("x", 5000)}, {"INCR", "hot"}} {
		if r, err := c.do(args...); err != nil || r.isError() {
			t.Fatalf("%s = %v, %v", args[0], r, err)
		}
	}
	for range 2000 {
		if _, err := c.do("INCR", "hot"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []struct{ args, want string }{
		{"--bigkeys", `Sampled 4 keys(?s:.*)Biggest string found '"text"' has 5000 bytes`},
		{"--memkeys", `Sampled 4 keys(?s:.*)Biggest string found '"text"' has [5-9]\d{3} bytes`},
		{"--memkeys-samples 3", `Sampled 4 keys`},
		{"--hotkeys", `Sampled 4 keys(?s:.*)hot key found with counter: \d+\s+keyname: "hot"`},
		{"--scan", `(?m)^(a|b|hot|text)$`},
		{"--scan --pattern h*", `^hot\n$`},
		{"-i 0.1 --latency", `^\d+ \d+ \d+\.\d+ \d+\n$`},
		{"-3 INCR a", `^\(integer\) 2\n$|^2\n$`},
		{"-3 SLOWLOG LEN", `\d+`},
		{"LATENCY DOCTOR", `^Latency is not monitored`},
		{"MEMORY DOCTOR", `memory`},
	} {
		out := runClient(t, "", "redis-cli", append([]string{"-p", s.Port}, strings.Fields(tool.args)...)...)
		if !regexp.MustCompile(tool.want).MatchString(out) || strings.Contains(out, "ERR") {
			t.Errorf("redis-cli %s = %q; want %s", tool.args, out, tool.want)
		}
	}
}

// TestRedisCLIStat: --stat and MONITOR go on until they are ended.
func TestRedisCLIStat(t *testing.T) {
	s := start(t, ours)
	c := connect(t, s.Addr)
	if _, err := c.do("SET", "k", "1"); err != nil {
		t.Fatal(err)
	}
	for args, wanted := range map[string][]string{
		"-i 0.05 --stat": {`^-+ data -+`, `^keys +mem +clients`, `^1 +\d+\.\d+[MKG] +\d+ +\d+ +\d+ \(\+\d+\) +\d+`, `^1 +\d+\.\d+[MKG]`},
		"MONITOR":        {`^OK$`, `^\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "PING" "hello"$`},
	} {
		lines, end := follow(t, s.Port, strings.Fields(args)...)
		for i, want := range wanted {
			if i == 1 && args == "MONITOR" {
				if _, err := c.do("PING", "hello"); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case line := <-lines:
				if !regexp.MustCompile(want).MatchString(line) {
					t.Errorf("redis-cli %s, line %d = %q; want %s", args, i, line, want)
				}
			case <-time.After(patience):
				t.Fatalf("redis-cli %s writes no line %d; want %s", args, i, want)
			}
		}
		end()
	}
}

// follow runs redis-cli until end is called.
func follow(t *testing.T, port string, args ...string) (lines <-chan string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, tool(t, "redis-cli"), append([]string{"-p", port}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	list := make(chan string)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			select {
			case list <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	end = func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}
	t.Cleanup(end)
	return list, end
}
