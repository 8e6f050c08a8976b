package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// begin runs a command in the background as a session would; its reply comes when it has one.
func begin(c *Context, args ...string) <-chan string {
	reply := make(chan string, 1)
	go func() {
		c.Out.Buf = c.Out.Buf[:0]
		c.Run(words(args...))
		if _, err := c.Pipe.Commit(); err != nil {
			reply <- err.Error()
			return
		}
		reply <- string(c.Out.Buf)
	}()
	return reply
}

func receive(t *testing.T, reply <-chan string) string {
	t.Helper()
	select {
	case got := <-reply:
		return got
	case <-time.After(patience):
		t.Fatal("no reply")
		return ""
	}
}

// busy gives a server on which a script runs that does not end, for longer than others wait.
func busy(t *testing.T, script string) (s *Server, reply <-chan string, other *Context) {
	t.Helper()
	s = newServer(t)
	other = connect(t, s)
	want(t, other, "CONFIG SET busy-reply-threshold 1", "+OK|")
	want(t, other, "SET k 5", "+OK|")
	reply = begin(connect(t, s), "EVAL", script, "1", "k")
	for !s.Scripts.Busy() {
		// The script begins when it gets there; others wait for it, then, or run before it.
		if got := do(t, other, "GET", "k"); got != "$1\r\n5\r\n" && got != "$1\r\n6\r\n" && !strings.HasPrefix(got, "-BUSY ") {
			t.Fatalf("GET beside a script = %q; want the value or BUSY", got)
		}
	}
	return s, reply, other
}

const busyReplyLine = "-" + errBusyScript + "|"

func TestBusyScriptIsKilled(t *testing.T) {
	_, reply, other := busy(t, "while true do redis.call('get', KEYS[1]) end")
	for _, step := range [][2]string{
		{"GET k", busyReplyLine}, {"INCR k", busyReplyLine}, {"PING", busyReplyLine}, {"KEYS *", busyReplyLine},
		{"EVAL return_1 0", busyReplyLine}, {"SCRIPT FLUSH", busyReplyLine}, {"FLUSHALL", busyReplyLine}, {"INFO", busyReplyLine},
		{"GET", "-ERR wrong number of arguments for 'get' command|"}, {"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: |"},
		{"MULTI", "+OK|"}, {"INCR k", busyReplyLine}, {"EXEC", "-EXECABORT Transaction discarded because of: " + errBusyScript + "|"},
		{"SCRIPT KILL", "+OK|"},
	} {
		want(t, other, step[0], step[1])
	}
	if got := receive(t, reply); !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL... script: ") {
		t.Errorf("reply = %q; want that it was killed", got)
	}
	want(t, other, "SCRIPT KILL", "-NOTBUSY No scripts in execution right now.|")
	want(t, other, "INCR k", ":6|")
	want(t, other, "EVAL return(1) 0", ":1|")
}

// A script that has written would leave half of what it was to do; only the end of the server stops it.
func TestBusyScriptThatHasWritten(t *testing.T) {
	s, reply, other := busy(t, "redis.call('incr', KEYS[1]) while true do end")
	if got := do(t, other, "SCRIPT", "KILL"); !strings.HasPrefix(got, "-UNKILLABLE ") {
		t.Errorf("SCRIPT KILL = %q; want UNKILLABLE", got)
	}
	want(t, other, "GET k", busyReplyLine)
	s.Scripts.Stop()
	if got := receive(t, reply); !strings.HasPrefix(got, "-ERR server is shutting down") {
		t.Errorf("reply = %q; want that the server ends", got)
	}
	want(t, other, "GET k", "$1|6|")
	if got := do(t, other, "EVAL", "return 1", "0"); !strings.HasPrefix(got, "-ERR server is shutting down") {
		t.Errorf("EVAL = %q; want that the server ends", got)
	}
}

