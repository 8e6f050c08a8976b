package commands

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"atomiccounter/commands/config"
)

// holding is why a client takes memory.
type holding uint8

const (
	output      holding = iota // what waits to be sent to it
	input                      // what it has sent that is no whole command yet, and what is known of that
	queuedCalls                // since MULTI, and keys of WATCH
	listened                   // names of channels that it listens to
	prefixed                   // prefixes of keys of which it is told
	work                       // what its commands take while they run
	holdingsCount
)

// clientMemory counts the bytes that a client takes, about. The zero value is ready.
type clientMemory struct {
	mu   sync.Mutex
	of   [holdingsCount]int64
	all  int64
	soft time.Time // since when there is as much output as the soft limit; zero: there is not
	cut  bool      // the connection ends: nothing is counted any more

	query    atomic.Int64 // bytes received that are no whole command yet
	received int64        // as Received was last told; only the session's goroutine uses it, and works
	works    bool         // memory counts as taken by the client's commands
}

// Queued counts n bytes more that wait to be sent to the client, or fewer. If that is more than may wait the connection ends. Any
// goroutine may call it; it does not wait.
func (c *Client) Queued(n int64) {
	s := c.server
	if !c.memory.add(output, n, s) {
		return
	}
	s.boundOutput(c, time.Now())
	if n > 0 {
		s.boundClients()
	}
}

// Received says how many bytes the client's connection has taken memory for, of which so many are no whole command yet.
func (c *Client) Received(size, taken int64) {
	c.memory.query.Store(size)
	if c.memory.received != taken {
		c.memory.received = taken
		c.holds(input, taken)
	}
}

// holds says how much the client takes for one reason. If that is too much for all together clients end, perhaps this one.
func (c *Client) holds(why holding, n int64) {
	if c.memory.set(why, n, c.server) {
		c.server.boundClients()
	}
}

// Sent says that all replies are on their way: what the commands took is free.
func (c *Client) Sent() {
	if c.memory.works {
		c.memory.works = false
		c.memory.set(work, 0, c.server)
	}
}

var errClientMemory = errors.New("the command takes more memory than is left for all clients together (maxmemory-clients)")

// takes has a command of the client count n bytes more until its replies are on their way; an error if they are not there.
func (c *Context) takes(n int64) error {
	s, cl := c.Server, c.Client
	if !cl.memory.add(work, n, s) {
		return errClientMemory // it is about to be disconnected
	}
	cl.memory.works = true
	if most := s.mostClientMemory(); most > 0 && s.clientMemory.Load() > most {
		cl.memory.add(work, -n, s)
		return errClientMemory
	}
	return nil
}

func (m *clientMemory) add(why holding, n int64, s *Server) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.change(why, n, s)
}

// set says whether it is more now.
func (m *clientMemory) set(why holding, n int64, s *Server) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	more := n - m.of[why]
	return m.change(why, more, s) && more > 0
}

// change is called under mu.
func (m *clientMemory) change(why holding, n int64, s *Server) bool {
	if m.cut {
		return false
	}
	m.of[why] += n
	m.all += n
	s.clientMemory.Add(n)
	return true
}

// Waiting is how many bytes wait to be sent to the client.
func (c *Client) Waiting() int64 { return c.memory.takes(output) }

func (m *clientMemory) takes(why holding) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[why]
}

// total is what the client takes, but for what each connection does.
func (m *clientMemory) total() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all
}

// exceeds says whether there is more than may be.
func (m *clientMemory) exceeds(l config.BufferLimit, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.cut:
		return false
	case l.Hard > 0 && m.of[output] >= l.Hard:
		return true
	case l.Soft == 0 || m.of[output] < l.Soft:
		m.soft = time.Time{}
		return false
	case m.soft.IsZero():
		m.soft = now
	}
	return now.Sub(m.soft) > time.Duration(l.Patience)*time.Second
}

