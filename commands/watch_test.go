package commands

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/commands/stats"
	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// sent takes all that others have sent to a client.
func sent(c *Context) string {
	all, _ := c.Client.push.TakeAll(0)
	c.Client.Queued(-int64(len(all)))
	return strings.ReplaceAll(string(all), "\r\n", "|")
}

// round runs a line as the last of a round, and counts it.
func round(t *testing.T, c *Context, line string) {
	t.Helper()
	do(t, c, strings.Fields(line)...)
	c.EndRound(time.Now())
}

func TestCommandStatsCountExactly(t *testing.T) {
	c := newContext(t)
	for range 5 {
		do(t, c, "INCR", "k")
	}
	do(t, c, "INCR", "k", "l")
	do(t, c, "SET", "k", "text")
	do(t, c, "INCR", "k")
	do(t, c, "GET", "k")
	do(t, c, "GET", "none")
	round(t, c, "NOSUCH")
	info := reparse(t, do(t, c, "INFO", "commandstats", "errorstats", "stats")).(string)
	for _, pattern := range []string{`cmdstat_incr:calls=6,usec=\d+,usec_per_call=[\d.]+,rejected_calls=1,failed_calls=1\r\n`,
		`cmdstat_get:calls=2,`, `cmdstat_set:calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=0\r\n`,
		`errorstat_ERR:count=3\r\n`, `total_error_replies:3\r\n`, `keyspace_hits:1\r\nkeyspace_misses:1\r\n`} {
		if !regexp.MustCompile(pattern).MatchString(info) {
			t.Errorf("INFO = %q; want %s in it", info, pattern)
		}
	}
	if got := do(t, c, "LATENCY", "HISTOGRAM", "incr", "none"); !strings.HasPrefix(got, "*2\r\n$4\r\nincr\r\n*4\r\n$5\r\ncalls\r\n:6\r\n$14\r\nhistogram_usec\r\n*") {
		t.Errorf("LATENCY HISTOGRAM incr = %q; want 6 calls", got)
	}
	if got := do(t, c, "INFO", "latencystats"); !strings.Contains(got, "latency_percentiles_usec_incr:p50=") {
		t.Errorf("INFO latencystats = %q; want incr", got)
	}
	if got := do(t, c, "INFO"); strings.Contains(got, "cmdstat_") || !strings.Contains(got, "# Errorstats") {
		t.Errorf("INFO = %q; want errorstats and no commandstats", got)
	}
	do(t, c, "CONFIG", "RESETSTAT")
	if got := do(t, c, "INFO", "commandstats", "errorstats"); strings.Contains(got, "incr") || strings.Contains(got, "errorstat_") {
		t.Errorf("INFO after RESETSTAT = %q; want nothing", got)
	}
}

// Each error of a script counts once, whether the script catches it, replies it or makes another one of it, and whether its command ran.
func TestErrorsOfScriptsCountOnce(t *testing.T) {
	for _, s := range []struct{ script, stats string }{
		{"redis.pcall('incr') return 1", "incr rejected=1 failed=0, eval failed=0, errors=1"},
		{"return redis.pcall('incr')", "incr rejected=1 failed=0, eval failed=1, errors=1"},
		{"return redis.call('incr')", "incr rejected=1 failed=0, eval failed=1, errors=1"},
		{"redis.pcall('incr', 'text') return 1", "incr rejected=0 failed=1, eval failed=0, errors=1"},
		{"return redis.pcall('incr', 'text')", "incr rejected=0 failed=1, eval failed=1, errors=1"},
		{"return redis.call('incr', 'text')", "incr rejected=0 failed=1, eval failed=1, errors=1"},
		{"redis.pcall('nosuch') return redis.error_reply('ERR of its own')", "incr rejected=0 failed=0, eval failed=1, errors=2"},
		{"redis.pcall('incr') redis.pcall('subscribe', 'c') return redis.pcall('incr', 'text')", "incr rejected=1 failed=1, eval failed=1, errors=3"},
		{"error('x')", "incr rejected=0 failed=0, eval failed=1, errors=1"},
	} {
		c := newContext(t)
		do(t, c, "SET", "text", "x")
		do(t, c, "EVAL", s.script, "0")
		info := reparse(t, do(t, c, "INFO", "commandstats", "errorstats", "stats")).(string)
		number := func(pattern string) string {
			if m := regexp.MustCompile(pattern + `=?:?(\d+)`).FindStringSubmatch(info); m != nil {
				return m[1]
			}
			return "0"
		}
		got := fmt.Sprintf("incr rejected=%s failed=%s, eval failed=%s, errors=%s", number("cmdstat_incr:.*rejected_calls"),
			number("cmdstat_incr:.*failed_calls"), number("cmdstat_eval:.*failed_calls"), number("errorstat_ERR:count"))
		if got != s.stats || number("total_error_replies") != number("errorstat_ERR:count") {
			t.Errorf("after EVAL %q INFO says %s, %s in all; want %s", s.script, got, number("total_error_replies"), s.stats)
		}
	}
}

