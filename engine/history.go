package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// history is what a replica knows of its own past, so that it can tell whether what others say of it is true
// (replica/doc.go: forks). A store that lost what it had published, by a backup restored or a copy, lacks a life, or believes
// that one ended earlier than others saw it publish. One process may be put back in time together with its memory: its two
// histories are of one life, and the hashes of their batches differ, which the log has.
type history struct {
	mu          sync.Mutex
	id          tlv.ReplicaID
	former      []tlv.ReplicaID // IDs this store had before; nobody else will carry out their expiries
	lives       []life          // of id, oldest first; the last is the present one
	stored      uint64          // of lives before the present one, the last that flushed: the journal's mark is in it; 0: none
	given       []branch        // given up
	dirty       bool            // not yet in the database
	voids       []tlv.ReplicaID // tails that are to be cancelled
	interrupted bool            // the journal has something of a start after the last flush
}

// life is one start of the process.
type life struct {
	Number uint64    // random, never zero
	End    tlv.Stamp // of the last batch published in it; of no meaning in the present one
}

// branch is what this store did under a former ID after its history had parted from the one that others have of that ID.
type branch struct {
	Replica tlv.ReplicaID
	Lives   []uint64  // in which nobody else has done anything beyond Other
	Last    tlv.Stamp // that was published here under that ID
	Other   tlv.Stamp // that others had of it when it was given up: they parted before
	// Parted: batches were published here that others do not have in their history of that ID. What this store has of it is not for them.
	Parted bool      `json:",omitempty"`
	Since  tlv.Stamp `json:",omitempty"` // of the last batch that both may have; of meaning if Parted
}

// maxLives are remembered. What an older one published is taken for untrue, which costs a new ID, and no data.
const maxLives = 1 << 10

// historyRecord is the record under h, in JSON.
type historyRecord struct {
	Former []tlv.ReplicaID
	Lives  []life
	Given  []branch        `json:",omitempty"`
	Voids  []tlv.ReplicaID `json:",omitempty"`
}

// beginLife opens the life of this start, after what the database has of those before.
func (e *Engine) beginLife(published tlv.Stamp) error {
	h := &e.history
	h.id, h.dirty = e.self.id, true
	var r historyRecord
	v, closer, err := e.db.Get([]byte{historyPrefix})
	if err == nil {
		err = errors.Join(json.Unmarshal(v, &r), closer.Close())
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("history of the replica: %w", err)
	}
	h.former, h.lives, h.given, h.voids = r.Former, r.Lives, r.Given, r.Voids
	if n := len(h.lives); n > 0 {
		h.stored = h.lives[n-1].Number
	}
	h.begin(e.options.random, published)
	return nil
}

// begin ends the life before, whose last batch was published, and begins another.
func (h *history) begin(random func() uint64, published tlv.Stamp) {
	if n := len(h.lives); n > 0 {
		h.lives[n-1].End = published
	}
	h.lives = append(h.lives, life{Number: uint64(randomID(random))})
	h.lives = h.lives[max(0, len(h.lives)-maxLives):]
}

// resume takes back that a life has begun.
func (h *history) resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives = h.lives[:len(h.lives)-1]
}

// lived notes a life before the present one that the journal speaks of: it ended before it published anything beyond what
// the database has.
func (h *history) lived(number uint64, published tlv.Stamp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.ContainsFunc(h.lives, func(l life) bool { return l.Number == number }) {
		h.lives = slices.Insert(h.lives, len(h.lives)-1, life{number, published})
	}
}

// giveUp notes what ends here because the ID is given up: others have entry of it, which is not of this history, of which b says when it
// ended, and where they parted.
func (h *history) giveUp(entry tlv.VectorEntry, b branch, tails []tail) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.Replica, b.Other = h.id, entry.Stamp
	for _, t := range tails {
		h.former = append(h.former, t.Replica)
	}
	both := slices.IndexFunc(h.lives, func(l life) bool { return l.Number == entry.Life })
	for i, l := range h.lives {
		if i > both && (both >= 0 || l.End > entry.Stamp || i == len(h.lives)-1) {
			b.Lives = append(b.Lives, l.Number)
		}
	}
	h.given = append(h.given, b)
}

// ends says whether nobody will ever have what a token says of the branch's replica.
func (b *branch) ends(seen tlv.VectorEntry) bool {
	return seen.Replica == b.Replica && seen.Stamp > b.Other && seen.Stamp > b.Last && slices.Contains(b.Lives, seen.Life)
}

