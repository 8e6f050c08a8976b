package stats

import (
	"fmt"
	"sync"
	"time"
)

// SlowLog keeps the commands that took longest of late, the newest last. The zero value is empty.
type SlowLog struct {
	mu   sync.Mutex
	list []SlowEntry
	next int64 // ID
}

// SlowEntry is a call that took long.
type SlowEntry struct {
	ID         int64
	At         int64 // s since the Unix epoch
	Took       time.Duration
	Args       []string
	Addr, Name string // of the client
}

// Bounds of what is kept of a call, as in Redis.
const (
	slowArgs     = 32
	slowArgBytes = 128
)

// Add adds a call, with the beginnings of its arguments, and keeps the newest most.
func (l *SlowLog) Add(e SlowEntry, args [][]byte, most int64) {
	e.Args = trimmed(args)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = l.next
	l.next++
	l.list = append(l.list, e)
	l.cut(most)
}

func (l *SlowLog) cut(most int64) {
	if n := int64(len(l.list)) - most; n > 0 {
		l.list = append(l.list[:0], l.list[n:]...)
	}
}

// trimmed keeps the first arguments of a call and their beginnings, and says how much it leaves out.
func trimmed(args [][]byte) []string {
	n := min(len(args), slowArgs)
	list := make([]string, 0, n)
	for i := range n {
		switch arg := args[i]; {
		case i == slowArgs-1 && len(args) > slowArgs:
			list = append(list, fmt.Sprintf("... (%d more arguments)", len(args)-n+1))
		case len(arg) > slowArgBytes:
			list = append(list, fmt.Sprintf("%s... (%d more bytes)", arg[:slowArgBytes], len(arg)-slowArgBytes))
		default:
			list = append(list, string(arg))
		}
	}
	return list
}

// Newest gives the newest n entries, the newest first; -1: all.
func (l *SlowLog) Newest(n int64) (list []SlowEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 {
		n = int64(len(l.list))
	}
	for i := len(l.list) - 1; i >= 0 && n > 0; i, n = i-1, n-1 {
		list = append(list, l.list[i])
	}
	return list
}

// Len is how many entries there are.
func (l *SlowLog) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

// Reset forgets all entries.
func (l *SlowLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}