func TestSlowLog(t *testing.T) {
	c := newContext(t)
	c.Client.identity.SetName("me")
	for _, line := range []string{"CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET", "CONFIG SET slowlog-max-len 3", "INCR a", "AUTH default secret",
		"CONFIG SET requirepass secret", "ECHO " + strings.Repeat("x", 200)} {
		do(t, c, strings.Fields(line)...)
	}
	got := do(t, c, "SLOWLOG", "GET", "-1")
	got = regexp.MustCompile(`:\d+\r\n:\d+\r\n:\d+\r\n`).ReplaceAllString(got, "")
	address := "$11\r\n127.0.0.1:1\r\n$2\r\nme\r\n"
	want := "*3\r\n*6\r\n*2\r\n$4\r\nECHO\r\n$150\r\n" + strings.Repeat("x", 128) + "... (72 more bytes)\r\n" + address +
		"*6\r\n*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$11\r\nrequirepass\r\n$10\r\n(redacted)\r\n" + address +
		"*6\r\n*3\r\n$4\r\nAUTH\r\n$10\r\n(redacted)\r\n$10\r\n(redacted)\r\n" + address
	if want = strings.Replace(want, "$150", fmt.Sprintf("$%d", 128+len("... (72 more bytes)")), 1); got != want {
		t.Errorf("SLOWLOG GET = %q; want %q", got, want)
	}
	do(t, c, "CONFIG", "SET", "slowlog-log-slower-than", "-1")
	do(t, c, "SLOWLOG", "RESET")
	do(t, c, "INCR", "a")
	if got := do(t, c, "SLOWLOG", "LEN"); got != ":0\r\n" {
		t.Errorf("SLOWLOG LEN = %q; want 0: it is off", got)
	}
}

// A command that waits for another one's lock is slow though it is a fast one, and no clock was read for it.
func TestSlowLogOfWhoWaits(t *testing.T) {
	s := newServer(t)
	c, other := connect(t, s), connect(t, s)
	do(t, c, "CONFIG", "SET", "latency-monitor-threshold", "1", "slowlog-log-slower-than", "1000")
	do(t, c, "SLOWLOG", "RESET")
	waited := func(e stats.SlowEntry) bool { return e.Args[0] == "INCR" }
	for end := time.Now().Add(patience); !slices.ContainsFunc(s.Stats.Slow.Newest(-1), waited); { // again if it came too late to wait
		if time.Now().After(end) {
			t.Fatal("nothing is in the slow log; want an INCR that waited")
		}
		holdUp(t, c, other)
	}
	if got := do(t, c, "LATENCY", "LATEST"); !strings.Contains(got, "fast-command") {
		t.Errorf("LATENCY LATEST = %q; want fast-command", got)
	}
}

// TestPauseHoldsExpiries: while writes are paused nothing is written to carry out an expiry.
func TestPauseHoldsExpiries(t *testing.T) {
	now := int64(1e12)
	s := newServerWith(t, engine.Options{Now: func() int64 { return now }, Disk: enginetest.NewDisk(rand.Uint64)})
	c := connect(t, s)
	for _, line := range []string{"SET k 1 PX 100", "SAVE", "CLIENT PAUSE 1000000 WRITE"} {
		want(t, c, line, "+OK|")
	}
	now += 100
	for _, keys := range []string{":1|", ":0|"} {
		if err := s.Engine.Sweep(); err != nil {
			t.Fatal(err)
		}
		want(t, c, "GET k", "$-1|")
		want(t, c, "DBSIZE", keys)
		want(t, c, "CLIENT UNPAUSE", "+OK|")
	}
}

