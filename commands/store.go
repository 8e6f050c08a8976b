package commands

import (
	"log/slog"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

// StoreOptions are what the settings ask of the store.
func StoreOptions(s *config.Settings, log *slog.Logger) engine.Options {
	o := engine.Options{Logger: log, Sync: s.Sync, CacheSize: s.CacheSize, Reserve: s.DiskReserve, Backlog: s.Backlog,
		UpdatePeriod: s.UpdatePeriod, AwaitPeers: len(s.Peers) > 0}
	if o.Reserve == 0 { // would mean the default
		o.Reserve = -1
	}
	if o.UpdatePeriod == 0 {
		o.UpdatePeriod = engine.AlwaysFresh
	}
	if len(s.Natural) > 0 {
		o.Natural = func(key []byte) bool { return matchesAny(s.Natural, key) }
	}
	return o
}

// matchesAny says whether any of the patterns, in the syntax of KEYS, matches the key.
func matchesAny(patterns []string, key []byte) bool {
	for _, p := range patterns {
		if g := (glob{pattern: []byte(p)}); g.all() || g.match(key) {
			return true
		}
	}
	return false
}
