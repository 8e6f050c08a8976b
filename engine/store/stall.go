package store

import "github.com/cockroachdb/pebble/v2"

// Pebble stalls a commit that finds too much memory waiting to become tables, or too many tables in level 0: the commit waits until
// that is better, with whatever locks its caller holds, and even if it never can be, because the disk has failed or the host
// closes. So Pebble is told never to (stallNever), and the committer waits itself while the database is Behind: before it changes
// anything, with no lock that a read wants, and for no longer than there is hope. What is committed once, at the start, the end or a
// change of the replica ID, does not wait; it goes beyond the limits a little.
const (
	stallMemory    = 4  // memory tables of full size
	stallSublevels = 40 // of level 0, each of which a read looks into
	stallNever     = 1 << 10
)

// Behind says whether Pebble has too much to do, and is at it: when nothing is under way there is nothing to wait for. memTable is as
// in Options.
func Behind(db *pebble.DB, memTable int) bool {
	m := db.Metrics()
	return m.MemTable.Size >= uint64(stallMemory*memTable) && m.Flush.NumInProgress > 0 ||
		m.Levels[0].Sublevels >= stallSublevels && m.Compact.NumInProgress > 0
}
