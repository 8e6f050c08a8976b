package server

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// LogQueue is where the log is written to: a writer never waits, whatever the reader of the log does. What is too much is dropped, and
// counted: the log says how much once it goes on.
type LogQueue struct {
	out     io.Writer
	dropped atomic.Int64 // lines, since the start

	mu      sync.Mutex
	changed *sync.Cond // writing has become false, or the time of Flush is over
	buf     []byte     // to be written
	lost    int64      // lines that came after buf
	writing bool
}

// mostQueued is how many bytes wait to be written.
const mostQueued = 1 << 20

// flushTime is how long the end of the process waits for the log.
const flushTime = time.Second

// NewLogQueue gives a queue that is written to out.
func NewLogQueue(out io.Writer) *LogQueue {
	q := &LogQueue{out: out}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// Write takes lines, and does not keep b.
func (q *LogQueue) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lost > 0 || len(q.buf)+len(b) > mostQueued {
		q.lost++
		q.dropped.Add(1)
	} else {
		q.buf = append(q.buf, b...)
	}
	if !q.writing {
		q.writing = true
		go q.write()
	}
	return len(b), nil
}

// write writes until nothing waits.
func (q *LogQueue) write() {
	for {
		b := q.next()
		if b == nil {
			return
		}
		if _, err := q.out.Write(b); err != nil { // which cannot be told
			q.dropped.Add(int64(bytes.Count(b, []byte("\n"))))
		}
	}
}

// Dropped is how many lines were dropped since the start.
func (q *LogQueue) Dropped() int64 { return q.dropped.Load() }

// next takes what waits, and how much was dropped after it.
func (q *LogQueue) next() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.buf
	q.buf = nil
	if q.lost > 0 {
		b = fmt.Appendf(b, "time=%s level=WARN msg=\"the log was not read in time: dropped %d lines\"\n", time.Now().Format(time.RFC3339Nano), q.lost)
		q.lost = 0
	}
	if b == nil {
		q.writing = false
		q.changed.Broadcast()
	}
	return b
}

// Flush waits until all is written, but not for long.
func (q *LogQueue) Flush() {
	over := time.Now().Add(flushTime)
	timer := time.AfterFunc(flushTime, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})
	defer timer.Stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.writing && time.Now().Before(over) {
		q.changed.Wait()
	}
}
