package stats

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// latencySamples is how many seconds of an event are remembered, as in Redis.
const latencySamples = 160

// Latency remembers what took longer than latency-monitor-threshold. The zero value is empty.
type Latency struct {
	mu     sync.Mutex
	events map[string]*Event

	flushed time.Time // that AddBackground has looked at
}

// Event has the worst sample of each second in which there was one, the newest last.
type Event struct {
	Samples []Sample
	Max     int64 // ms, ever
}

// Sample is the worst of one second.
type Sample struct {
	At int64 // s since the Unix epoch
	MS int64
}

// Add notes that an event took some time. What Redis calls a millisecond is one here: fractions are cut.
func (m *Latency) Add(name string, took time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events == nil {
		m.events = make(map[string]*Event)
	}
	e := m.events[name]
	if e == nil {
		e = new(Event)
		m.events[name] = e
	}
	s := Sample{now.Unix(), took.Milliseconds()}
	e.Max = max(e.Max, s.MS)
	if n := len(e.Samples); n > 0 && e.Samples[n-1].At == s.At {
		e.Samples[n-1].MS = max(e.Samples[n-1].MS, s.MS)
		return
	}
	if len(e.Samples) == latencySamples {
		e.Samples = append(e.Samples[:0], e.Samples[1:]...)
	}
	e.Samples = append(e.Samples, s)
}

// AddBackground adds the longest sweep of expired keys, and the last flush of the store if it is another than before, if they took
// as long as threshold. It is called about once a second.
func (m *Latency) AddBackground(threshold, sweep, flush time.Duration, flushed, now time.Time) {
	if sweep >= threshold {
		m.Add("expire-cycle", sweep, now)
	}
	if flush >= threshold && flushed.After(m.flushed) {
		m.Add("flush", flush, now)
	}
	m.flushed = flushed
}

// Event gives a copy of an event; nil: there was none.
func (m *Latency) Event(name string) *Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.events[name]
	if e == nil {
		return nil
	}
	return &Event{append([]Sample(nil), e.Samples...), e.Max}
}

// Names are those of all events, sorted.
func (m *Latency) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.events))
}

// Reset forgets the named events, or all, and says how many there were.
func (m *Latency) Reset(names [][]byte) (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(names) == 0 {
		n = int64(len(m.events))
		m.events = nil
		return n
	}
	for _, name := range names {
		if _, ok := m.events[string(name)]; ok {
			delete(m.events, string(name))
			n++
		}
	}
	return n
}
