package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// beginLife opens the life of this start, after what the database has of those before.
func (e *Engine) beginLife(published tlv.Stamp) error {
	var record []byte
	v, closer, err := e.db.Get([]byte{store.HistoryPrefix})
	if err == nil {
		record = slices.Clone(v)
		err = closer.Close()
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	if err == nil {
		err = e.history.Begin(e.self.id, record, uint64(randomID(e.options.random)), published)
	}
	if err != nil {
		return fmt.Errorf("history of the replica: %w", err)
	}
	return nil
}

func (t *commit) saveHistory() {
	if record := t.c.e.history.Record(); record != nil {
		t.put([]byte{store.HistoryPrefix}, record)
	}
}

// ErrGivenUp: a token speaks of what this store has given up together with a former ID.
var ErrGivenUp = errors.New("what the token speaks of was given up in a fork")

// Attainable says that what another vector has seen will never be here. ErrGivenUp: whatever stamps Vector reaches, for this store
// had seen it under an ID that it has given up since, and nobody else goes on from there. Of the forks of others nothing is known.
// ErrFailed: Vector does not cover it, and grows no more.
func (e *Engine) Attainable(seen tlv.Vector) error {
	if id, found := e.history.GivenUp(seen); found {
		return fmt.Errorf("%w: replica %016x is another one now", ErrGivenUp, uint64(id))
	}
	if e.Failed() != nil && !e.Vector().Covers(seen) {
		return e.failure()
	}
	return nil
}

// ReplicaID names this store among replicas. Rename changes it.
func (e *Engine) ReplicaID() tlv.ReplicaID { return e.history.ID() }

// Life is a random number that names this start of the store.
func (e *Engine) Life() uint64 { return e.history.Life() }

// Former are the IDs that this store had before.
func (e *Engine) Former() []tlv.ReplicaID { return e.history.Former() }

// Shared is Vector without the former IDs of which others have another history: what this store has of them is for nobody else.
// The caller only reads it.
func (e *Engine) Shared() tlv.Vector {
	if parted := e.history.Parted(); len(parted) > 0 {
		return without(e.Vector(), parted)
	}
	return e.Vector()
}

func without(v tlv.Vector, ids []tlv.ReplicaID) tlv.Vector {
	return slices.DeleteFunc(slices.Clone(v), func(entry tlv.VectorEntry) bool { return slices.Contains(ids, entry.Replica) })
}

// True says whether what somebody else has of a replica is of the history that this store knows. Of this replica it knows
// all; of another one, or of an ID that this one no longer has, only what is in the log, and of such an ID where others parted from this
// store: what is not refuted is true.
func (e *Engine) True(entry tlv.VectorEntry) bool { return e.history.True(entry, e.Vector()) }

// Proven says whether a store with the secret of this one has published what entry says: this store, or a copy of it.
func (e *Engine) Proven(entry tlv.VectorEntry) bool { return e.self.secret.Proves(entry) }
