// Package stats has the figures that INFO, SLOWLOG and LATENCY show: counters, the calls of each command with how long they took, rates,
// the slowest calls, and what else took long.
package stats

import "sync/atomic"

// Stats are the figures of the process. The counters, and the calls, are since the start, or since CONFIG RESETSTAT. Sessions add to them
// in bulk, once per read, not per command. The zero value is ready.
type Stats struct {
	Connections, Rejected, InputBytes, OutputBytes, Errors atomic.Int64
	CutOff                                                 atomic.Int64 // clients that did not read what was sent to them
	Evicted                                                atomic.Int64 // clients that took too much memory
	QueryBuffer                                            atomic.Int64 // clients that sent longer commands than they may

	Hits, Misses  atomic.Int64 // reads of keys
	Reads, Writes atomic.Int64 // of sockets

	Calls   Calls
	Slow    SlowLog
	Latency Latency

	rates rates
	most  atomic.Uint64 // bytes of heap in use, when INFO was asked
}

// Peak is the most memory that was seen in use, used included.
func (s *Stats) Peak(used uint64) uint64 {
	for {
		most := s.most.Load()
		if used <= most {
			return most
		}
		if s.most.CompareAndSwap(most, used) {
			return used
		}
	}
}

// Reset begins anew with the counters and the calls.
func (s *Stats) Reset() {
	for _, n := range []*atomic.Int64{&s.Connections, &s.Rejected, &s.InputBytes, &s.OutputBytes, &s.Errors, &s.CutOff, &s.Evicted, &s.QueryBuffer,
		&s.Hits, &s.Misses, &s.Reads, &s.Writes} {
		n.Store(0)
	}
	s.Calls.reset()
}

// Fail counts an error reply.
func (s *Stats) Fail(reply []byte) {
	s.Errors.Add(1)
	if reply[0] == '-' {
		s.Calls.fail(reply)
	}
}
