package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// logQueue is where the log is written to: who writes never waits, whatever the reader of the log does. What is too much is dropped, and
// counted: the log says how much once it goes on.
type logQueue struct {
	out     io.Writer
	dropped atomic.Int64 // lines, since the start

	mu      sync.Mutex
	changed *sync.Cond // writing has become false, or the time of flush is over
	buf     []byte     // to be written
	lost    int64      // lines that came after buf
	writing bool
}

// mostQueued is how many bytes wait to be written.
const mostQueued = 1 << 20

// flushTime is how long the end of the process waits for the log.
const flushTime = time.Second

func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{out: out}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// Write takes lines, and does not keep b.
func (q *logQueue) Write(b []byte) (int, error) {
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
func (q *logQueue) write() {
	for {
		b := q.next()
		if b == nil {
			return
		}
		if _, err := q.out.Write(b); err != nil { // which nobody can be told of
			q.dropped.Add(int64(bytes.Count(b, []byte("\n"))))
		}
	}
}

// next takes what waits, and how much was dropped after it.
func (q *logQueue) next() []byte {
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

// flush waits until all is written, but not for long.
func (q *logQueue) flush() {
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
