package commands

import (
	"fmt"
	"sync"
	"time"
)

// output counts the bytes that wait to be sent to a client: in its inbox, and behind its socket. The zero value is ready.
type output struct {
	mu   sync.Mutex
	size int64
	soft time.Time // since when there is as much as the soft limit; zero: there is not
	cut  bool      // the connection ends: nothing is counted any more
}

// Queued counts n bytes more that wait to be sent to the client, or fewer. If that is more than may wait the connection ends. Any
// goroutine may call it; it does not wait.
func (cl *Client) Queued(n int64) {
	s, o := cl.server, &cl.output
	if !o.add(n, s) {
		return
	}
	s.boundOutput(cl, time.Now())
	if n > 0 {
		s.boundAllOutput()
	}
}

func (o *output) add(n int64, s *Server) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut {
		return false
	}
	o.size += n
	s.output.Add(n)
	return true
}

// Waiting is how many bytes wait to be sent to the client.
func (cl *Client) Waiting() int64 {
	cl.output.mu.Lock()
	defer cl.output.mu.Unlock()
	return cl.output.size
}

// exceeds says whether there is more than may be.
func (o *output) exceeds(l limit, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.cut:
		return false
	case l.hard > 0 && o.size >= l.hard:
		return true
	case l.soft == 0 || o.size < l.soft:
		o.soft = time.Time{}
		return false
	case o.soft.IsZero():
		o.soft = now
	}
	return now.Sub(o.soft) > time.Duration(l.patience)*time.Second
}

// end ends the count, and says how much there was. False: it had ended already.
func (o *output) end(s *Server) (size int64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut {
		return 0, false
	}
	size, o.size, o.cut = o.size, 0, true
	s.output.Add(-size)
	return size, true
}

func (o *output) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cut
}

// boundOutput disconnects a client for which more waits than its class allows.
func (s *Server) boundOutput(cl *Client, now time.Time) {
	kind := cl.kind()
	limits := s.Config.limits()
	if l := *limits.class(kind); cl.output.exceeds(l, now) {
		s.cutOff(cl, fmt.Sprintf("client-output-buffer-limit %s %s", kind, l))
	}
}

// boundAllOutput disconnects clients, those for which most waits first, until no more waits than may for all together.
func (s *Server) boundAllOutput() {
	for most := s.Config.mostOutput(); s.output.Load() > most; {
		var worst *Client
		size := int64(0)
		s.Clients.Each(func(cl *Client) {
			if n := cl.Waiting(); n > size {
				worst, size = cl, n
			}
		})
		if worst == nil { // their connections end already
			return
		}
		s.cutOff(worst, fmt.Sprintf("%d bytes for all clients together", most))
	}
}

// cutOff disconnects a client that does not read what waits for it.
func (s *Server) cutOff(cl *Client, bound string) {
	size, ok := cl.output.end(s)
	if !ok {
		return
	}
	s.Stats.CutOff.Add(1)
	s.Log.Warn("client disconnected: it does not read what is sent to it", "client", cl.ID, "addr", cl.Addr, "waiting", size, "bound", bound)
	cl.Kill()
}

// outputStep is in which steps the memory that output takes is told of.
const outputStep = 64 << 20

// lookAtOutput finds clients for which much has waited for too long, and tells how much memory waits. It is called about once a second.
func (s *Server) lookAtOutput(now time.Time) {
	if s.output.Load() > 0 {
		s.Clients.Each(func(cl *Client) { s.boundOutput(cl, now) })
	}
	s.sizing.Lock()
	defer s.sizing.Unlock()
	if steps := (s.output.Load() + outputStep - 1) / outputStep; steps*outputStep != s.sized {
		s.sized = steps * outputStep
		s.tellSize()
	}
}

// tellSize tells how much memory is needed. The caller holds sizing.
func (s *Server) tellSize() {
	if s.Sized != nil {
		s.Sized(s.cacheSize(), s.sized)
	}
}
