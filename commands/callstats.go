package commands

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxCommands bounds how many rows, subcommands included, the table may have.
const maxCommands = 512

// callStats are the figures of all commands, and of the errors that were replied.
type callStats struct {
	rows [maxCommands]commandStats

	mu     sync.Mutex
	errors map[string]int64 // by code
}

type commandStats struct {
	calls, rejected, failed, ns atomic.Int64
	histogram                   atomic.Pointer[histogram]
}

// add counts n calls that took ns together.
func (s *commandStats) add(n, ns int64) {
	s.calls.Add(n)
	s.ns.Add(ns)
	h := s.histogram.Load()
	if h == nil {
		s.histogram.CompareAndSwap(nil, new(histogram))
		h = s.histogram.Load()
	}
	h.add(ns/n, n)
}

// total is how many calls there were, those of transactions and scripts included.
func (s *callStats) total() (n int64) {
	for i := range s.rows {
		n += s.rows[i].calls.Load()
	}
	return n
}

func (s *callStats) reset() {
	for i := range s.rows {
		r := &s.rows[i]
		r.calls.Store(0)
		r.rejected.Store(0)
		r.failed.Store(0)
		r.ns.Store(0)
		r.histogram.Store(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = nil
}

// maxErrorCodes bounds how many kinds of error are told apart.
const maxErrorCodes = 128

// longestCode is up to which length the first word of an error is its code, as in Redis.
const longestCode = 32

// failed counts an error reply: by the code that it begins with, or ERR.
func (s *callStats) failed(reply []byte) {
	line, _, _ := bytes.Cut(reply, []byte("\r\n"))
	code := "ERR"
	if end := bytes.IndexByte(line[:min(len(line), longestCode)], ' '); end >= 0 {
		code = string(line[1:end])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors == nil {
		s.errors = make(map[string]int64)
	}
	if _, known := s.errors[code]; !known && len(s.errors) >= maxErrorCodes {
		code = "OTHER"
	}
	s.errors[code]++
}

func (s *callStats) errorCounts() (codes []string, counts map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts = make(map[string]int64)
	for code, n := range s.errors {
		codes = append(codes, code)
		counts[code] = n
	}
	slices.Sort(codes)
	return codes, counts
}

// tally gathers what a connection's round did, so that an increment costs no clock and no shared memory: fast commands are
// counted, and share the time of their round evenly.
type tally struct {
	rows [8]struct {
		cmd *Command
		n   int64
	}
	used         int
	n            int64 // calls in rows, and those that found no room
	began        time.Duration
	hits, misses int64         // of reads of keys
	apart        time.Duration // of the round, taken by commands that were timed on their own
}

// count counts a call of a fast command.
func (t *tally) count(cmd *Command) bool {
	for i := range t.used {
		if t.rows[i].cmd == cmd {
			t.rows[i].n++
			t.n++
			return true
		}
	}
	if t.used == len(t.rows) {
		return false
	}
	t.rows[t.used].cmd, t.rows[t.used].n = cmd, 1
	t.used++
	t.n++
	return true
}

// settle adds the round to the figures of all.
func (t *tally) settle(s *callStats, now time.Duration) {
	share := max(int64(now-t.began-t.apart), 0) / max(t.n, 1)
	for i := range t.used {
		r := &t.rows[i]
		s.rows[r.cmd.id].add(r.n, share*r.n)
	}
	t.used, t.n, t.apart = 0, 0, 0
}

// EndRound counts what the commands since it was last called took, together, up to now.
func (c *Context) EndRound(now time.Time) {
	t := &c.tally
	if t.n > 0 {
		t.settle(&c.Server.calls, now.Sub(c.Server.Started))
	}
	if t.hits+t.misses > 0 {
		c.Server.Stats.Hits.Add(t.hits)
		c.Server.Stats.Misses.Add(t.misses)
		t.hits, t.misses = 0, 0
	}
}

// now is a clock that only goes on.
func (c *Context) now() time.Duration { return time.Since(c.Server.Started) }

// called are the rows that were called or rejected, by name.
func (x *index) called(s *callStats) (list []*Command) {
	x.each(func(cmd *Command) {
		if r := &s.rows[cmd.id]; r.calls.Load()+r.rejected.Load() > 0 {
			list = append(list, cmd)
		}
	})
	slices.SortFunc(list, func(a, b *Command) int { return cmp.Compare(a.FullName, b.FullName) })
	return list
}

func (s *commandStats) line() string {
	calls, us := s.calls.Load(), s.ns.Load()/1000
	return fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
		calls, us, float64(us)/float64(max(calls, 1)), s.rejected.Load(), s.failed.Load())
}
