package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands"
	"atomiccounter/engine"
)

func newShared(t testing.TB, mode engine.SyncMode) *commands.Server {
	return sharedOn(openEngine(t, mode))
}

func sharedOn(e *engine.Engine) *commands.Server {
	s := &commands.Server{Log: quiet(), Shutdown: func() {}, Started: time.Now()}
	s.Open(e, nil)
	return s
}

func newSession(s *commands.Server) *Session {
	return NewSession(s, &commands.Client{Kill: func() {}})
}

// converse feeds input that arrives in pieces, as a connection does, until the session closes or wants more. Each piece is a copy
// that is destroyed afterwards, so nothing that the session keeps of it goes unnoticed.
func converse(s *Session, pieces ...[]byte) (replies string, closed bool) {
	var in []byte
	for _, piece := range pieces {
		in = append(bytes.Clone(in), piece...)
		for more := true; more; {
			r := s.Feed(in)
			if r.Wait != nil { // nobody waits here
				r.Wait.Expired = true
			}
			replies += string(*s.Replies())
			*s.Replies() = (*s.Replies())[:0]
			if r.Close {
				return replies, true
			}
			rest := bytes.Clone(in[r.Consumed:])
			clear(in)
			in, more = rest, r.More || r.Wait != nil
		}
	}
	return replies, false
}

func TestFeed(t *testing.T) {
	s := newSession(newShared(t, engine.EverySec))
	got, closed := converse(s, []byte("INCR k\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk"), []byte("\r\nGET k\r\n"))
	if want := ":1\r\n:2\r\n$1\r\n2\r\n"; got != want || closed {
		t.Errorf("replies %q, closed %v; want %q, false", got, closed, want)
	}
	if n := s.ctx.Server.Processed(); n != 3 {
		t.Errorf("commands = %d; want 3", n)
	}
}

// What is queued outlives the buffer that it came in.
func TestFeedQueues(t *testing.T) {
	s := newSession(newShared(t, engine.EverySec))
	got, closed := converse(s, []byte("MULTI\r\nSET k some"), []byte("thing\r\nAPPEND k "), []byte("else\r\nGET k\r\n"), []byte("EXEC\r\n"))
	if want := "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:13\r\n$13\r\nsomethingelse\r\n"; got != want || closed {
		t.Errorf("replies %q, closed %v; want %q, false", got, closed, want)
	}
}

// A round ends after so many commands, and after so many bytes of replies.
func TestFeedIsBounded(t *testing.T) {
	s := newSession(newShared(t, engine.EverySec))
	in := []byte(strings.Repeat("PING\r\n", maxRoundCommands+1))
	r := s.Feed(in)
	if got := len(*s.Replies()); !r.More || got != maxRoundCommands*len("+PONG\r\n") {
		t.Errorf("Feed = %+v, %d bytes of replies; want more to come after %d commands", r, got, maxRoundCommands)
	}
	*s.Replies() = nil
	long := strings.Repeat("x", 100<<10)
	in = []byte(strings.Repeat(fmt.Sprintf("*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", len(long), long), 5))
	r = s.Feed(in)
	if got := len(*s.Replies()); !r.More || got > maxRoundOutput+len(long)+100 {
		t.Errorf("Feed = %+v, %d bytes of replies; want more to come after %d", r, got, maxRoundOutput)
	}
}

// What the replies depend on is in Position: nothing for a pure PING, the journal's end for a write.
func TestFeedPosition(t *testing.T) {
	s := newSession(newShared(t, engine.Always))
	if r := s.Feed([]byte("PING\r\n")); r.Position != 0 {
		t.Errorf("Feed(PING).Position = %d; want 0", r.Position)
	}
	if r := s.Feed([]byte("INCR k\r\n")); r.Position == 0 {
		t.Error("Feed(INCR).Position = 0; want a place in the journal")
	}
}

func TestFeedReplyOff(t *testing.T) {
	s := newSession(newShared(t, engine.EverySec))
	got, closed := converse(s, []byte("CLIENT REPLY OFF\r\nINCR k\r\n*x\r\n"))
	if got != "" || !closed {
		t.Errorf("replies %q, closed %v; want none, true", got, closed)
	}
}

// A panic is logged with the command that it came from, and goes on.
func TestFeedPanics(t *testing.T) {
	var log bytes.Buffer
	shared := newShared(t, engine.EverySec)
	shared.Log.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := newSession(shared)
	s.ctx.Client.Kill = nil
	shared.Engine = nil // LASTSAVE cannot work without
	defer func() {
		if recover() == nil {
			t.Error("a command that panics ends nothing")
		}
		if !strings.Contains(log.String(), "command=LASTSAVE") {
			t.Errorf("log %q; want the command's name", log.String())
		}
	}()
	s.Feed([]byte("LASTSAVE\r\n"))
}

func incrRound(n int) []byte {
	var in []byte
	for i := range n {
		in = fmt.Appendf(in, "*2\r\n$4\r\nINCR\r\n$16\r\nkey:%012d\r\n", i)
	}
	return in
}

// The way of an INCR through a session: no allocation per command. With many keys most are in no cache of the processor.
func BenchmarkFeed(b *testing.B) {
	for _, keys := range []int{1, 100_000} {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("INCR/keys=%d/P=%d", keys, n), func(b *testing.B) { benchmarkFeed(b, keys, n) })
		}
	}
}

func benchmarkFeed(b *testing.B, keys, n int) {
	s := newSession(newShared(b, engine.EverySec))
	rounds := make([][]byte, 1+keys/n)
	order := rand.Perm(keys)
	for i := range rounds {
		for j := range n {
			rounds[i] = fmt.Appendf(rounds[i], "*2\r\n$4\r\nINCR\r\n$16\r\nkey:%012d\r\n", order[(i*n+j)%keys])
		}
	}
	feed := func(i int) {
		*s.Replies() = (*s.Replies())[:0]
		in := rounds[i%len(rounds)]
		if r := s.Feed(in); r.Consumed != len(in) {
			b.Fatalf("Feed = %+v; want %d bytes consumed", r, len(in))
		}
	}
	for i := range rounds {
		feed(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += n {
		feed(i / n)
	}
}

func TestFeedAllocates(t *testing.T) {
	s := newSession(newShared(t, engine.EverySec))
	in := incrRound(64)
	per := testing.AllocsPerRun(100, func() {
		*s.Replies() = (*s.Replies())[:0]
		s.Feed(in)
	})
	// The engine's flushes run meanwhile and allocate now and then; 64 commands that allocated would show as 64.
	if per > 16 {
		t.Errorf("64 INCR allocate %v times; want none", per)
	}
}

// TestProtocolErrorsCount as errors, as in Redis, whether or not the client wants replies.
func TestProtocolErrorsCount(t *testing.T) {
	shared := newShared(t, engine.EverySec)
	converse(newSession(shared), []byte("*1\r\n$-2\r\n"))
	got, closed := converse(newSession(shared), []byte("CLIENT REPLY OFF\r\n*x\r\n"))
	if got != "" || !closed {
		t.Errorf("replies %q, closed %v; want none, true", got, closed)
	}
	info, _ := converse(newSession(shared), []byte("INFO errorstats stats\r\n"))
	for _, want := range []string{"errorstat_ERR:count=2\r\n", "total_error_replies:2\r\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO = %q; want %q in it", info, want)
		}
	}
}
