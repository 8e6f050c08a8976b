package commands

import (
	"sync"
	"time"
)

// latencySamples is how many seconds of an event are remembered, as in Redis.
const latencySamples = 160

// latencyMonitor remembers what took longer than latency-monitor-threshold. The zero value is empty.
type latencyMonitor struct {
	mu     sync.Mutex
	events map[string]*latencyEvent

	flushed time.Time // that noteBackground has looked at
}

// latencyEvent has the worst sample of each second in which there was one, the newest last.
type latencyEvent struct {
	samples []latencySample
	max     int64 // ms, ever
}

type latencySample struct {
	at int64 // s since the Unix epoch
	ms int64
}

// add notes that an event took some time. What Redis calls a millisecond is one here: fractions are cut.
func (m *latencyMonitor) add(name string, took time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events == nil {
		m.events = make(map[string]*latencyEvent)
	}
	e := m.events[name]
	if e == nil {
		e = new(latencyEvent)
		m.events[name] = e
	}
	s := latencySample{now.Unix(), took.Milliseconds()}
	e.max = max(e.max, s.ms)
	if n := len(e.samples); n > 0 && e.samples[n-1].at == s.at {
		e.samples[n-1].ms = max(e.samples[n-1].ms, s.ms)
		return
	}
	if len(e.samples) == latencySamples {
		e.samples = append(e.samples[:0], e.samples[1:]...)
	}
	e.samples = append(e.samples, s)
}

// noteBackground adds the last flush of the store and the longest sweep of expired keys, if they took long. It is called about once a
// second.
func (s *Server) noteBackground(now time.Time) {
	if s.Loading() {
		return
	}
	threshold, sweep := s.Config.LatencyThreshold(), s.Engine.LongestSweep()
	if threshold == 0 {
		return
	}
	if sweep >= threshold {
		s.latency.add("expire-cycle", sweep, now)
	}
	last, took := s.Engine.LastFlush()
	if took >= threshold && last.After(s.latency.flushed) {
		s.latency.add("flush", took, now)
	}
	s.latency.flushed = last
}

// event gives a copy of an event; nil: there was none.
func (m *latencyMonitor) event(name string) *latencyEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.events[name]
	if e == nil {
		return nil
	}
	return &latencyEvent{append([]latencySample(nil), e.samples...), e.max}
}

// names are those of all events, sorted.
func (m *latencyMonitor) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedKeys(m.events)
}

// reset forgets the named events, or all, and says how many there were.
func (m *latencyMonitor) reset(names [][]byte) (n int64) {
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