// TestExpireCycle: a long sweep of expired keys is an event of LATENCY.
func TestExpireCycle(t *testing.T) {
	now := int64(1e12)
	s := newServerWith(t, engine.Options{Now: func() int64 { return now }, Disk: enginetest.NewDisk(rand.Uint64)})
	c := connect(t, s)
	do(t, c, "CONFIG", "SET", "latency-monitor-threshold", "1")
	for i := range 20_000 {
		c.Run(words("SET", strconv.Itoa(i), "1", "PX", "100"))
	}
	do(t, c, "SAVE")
	now += 100
	if err := s.Engine.Sweep(); err != nil {
		t.Fatal(err)
	}
	s.Sample(time.Now())
	if got := do(t, c, "LATENCY", "LATEST"); !strings.Contains(got, "$12\r\nexpire-cycle\r\n") {
		t.Errorf("LATENCY LATEST = %q; want expire-cycle", got)
	}
	do(t, c, "LATENCY", "RESET")
	s.Sample(time.Now())
	if got := do(t, c, "LATENCY", "LATEST"); strings.Contains(got, "expire-cycle") {
		t.Errorf("LATENCY LATEST = %q; want no more of that sweep", got)
	}
}

// holdUp has other run an INCR while c holds the key for some time.
func holdUp(t *testing.T, c, other *Context) {
	t.Helper()
	c.Run(words("INCR", "k"))
	c.Run(words("EXPIRE", "k", "100")) // holds the key until Commit
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		close(begun)
		other.Run(words("INCR", "k"))
		close(done)
	}()
	<-begun
	time.Sleep(5 * time.Millisecond) // what is to be slow takes time
	if _, err := c.Pipe.Commit(); err != nil {
		t.Fatal(err)
	}
	<-done
	if _, err := other.Pipe.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestLatency(t *testing.T) {
	c := newContext(t)
	m := &c.Server.Stats.Latency
	at := time.Unix(1000, 0)
	m.Add("command", 30*time.Millisecond, at)
	m.Add("command", 10*time.Millisecond, at)
	m.Add("command", 5*time.Millisecond, at.Add(2*time.Second))
	want(t, c, "LATENCY HISTORY command", "*2|*2|:1000|:30|*2|:1002|:5|")
	want(t, c, "LATENCY LATEST", "*1|*4|$7|command|:1002|:5|:30|")
	if got := m.Event("command").Graph("command", 1062); got != "command - high 30 ms, low 5 ms (all time high 30 ms)\n"+
		strings.Repeat("-", 80)+"\n# \n# \n# \n#_\n\n11\nmm\n" {
		t.Errorf("graph = %q", got)
	}
	if got := do(t, c, "LATENCY", "DOCTOR"); !strings.Contains(got, "1. command: 2 times, 17 ms in the mean, 30 ms at most") {
		t.Errorf("LATENCY DOCTOR = %q", got)
	}
	for i := range 400 {
		m.Add("command", time.Millisecond, at.Add(time.Duration(i)*time.Hour))
	}
	if n := len(m.Event("command").Samples); n != 160 {
		t.Errorf("%d samples; want 160", n)
	}
	want(t, c, "LATENCY RESET none command", ":1|")
	want(t, c, "LATENCY LATEST", "*0|")
}

func TestMonitor(t *testing.T) {
	s := newServer(t)
	c, m := connect(t, s), connect(t, s)
	c.Client.Addr, c.Client.Unix = "/tmp/s:0", true
	want(t, m, "MONITOR", "+OK|")
	do(t, c, "SELECT", "3")
	do(t, c, "SET", "a\"\\\n\x00", "1")
	do(t, c, "AUTH", "secret")
	do(t, c, "CONFIG", "GET", "dir") // an administrator's
	do(t, m, "PING")
	got := regexp.MustCompile(`\+\d+\.\d{6} `).ReplaceAllString(sent(m), "")
	if want := `[3 unix:/tmp/s] "SELECT" "3"|[3 unix:/tmp/s] "SET" "a\"\\\n\x00" "1"|[3 unix:/tmp/s] "AUTH" "(redacted)"|[0 127.0.0.1:1] "PING"|`; got != want {
		t.Errorf("MONITOR shows %q; want %q", got, want)
	}
	if !strings.Contains(m.Client.Line(time.Now()), "flags=O ") {
		t.Errorf("CLIENT LIST = %q; want flag O", m.Client.Line(time.Now()))
	}
	want(t, m, "RESET", "+RESET|")
	do(t, c, "PING")
	if got := sent(m); got != "" || s.attention.Load() != 0 {
		t.Errorf("after RESET MONITOR shows %q, attention %d; want nothing", got, s.attention.Load())
	}
}

