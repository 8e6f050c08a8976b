package server

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

// LimitMemory has the collector work harder when the heap nears twice the cache and what the database holds outside of
// it. GOMEMLIMIT, if set, goes before.
func LimitMemory(cache, clients int64) {
	const besides = 128 << 20
	if os.Getenv("GOMEMLIMIT") == "" && cache < (math.MaxInt64-besides-clients)/2 {
		debug.SetMemoryLimit(2*cache + besides + clients)
	}
}

// MakeUpForSyncs gives the scheduler one processor more in the mode always: the thread that waits for the disk most of the time
// keeps its own until the runtime notices, which takes longer than a sync. GOMAXPROCS, if set, goes before.
func MakeUpForSyncs(mode engine.SyncMode) {
	if mode == engine.Always && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// ShareFiles divides the files that the process may have open. The store gets what it needs, or a quarter, and clients what is left.
func ShareFiles(store *engine.Options, s *config.Settings, log *slog.Logger) error {
	const others = 16 // listeners, peers, the runtime's, and clients that are told that there are too many
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit on open files: %w", err)
	}
	files := int(min(limit.Cur, math.MaxInt32))
	store.MaxFiles = min(max(files/4, engine.FewestFiles), engine.MostFiles)
	s.MostClients = int64(files - store.MaxFiles - others)
	if s.MostClients < 1 {
		return fmt.Errorf("ulimit -n of %d is not enough: it has to be more than %d", files, store.MaxFiles+others)
	}
	if s.MaxClients > s.MostClients {
		log.Warn("maxclients is lowered to what ulimit -n leaves", "maxclients", s.MostClients, "asked", s.MaxClients,
			"ulimit", files, "for_the_store", store.MaxFiles)
		s.MaxClients = s.MostClients
	}
	return nil
}
