package commands

import (
	"sync"
	"sync/atomic"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/commands/push"
	"atomiccounter/commands/stats"
	"atomiccounter/engine"
)

// Server is what the commands know of the process. Package server makes one, fills the first group before it listens,
// and shares it between all sessions.
type Server struct {
	Log      *Log
	Started  time.Time
	RunID    string                     // 40 hexadecimal digits, random per process
	Port     int                        // TCP port, 0 if there is none
	Version  string                     // of this program
	Shutdown func()                     // asks the process to end; returns at once, may be called again
	Sized    func(cache, clients int64) // is told when cache-size, or about what clients take, changes; may be nil

	// Open sets these. They are not read while Loading says true.
	Engine      *engine.Engine
	Replication Replication // nil: there is none
	opened      atomic.Bool

	Clients ClientRegistry // every open connection
	Config  config.Config  // what CONFIG GET shows and CONFIG SET changes
	Stats   stats.Stats    // what INFO shows
	Scripts Scripts        // of EVAL

	loading      loading
	clientMemory atomic.Int64  // bytes that all clients take
	attention    atomic.Uint32 // why calls need more than to be counted (call.go)
	saved        atomic.Int64  // when a client has last had it flush, s since the Unix epoch
	purging      atomic.Bool   // memory is being given back for a transaction or a script
	pause        pause
	push         struct {
		channels push.Channels
		tracking push.Tracking
		monitors push.Monitors
		mu       sync.Mutex // payTracking and payMonitors agree with tracking and monitors
	}

	sizing sync.Mutex // one call of Sized at a time
	sized  int64      // of clientMemory, when it was last told of
}

// Open ends the time of loading: from each session's next round on all commands are answered. The engine, and the replication if there
// is one, must be there until the last session has ended.
func (s *Server) Open(e *engine.Engine, r Replication) {
	s.Engine, s.Replication = e, r
	e.Observe(s.background)
	s.pause.mu.Lock()
	defer s.pause.mu.Unlock()
	s.opened.Store(true)
	close(s.loading.ended())
	s.holdExpiries()
	if s.joining() {
		s.Log.Warn("this store is new: clients are answered LOADING until all that its peers have is here; if none of them can be reached, that is for ever (CONFIG SET join-serve yes ends it)")
	}
}

// Loading says that there is no engine yet: only commands that the table flags so are answered.
func (s *Server) Loading() bool { return !s.opened.Load() }

// joining says that what is here is no state to be shown yet: beside those of loading only what peers ask, and say of them, is answered.
func (s *Server) joining() bool {
	return !s.Config.Load().JoinServe && s.Replication != nil && s.Replication.Joining()
}

// unserved says that either holds.
func (s *Server) unserved() bool { return s.Loading() || s.joining() }

// Forget lets go of a client whose connection has ended.
func (s *Server) Forget(cl *Client) {
	s.Clients.Remove(cl)
	cl.push.Gone.Store(true)
	cl.memory.end(s)
	s.letGo(cl)
}

// letGo ends all that others send to a client.
func (s *Server) letGo(cl *Client) {
	if cl.push.Monitors.Load() {
		s.stopMonitor(cl)
	}
	if cl.push.ListensToAny() {
		s.push.channels.RemoveAll(cl.push)
		cl.memory.set(listened, 0, s)
	}
	if cl.push.Tracks.Load() {
		s.endTracking(cl)
	}
}