// Who does not read what others send it is disconnected, and no memory is kept for it.
func TestInboxIsBounded(t *testing.T) {
	s := newServer(t)
	c, m := connect(t, s), connect(t, s)
	killed := 0
	m.Client.Kill = func() { killed++ }
	do(t, c, "CONFIG", "SET", "client-output-buffer-limit", "normal 100kb 0 0")
	do(t, m, "MONITOR")
	for range 200 {
		do(t, c, "ECHO", strings.Repeat("x", 1000))
	}
	kept, _ := m.Client.push.TakeAll(0)
	if size := len(kept); killed != 1 || size > 101<<10 || s.Stats.CutOff.Load() != 1 {
		t.Errorf("killed %d times, %d bytes kept, %d cut off; want once, at most 101 KiB, 1", killed, size, s.Stats.CutOff.Load())
	}
}

func TestSoftLimit(t *testing.T) {
	m, now := new(clientMemory), time.Unix(1000, 0)
	for _, step := range []struct {
		after time.Duration
		size  int64
		over  bool
	}{{0, 10, false}, {60 * time.Second, 10, false}, {time.Second, 9, false}, {time.Second, 10, false}, {61 * time.Second, 10, true}, {0, 100, true}} {
		now, m.of[output] = now.Add(step.after), step.size
		if got := m.exceeds(config.BufferLimit{Hard: 100, Soft: 10, Patience: 60}, now); got != step.over {
			t.Errorf("exceeds with %d bytes after %v = %v; want %v", step.size, step.after, got, step.over)
		}
	}
}

