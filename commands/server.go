package commands

import (
	"log/slog"
	"sync/atomic"
	"time"

	"atomiccounter/engine"
)

// Server is what the commands know of the process. Package server makes one, fills the first group before it listens,
// and shares it between all sessions.
type Server struct {
	Engine      *engine.Engine
	Replication Replication // nil: there is none
	Log         *slog.Logger
	Level       *slog.LevelVar // of Log; nil: loglevel cannot be changed
	Started     time.Time
	RunID       string // 40 hexadecimal digits, random per process
	Port        int    // TCP port, 0 if there is none
	Version     string // of this program
	Shutdown    func() // asks the process to end; returns at once, may be called again

	Clients ClientRegistry // every open connection
	Config  Config         // what CONFIG GET shows and CONFIG SET changes
	Stats   Stats          // what INFO shows
	Scripts Scripts        // of EVAL
}

// Stats are counters since the start, or since CONFIG RESETSTAT. Sessions add to them in bulk, once per read, not per command.
type Stats struct {
	Connections, Rejected, Commands, InputBytes, OutputBytes, Errors atomic.Int64
}

func (s *Stats) reset() {
	for _, n := range []*atomic.Int64{&s.Connections, &s.Rejected, &s.Commands, &s.InputBytes, &s.OutputBytes, &s.Errors} {
		n.Store(0)
	}
}
