package stats

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// MaxCommands bounds how many rows, subcommands included, the table may have.
const MaxCommands = 512

// Calls are the figures of all commands, and of the errors that were replied.
type Calls struct {
	rows [MaxCommands]Row // by the number of the command

	mu     sync.Mutex
	errors map[string]int64 // by code
}

// Row has the figures of one command.
type Row struct {
	Calls, Rejected, Failed atomic.Int64
	ns                      atomic.Int64
	histogram               atomic.Pointer[Histogram]
}

// Add counts n calls that took ns together.
func (r *Row) Add(n, ns int64) {
	r.Calls.Add(n)
	r.ns.Add(ns)
	h := r.histogram.Load()
	if h == nil {
		r.histogram.CompareAndSwap(nil, new(Histogram))
		h = r.histogram.Load()
	}
	h.add(ns/n, n)
}

// Row gives the figures of a command by its number.
func (c *Calls) Row(id int) *Row { return &c.rows[id] }

// Seen says that the command was called or rejected.
func (r *Row) Seen() bool { return r.Calls.Load()+r.Rejected.Load() > 0 }

// Histogram is how long the calls took; nil: there was none.
func (r *Row) Histogram() *Histogram { return r.histogram.Load() }

// Total is how many calls there were, those of transactions and scripts included.
func (c *Calls) Total() (n int64) {
	for i := range c.rows {
		n += c.rows[i].Calls.Load()
	}
	return n
}

func (c *Calls) reset() {
	for i := range c.rows {
		r := &c.rows[i]
		r.Calls.Store(0)
		r.Rejected.Store(0)
		r.Failed.Store(0)
		r.ns.Store(0)
		r.histogram.Store(nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errors = nil
}

// maxErrorCodes bounds how many kinds of error are told apart.
const maxErrorCodes = 128

// longestCode is up to which length the first word of an error is its code, as in Redis.
const longestCode = 32

// fail counts an error reply: by the code that it begins with, or ERR.
func (c *Calls) fail(reply []byte) {
	line, _, _ := bytes.Cut(reply, []byte("\r\n"))
	code := "ERR"
	if end := bytes.IndexByte(line[:min(len(line), longestCode)], ' '); end >= 0 {
		code = string(line[1:end])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errors == nil {
		c.errors = make(map[string]int64)
	}
	if _, known := c.errors[code]; !known && len(c.errors) >= maxErrorCodes {
		code = "OTHER"
	}
	c.errors[code]++
}

// Errors are the numbers of error replies by their codes, and the codes, sorted.
func (c *Calls) Errors() (codes []string, counts map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts = make(map[string]int64)
	for code, n := range c.errors {
		codes = append(codes, code)
		counts[code] = n
	}
	slices.Sort(codes)
	return codes, counts
}

// Line describes the row as INFO commandstats does.
func (r *Row) Line() string {
	calls, us := r.Calls.Load(), r.ns.Load()/1000
	return fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
		calls, us, float64(us)/float64(max(calls, 1)), r.Rejected.Load(), r.Failed.Load())
}