// ErrGivenUp: a token speaks of what this store has given up together with a former ID.
var ErrGivenUp = errors.New("what the token speaks of was given up in a fork")

// Attainable says that what another vector has seen will never be here. ErrGivenUp: whatever stamps Vector reaches, for this store
// had seen it under an ID that it has given up since, and nobody else goes on from there. Of the forks of others nothing is known.
// ErrFailed: Vector does not cover it, and grows no more.
func (e *Engine) Attainable(seen tlv.Vector) error {
	if err := e.givenUp(seen); err != nil {
		return err
	}
	if e.Failed() != nil && !e.Vector().Covers(seen) {
		return e.failure()
	}
	return nil
}

func (e *Engine) givenUp(seen tlv.Vector) error {
	h := &e.history
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.given {
		b := &h.given[i]
		if b.ends(seen.Entry(b.Replica)) {
			return fmt.Errorf("%w: replica %016x is another one now", ErrGivenUp, uint64(b.Replica))
		}
	}
	return nil
}

// rename forgets the lives of the old ID.
func (h *history) rename(id tlv.ReplicaID, random func() uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.former = append(h.former, h.id)
	h.id, h.lives, h.dirty, h.interrupted = id, nil, true, false
	h.begin(random, 0)
}

// void notes that a tail counts what batches have too: it is to be cancelled.
func (h *history) void(tail tlv.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.voids, tail) {
		h.voids, h.dirty = append(slices.Clone(h.voids), tail), true
	}
}

// voided takes that back.
func (h *history) voided(tail tlv.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.voids, h.dirty = slices.DeleteFunc(slices.Clone(h.voids), func(id tlv.ReplicaID) bool { return id == tail }), true
}

// toVoid lists the tails that are to be cancelled.
func (h *history) toVoid() []tlv.ReplicaID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.voids
}

// numbers lists the lives.
func (h *history) numbers() (list []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lives {
		list = append(list, l.Number)
	}
	return list
}

func (h *history) life() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lives[len(h.lives)-1].Number
}

func (h *history) name() tlv.ReplicaID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id
}

// write adds the record to a batch if it is not in the database yet.
func (h *history) write(batch *pebble.Batch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dirty {
		return nil
	}
	v, err := json.Marshal(historyRecord{h.former, h.lives, h.given, h.voids})
	if err != nil {
		return err
	}
	h.dirty = false // if the commit fails, so does the engine
	return batch.Set([]byte{historyPrefix}, v, nil)
}

// ReplicaID names this store among replicas. Rename changes it.
func (e *Engine) ReplicaID() tlv.ReplicaID { return e.history.name() }

// Life is a random number that names this start of the store.
func (e *Engine) Life() uint64 { return e.history.life() }

// parted lists the former IDs of which others have another history.
func (h *history) parted() (list []tlv.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.given {
		if h.given[i].Parted {
			list = append(list, h.given[i].Replica)
		}
	}
	return list
}

// Shared is Vector without the former IDs of which others have another history: what this store has of them is for nobody else.
func (e *Engine) Shared() tlv.Vector { return without(e.Vector(), e.history.parted()) }

func without(v tlv.Vector, ids []tlv.ReplicaID) tlv.Vector {
	return slices.DeleteFunc(slices.Clone(v), func(entry tlv.VectorEntry) bool { return slices.Contains(ids, entry.Replica) })
}

// True says whether what somebody else has of a replica is of the history that this store knows. Of this replica it knows
// all; of another one, or of an ID that this one no longer has, only what is in the log, and of such an ID where others parted from this
// store: what is not refuted is true.
func (e *Engine) True(entry tlv.VectorEntry) bool {
	if entry.Stamp == 0 {
		return true
	}
	have := e.Vector().Entry(entry.Replica)
	if have.Stamp == entry.Stamp && have.Hash != entry.Hash {
		return false
	}
	if _, refuted := e.published.log.refutes(entry); refuted {
		return false
	}
	h := &e.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if entry.Replica != h.id {
		return have.Stamp == entry.Stamp || !slices.ContainsFunc(h.given, func(b branch) bool {
			return b.Parted && b.Replica == entry.Replica && entry.Stamp > b.Since
		})
	}
	i := slices.IndexFunc(h.lives, func(l life) bool { return l.Number == entry.Life })
	if i < 0 {
		return false
	}
	if i == len(h.lives)-1 {
		return entry.Stamp <= e.Vector().Entry(h.id).Stamp
	}
	return entry.Stamp <= h.lives[i].End
}

// Former are the IDs that this store had before.
func (e *Engine) Former() []tlv.ReplicaID {
	h := &e.history
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.former)
}