// Whoever comes before the script is slow waits for its end.
func TestOthersWaitForAScript(t *testing.T) {
	s := newServer(t)
	c := connect(t, s)
	reply := begin(connect(t, s), "EVAL", "for i = 1, 20000 do redis.call('incr', 'k') end return redis.call('get', 'k')", "0")
	for {
		got := do(t, c, "GET", "k")
		if got == "$5\r\n20000\r\n" {
			break
		}
		if got != "$-1\r\n" {
			t.Fatalf("GET = %q; want nothing of the script, or all of it", got)
		}
	}
	if got := receive(t, reply); got != "$5\r\n20000\r\n" {
		t.Errorf("EVAL = %q; want 20000", got)
	}
}

func TestScriptsInTransactions(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"MULTI", "+OK|"},
		{"INCR k", "+QUEUED|"},
		{"EVALSHA " + loaded(t, connect(t, c.Server)) + " 1 k 5", "+QUEUED|"},
		{"EVAL return(redis.call('nosuch')) 0", "+QUEUED|"},
		{"EVAL return(redis.call('select',1)) 0", "+QUEUED|"},
		{"GET k", "+QUEUED|"},
	} {
		want(t, c, step[0], step[1])
	}
	got := strings.ReplaceAll(do(t, c, "EXEC"), "\r\n", "|")
	if !strings.HasPrefix(got, "*5|:1|:6|-ERR Unknown Redis command called from script script: ") || !strings.HasSuffix(got, "|+OK|$1|6|") {
		t.Errorf("EXEC = %q; want 1, 6, an error, OK and 6", got)
	}
}

func loaded(t *testing.T, c *Context) string {
	t.Helper()
	return strings.Split(do(t, c, "SCRIPT", "LOAD", "return(redis.call('incrby',KEYS[1],ARGV[1]))"), "\r\n")[1]
}

func TestScriptReplyModes(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"CLIENT REPLY SKIP", ""}, {"EVAL return(redis.call('incr','k')) 0", ""}, {"EVAL return(redis.call('incr','k')) 0", ":2|"},
		{"CLIENT REPLY OFF", ""}, {"EVAL return(redis.call('incr','k')) 0", ""}, {"CLIENT REPLY ON", "+OK|"}, {"GET k", "$1|3|"},
	} {
		want(t, c, step[0], step[1])
	}
}

func TestScriptDebugIsRefused(t *testing.T) {
	c := newContext(t)
	want(t, c, "SCRIPT DEBUG NO", "+OK|")
	if got := do(t, c, "SCRIPT", "DEBUG", "YES"); !strings.HasPrefix(got, "-ERR SCRIPT DEBUG: ") {
		t.Errorf("SCRIPT DEBUG YES = %q; want an error", got)
	}
}

// TestScriptToDebugIsNotRun has a client that does not heed the error of SCRIPT DEBUG, as redis-cli --ldb does not: what it would
// debug must leave no trace.
func TestScriptToDebugIsNotRun(t *testing.T) {
	const incr = "return(redis.call('incr','k'))"
	c := newContext(t)
	sha := strings.Split(do(t, c, "SCRIPT", "LOAD", incr), "\r\n")[1]
	const refused = "-ERR SCRIPT DEBUG: there is no debugger here, and so this script has not been run\r\n"
	for _, mode := range []string{"YES", "sync"} {
		for _, call := range [][]string{{"EVAL", incr, "0"}, {"EVALSHA", sha, "0"}} {
			do(t, c, "SCRIPT", "DEBUG", mode)
			do(t, connect(t, c.Server), "EVAL", "return 1", "0") // another's
			if got := do(t, c, call...); got != refused {
				t.Errorf("%s after SCRIPT DEBUG %s = %q; want %q", call[0], mode, got, refused)
			}
		}
	}
	want(t, c, "GET k", "$-1|")
	want(t, c, "EVALSHA "+sha+" 0", ":1|")
	for i, end := range []string{"SCRIPT DEBUG NO", "RESET"} {
		do(t, c, "SCRIPT", "DEBUG", "YES")
		do(t, c, strings.Fields(end)...)
		want(t, c, "EVALSHA "+sha+" 0", fmt.Sprintf(":%d|", i+2))
	}
}

