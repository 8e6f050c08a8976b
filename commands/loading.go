package commands

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const errLoading = "LOADING Redis is loading the dataset in memory"

// openSoon is how long after the start of the server commands wait for the store to open, rather than be refused: most stores open
// within that, and some clients ask again at once.
const openSoon = time.Second

// loading is how far the journal is replayed, in bytes.
type loading struct {
	done, total atomic.Int64

	mu   sync.Mutex
	over chan struct{} // of ended; nil: not yet asked for
}

// ended is closed when the store is open.
func (l *loading) ended() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over == nil {
		l.over = make(chan struct{})
	}
	return l.over
}

// awaitOpen has a command that cannot be answered without the store wait for it, if the server has started just now. It is dispatched
// anew then. What a new store gets from its peers is not waited for.
func (c *Context) awaitOpen(args [][]byte) bool {
	until := c.Server.Started.Add(openSoon)
	if c.Pipe.Joined() || !time.Now().Before(until) {
		return false
	}
	kept := cloneArgs(args)
	c.wait(c.Server.loading.ended(), until, func(bool) { c.dispatch(kept) })
	return true
}

// Progress notes how far that is, for INFO (engine.Options.Progress).
func (s *Server) Progress(done, total int64) {
	s.loading.done.Store(done)
	s.loading.total.Store(total)
}

// eta is in how many seconds the rest is done, if it takes as long as what is done has; 1 if that is not known.
func (l *loading) eta(since time.Time) int64 {
	done, total := l.done.Load(), l.total.Load()
	if done == 0 {
		return 1
	}
	return int64(time.Since(since).Seconds() * float64(total-done) / float64(done))
}

// infoLoading is of the time of loading only. Clients that ask whether a server is ready come again after the eta.
func infoLoading(w *infoWriter, s *Server) {
	if !s.unserved() {
		return
	}
	l := &s.loading
	done, total := l.done.Load(), l.total.Load()
	w.fields(
		"loading_start_time", s.Started.Unix(),
		"loading_total_bytes", total,
		"loading_rdb_used_mem", 0,
		"loading_loaded_bytes", done,
		"loading_loaded_perc", fmt.Sprintf("%.2f", 100*float64(done)/float64(max(total, 1))),
		"loading_eta_seconds", l.eta(s.Started))
}