// TestQuietChannel: what waits for too long ends the connection also when nothing more is sent, and not that of one who has read.
func TestQuietChannel(t *testing.T) {
	s := newServer(t)
	c, slow, reader := connect(t, s), connect(t, s), connect(t, s)
	killed := 0
	slow.Client.Kill = func() { killed++ }
	reader.Client.Kill = func() { t.Error("a listener that reads is disconnected") }
	do(t, c, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 1kb 60")
	do(t, slow, "SUBSCRIBE", "a")
	do(t, reader, "SUBSCRIBE", "a")
	do(t, c, "PUBLISH", "a", strings.Repeat("x", 2000))
	if line := slow.Client.Line(time.Now()); !strings.Contains(line, " obl=2033 oll=0 omem=0 ") {
		t.Errorf("CLIENT LIST has %q; want what waits", line)
	}
	sent(reader)
	now := time.Now()
	s.Sample(now.Add(59 * time.Second))
	if killed != 0 {
		t.Error("disconnected before the soft limit's time")
	}
	s.Sample(now.Add(62 * time.Second))
	if s.Forget(slow.Client); killed != 1 || s.Stats.CutOff.Load() != 1 || s.clientMemory.Load() != reader.Client.memory.takes(listened) {
		t.Errorf("killed %d times, %d counted, %d bytes are taken; want once, 1, and the name", killed, s.Stats.CutOff.Load(), s.clientMemory.Load())
	}
}

// TestWorstFirst: of all clients those for which most waits end first, and only as many as must.
func TestWorstFirst(t *testing.T) {
	s := newServer(t)
	adjust(s, func(o *config.Settings) { o.ClientMemory = 1000 })
	var ended []int
	var list []*Client
	for i := range 3 {
		cl := connect(t, s).Client
		cl.Kill = func() { ended = append(ended, i) }
		list = append(list, cl)
	}
	list[0].Queued(300)
	list[1].Queued(600)
	list[2].Queued(101)
	if !slices.Equal(ended, []int{1}) || s.clientMemory.Load() != 401 {
		t.Errorf("ended %v, %d bytes wait; want that of 600, and 401", ended, s.clientMemory.Load())
	}
}

// TestSizeOfClients: the memory that waits is told of in steps, once a second at most.
func TestSizeOfClients(t *testing.T) {
	s := newServer(t)
	var told []int64
	s.Sized = func(_, clients int64) { told = append(told, clients) }
	cl := connect(t, s).Client
	for _, n := range []int64{1, 0, memoryStep, -memoryStep, -1} {
		cl.Queued(n)
		s.Sample(time.Now())
	}
	if want := []int64{memoryStep, 2 * memoryStep, memoryStep, 0}; !slices.Equal(told, want) {
		t.Errorf("told of %d; want %d", told, want)
	}
}

func TestDebugSleep(t *testing.T) {
	c := newContext(t)
	if got := do(t, c, "DEBUG", "SLEEP", "0"); !strings.HasPrefix(got, "-ERR DEBUG command not allowed.") {
		t.Errorf("DEBUG = %q; want an error", got)
	}
	for _, mode := range []string{"yes", "local"} {
		adjust(c.Server, func(o *config.Settings) { o.Debug = mode })
		c.Client.Local = mode == "local"
		began := time.Now()
		if got := do(t, c, "DEBUG", "SLEEP", "0.01"); got != "+OK\r\n" || time.Since(began) < 10*time.Millisecond {
			t.Errorf("DEBUG SLEEP = %q after %v; want OK after 10 ms", got, time.Since(began))
		}
	}
	c.Client.Local = false
	if got := do(t, c, "DEBUG", "SLEEP", "0"); !strings.HasPrefix(got, "-ERR DEBUG") {
		t.Errorf("DEBUG from elsewhere = %q; want an error", got)
	}
}

// TestMonitorOfTransactions: commands are shown when they run.
func TestMonitorOfTransactions(t *testing.T) {
	s := newServer(t)
	c, m := connect(t, s), connect(t, s)
	want(t, m, "MONITOR", "+OK|")
	for _, line := range []string{"MULTI", "INCR a", "PING", "EXEC", "MULTI", "INCR b", "DISCARD"} {
		do(t, c, strings.Fields(line)...)
	}
	got := regexp.MustCompile(`\+\d+\.\d{6} \[0 127\.0\.0\.1:1\] `).ReplaceAllString(sent(m), "")
	if want := `"MULTI"|"INCR" "a"|"PING"|"EXEC"|"MULTI"|"DISCARD"|`; got != want {
		t.Errorf("MONITOR shows %s; want %s", got, want)
	}
	c.EndRound(time.Now())
	info := do(t, c, "INFO", "commandstats")
	for _, part := range []string{"cmdstat_incr:calls=1,", "cmdstat_exec:calls=1,", "cmdstat_multi:calls=2,"} {
		if !strings.Contains(info, part) {
			t.Errorf("INFO commandstats = %q; want %q in it", info, part)
		}
	}
}

// TestMonitorOfWhatCallsOthers: it is shown before those that it calls, which are counted and timed too.
func TestMonitorOfWhatCallsOthers(t *testing.T) {
	s := newServer(t)
	c, m := connect(t, s), connect(t, s)
	want(t, m, "MONITOR", "+OK|")
	outer := Command{id: stats.MaxCommands - 1, Name: "outer", FullName: "outer", Flags: SkipMonitor, Run: func(c *Context, _ [][]byte) {
		c.within(c.table.lookup([]byte("incr")), words("incr", "k"))
	}}
	c.table = byName
	c.call(&outer, words("OUTER", "1"))
	if _, err := c.Pipe.Commit(); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`\+\d+\.\d{6} \[0 127\.0\.0\.1:1\] `).ReplaceAllString(sent(m), "")
	if want := `"OUTER" "1"|"incr" "k"|`; got != want {
		t.Errorf("MONITOR shows %s; want %s", got, want)
	}
	if n := s.Stats.Calls.Row(byName.lookup([]byte("incr")).id).Calls.Load(); n != 1 {
		t.Errorf("incr was called %d times; want once", n)
	}
}

// TestInfoCountsItsOwnRound: what stands before INFO in one pipelined round is in it.
func TestInfoCountsItsOwnRound(t *testing.T) {
	c := newContext(t)
	do(t, c, "CONFIG", "RESETSTAT")
	c.Run(words("GET", "nokey"))
	c.Run(words("SET", "k", "1"))
	c.Run(words("GET", "k"))
	got := do(t, c, "INFO", "all")
	for _, part := range []string{"cmdstat_get:calls=2,", "keyspace_hits:1\r\n", "keyspace_misses:1\r\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("INFO lacks %q", part)
		}
	}
	c.Run(words("GET", "k"))
	do(t, c, "CONFIG", "RESETSTAT")
	if got := do(t, c, "INFO", "all"); strings.Contains(got, "cmdstat_get") || !strings.Contains(got, "keyspace_hits:0\r\n") {
		t.Error("INFO counts what RESETSTAT forgot")
	}
}

// TestRefusedExecIsRejected: as any other command that is refused.
func TestRefusedExecIsRejected(t *testing.T) {
	c := newContext(t)
	do(t, c, "MULTI")
	want(t, c, "EXEC x", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|")
	if got := do(t, c, "INFO", "all"); !strings.Contains(got, "cmdstat_exec:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0") {
		t.Error("INFO does not count the EXEC that was rejected")
	}
}