// TestScriptsInInfo compares with Redis how many scripts there are said to be, and has them take memory.
func TestScriptsInInfo(t *testing.T) {
	socket := startRedis(t)
	ours, real := newContext(t), dialRedis(t, socket)
	sha := strings.Split(do(t, ours, "SCRIPT", "LOAD", "return 1"), "\r\n")[1]
	for _, call := range [][]string{{"SCRIPT", "FLUSH"}, {"SCRIPT", "LOAD", "return 1"}, {"SCRIPT", "LOAD", "return 1"},
		{"EVAL", "return 2", "0"}, {"EVALSHA", sha, "0"}, {"EVAL", "no script", "0"}, {"SCRIPT", "FLUSH"}} {
		do(t, ours, call...)
		real.do(t, call...)
		const number = "number_of_cached_scripts"
		got, redis := do(t, ours, "INFO", "memory"), real.do(t, "INFO", "memory")
		if infoField(got, number) != infoField(redis, number) {
			t.Errorf("after %q %s is %q; want %q", call, number, infoField(got, number), infoField(redis, number))
		}
		if call[0] != "EVALSHA" {
			continue
		}
		for _, name := range []string{"used_memory_lua", "used_memory_vm_eval", "used_memory_vm_total", "used_memory_scripts", "used_memory_scripts_eval"} {
			if infoField(got, name) == "0" {
				t.Errorf("%s is 0 after a script has run", name)
			}
		}
	}
}

// infoField is the value of a field in a reply of INFO.
func infoField(info, name string) string {
	_, rest, _ := strings.Cut(info, "\r\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// TestPauseOfWritesAndScripts compares with Redis that scripts that say they only read go on, and holds the others.
func TestPauseOfWritesAndScripts(t *testing.T) {
	const reads, writes = "#!lua flags=no-writes\nreturn 1", "#!lua\nreturn 1"
	socket := startRedis(t)
	ours, real := newContext(t), dialRedis(t, socket)
	both := func(call ...string) {
		t.Helper()
		ours.Out.Buf = ours.Out.Buf[:0]
		ours.Run(words(call...))
		if got, redis := string(ours.Out.Buf), real.do(t, call...); ours.Wait != nil || got != redis {
			t.Fatalf("%q = %q, waits: %v; want %q", call, got, ours.Wait != nil, redis)
		}
	}
	both("SCRIPT", "LOAD", reads)
	sha := strings.Split(string(ours.Out.Buf), "\r\n")[1]
	both("CLIENT", "PAUSE", "1000000", "WRITE")
	both("EVALSHA", sha, "0")
	both("EVALSHA", strings.ToUpper(sha), "0")
	both("SCRIPT", "FLUSH")
	both("EVAL", reads, "0")
	both("MULTI")
	both("EVAL", reads, "0")
	both("EVALSHA", sha, "0")
	both("EXEC")
	for _, call := range [][]string{{"EVAL", writes, "0"}, {"EVAL", "return 1", "0"}, {"EVALSHA", sha[1:] + "0", "0"}, {"EVAL", "#!lua flags=no-writes\nno script", "0"}} {
		c := connect(t, ours.Server)
		if c.Run(words(call...)); c.Wait == nil {
			t.Errorf("%q = %q in a pause of writes; want it to wait", call, c.Out.Buf)
		}
	}
}

// Limiters, as most scripts are.
func BenchmarkEval(b *testing.B) {
	for _, limiter := range []struct{ name, body string }{
		{"limiter", "local n=redis.call('INCR',KEYS[1]) if n==1 then redis.call('EXPIRE',KEYS[1],60) end return n"},
		{"limiter with a remainder", `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if n > tonumber(ARGV[1]) then return {0, redis.call('PTTL', KEYS[1])} end
return {1, n}`},
	} {
		for _, name := range []string{"EVAL", "EVALSHA"} {
			b.Run(limiter.name+"/"+name, func(b *testing.B) {
				c := newContext(b)
				args := words(name, limiter.body, "1", "limit:user", "100", "60000")
				if sha := strings.Split(do(b, c, "SCRIPT", "LOAD", limiter.body), "\r\n")[1]; name == "EVALSHA" {
					args[1] = []byte(sha)
				}
				b.ReportAllocs()
				for b.Loop() {
					c.Out.Buf = c.Out.Buf[:0]
					c.Run(args)
					if _, err := c.Pipe.Commit(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
