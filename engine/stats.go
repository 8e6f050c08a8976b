package engine

import "time"

// Stats are figures for INFO.
type Stats struct {
	Keys, Expires            [Databases]int64 // exact
	AvgTTL                   [Databases]int64 // ms; of a sample of the cached keys that expire
	CacheEntries, CacheBytes int64
	CacheMisses              int64
	Evicted                  int64 // clean cache entries dropped; no key is lost by it
	Expired                  int64
	JournalSyncs             int64
	JournalBytes             int64 // appended, and not yet given up for what a flush has stored
	JournalBuffered          int64 // of these, not yet written to the file
	Flushes                  int64
	LastFlush                time.Time
	LastFlushTook            time.Duration
	DiskBytes                int64
	NoSpace                  bool
	Failed                   error
	Replayed                 int64 // journal records at the start
}

// LastFlush is when the database last got what was journaled, and how long that took.
func (e *Engine) LastFlush() (time.Time, time.Duration) {
	return time.UnixMilli(e.pace.lastFlush.Load()), time.Duration(e.pace.lastTook.Load())
}

// Stats gives the present figures.
func (e *Engine) Stats() Stats {
	s := Stats{
		CacheEntries: e.table.entries.Load(), CacheBytes: e.table.bytes.Load(), CacheMisses: e.table.misses.Load(),
		Evicted: e.table.evicted.Load(), Expired: e.sweeps.expired.Load(), JournalSyncs: e.journal.Syncs(),
		Flushes: e.pace.flushes.Load(),
		NoSpace: e.health.refuse.Load()&refuseSpace != 0, Failed: e.Failed(), Replayed: e.startup.replayed.Load(),
	}
	s.LastFlush, s.LastFlushTook = e.LastFlush()
	if e.enterScan() == nil {
		s.DiskBytes = int64(e.db.Metrics().DiskSpaceUsage())
		e.scans.RUnlock()
	}
	for i := range s.Keys {
		s.Keys[i], s.Expires[i] = e.counts.keys[i].Load(), e.counts.expires[i].Load()
	}
	s.AvgTTL = e.table.avgTTL(e.Now())
	s.JournalBytes, s.JournalBuffered = e.journal.Bytes()
	return s
}
