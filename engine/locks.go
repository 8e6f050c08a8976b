package engine

import (
	"atomiccounter/engine/lockorder"
	"atomiccounter/tlv"
)

// placeLocks gives the locks of an engine their places in the order of doc.go. What begins later
// gets its own then: an entry, the fields of a hash, a Snapshot.
func (e *Engine) placeLocks() {
	place := func(lock any, place int) { lockorder.Place(lock, e.table, place, "") }
	place(&e.committer.latch.order, lockorder.Commit)
	place(&e.cuts.admission.inside.order, lockorder.Admission)
	place(&e.stale.refreshing, lockorder.Refreshing)
	for i := range e.cuts.guards {
		lockorder.Place(&e.cuts.guards[i].RWMutex, e.table, lockorder.Guards, string(rune(i)))
	}
	place(&e.scans, lockorder.Scans)
	place(&e.loads, lockorder.Loads)
	for i := range e.table.shards {
		place(&e.table.shards[i].mu, lockorder.Shard)
	}
}

func (t *table) placeLock(e *entry) {
	places := [...]int{0: lockorder.Key, tlv.TokenSpace: lockorder.Token, tlv.FieldSpace: lockorder.Field}
	lockorder.Place(&e.mu, t, places[tlv.Space(e.key()[0])], e.key())
}