// end ends the count, and says how much output there was. False: it had ended already.
func (m *clientMemory) end(s *Server) (waiting int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return 0, false
	}
	waiting = m.of[output]
	s.clientMemory.Add(-m.all)
	m.of, m.all, m.cut = [holdingsCount]int64{}, 0, true
	return waiting, true
}

func (m *clientMemory) ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cut
}

// guestOutput is how many bytes may wait for a client that has still to authenticate.
const guestOutput = 64 << 10

// boundOutput disconnects a client for which more waits than its class allows.
func (s *Server) boundOutput(cl *Client, now time.Time) {
	if !cl.Authenticated.Load() && s.Config.Password() != "" && cl.Waiting() > guestOutput {
		s.cutOff(cl, "of a client that has not authenticated")
		return
	}
	kind := cl.kind()
	limits := s.Config.Load().OutputLimits
	if l := *limits.Class(kind); cl.memory.exceeds(l, now) {
		s.cutOff(cl, fmt.Sprintf("client-output-buffer-limit %s %s", kind, l))
	}
}

// boundClients disconnects clients, those that take most first, until no more is taken than may be by all together. CLIENT NO-EVICT
// keeps one from that.
func (s *Server) boundClients() {
	for {
		most := s.mostClientMemory()
		if most == 0 || s.clientMemory.Load() <= most {
			return
		}
		var worst *Client
		size := int64(0)
		s.Clients.Each(func(cl *Client) {
			if n := cl.memory.total(); n > size && !cl.identity.mayStay() {
				worst, size = cl, n
			}
		})
		if worst == nil { // their connections end already
			return
		}
		s.evict(worst, size, most)
	}
}

// cutOff disconnects a client that does not read what waits for it.
func (s *Server) cutOff(cl *Client, bound string) {
	waiting, ok := cl.memory.end(s)
	if !ok {
		return
	}
	s.Stats.CutOff.Add(1)
	s.Log.Limited(slog.LevelWarn, "client disconnected: it does not read what is sent to it", slog.Int64("client", cl.ID), slog.String("addr", cl.Addr),
		slog.Int64("waiting", waiting), slog.String("bound", bound))
	cl.Kill()
}

func (s *Server) evict(cl *Client, size, most int64) {
	waiting, ok := cl.memory.end(s)
	if !ok {
		return
	}
	s.Stats.Evicted.Add(1)
	s.Log.Limited(slog.LevelWarn, "client disconnected: all clients together take more memory than maxmemory-clients", slog.Int64("client", cl.ID),
		slog.String("addr", cl.Addr), slog.Int64("takes", size), slog.Int64("waiting", waiting), slog.Int64("bound", most))
	cl.Kill()
}

// memoryStep is in which steps the memory that clients take is told of.
const memoryStep = 64 << 20

// lookAtOutput finds clients for which much has waited for too long, and tells how much memory clients take. It is called about once a second.
func (s *Server) lookAtOutput(now time.Time) {
	if s.clientMemory.Load() > 0 {
		s.Clients.Each(func(cl *Client) { s.boundOutput(cl, now) })
	}
	s.sizing.Lock()
	defer s.sizing.Unlock()
	if steps := (s.clientMemory.Load() + memoryStep - 1) / memoryStep; steps*memoryStep != s.sized {
		s.sized = steps * memoryStep
		s.tellSize()
	}
}

// tellSize tells how much memory is needed. The caller holds sizing.
func (s *Server) tellSize() {
	if s.Sized != nil {
		s.Sized(s.Config.Load().CacheSize, s.sized)
	}
}

// mostClientMemory is how many bytes all clients together may take; 0: any number.
func (s *Server) mostClientMemory() int64 {
	n := s.Config.Load().ClientMemory
	if n < 0 {
		n = -n * (machineMemory() / 100)
	}
	return n
}

// machineMemory is that of the machine in bytes, or 4 GiB where that is not known.
var machineMemory = sync.OnceValue(func() int64 { return int64(cmp.Or(totalMemory(), 4<<30)) })
