package history

import (
	"slices"

	"atomiccounter/engine/lockorder"
	"atomiccounter/tlv"
)

// History is that of one store. Its methods may be called from several goroutines.
type History struct {
	Log Log

	// Of lives before the present one. They are changed while the store is opened, and by Rename.
	Stored      uint64 // the last that flushed: the journal's mark is in it; 0: none
	Interrupted bool   // the journal has something of a start after the last flush

	mu     lockorder.Mutex
	id     tlv.ReplicaID
	former []tlv.ReplicaID // IDs this store had before; no other replica will carry out their expiries
	lives  []Life          // of id, oldest first; the last is the present one
	given  []Branch        // given up
	voids  []tlv.ReplicaID // tails that are to be cancelled
	dirty  bool            // Record has something new
}

// Life is one start of the process.
type Life struct {
	Number uint64    // random, never zero
	End    tlv.Stamp // of the last batch published in it; of no meaning in the present one
}

// Branch is what this store did under a former ID after its history had parted from the one that others have of that ID.
type Branch struct {
	Replica tlv.ReplicaID
	Lives   []uint64  // in which no other replica has done anything beyond Other
	Last    tlv.Stamp // that was published here under that ID
	Other   tlv.Stamp // that others had of it when it was given up: they parted before
	// Parted: batches were published here that others do not have in their history of that ID. What this store has of it is not for them.
	Parted bool
	Since  tlv.Stamp // of the last batch that both may have, if Parted
}

// maxLives are remembered. What an older one published is taken for untrue, which costs a new ID, and no data.
const maxLives = 1 << 10

// Begin is called once, before all else: it opens a life of the replica id, after those that record has, if there is one. The one
// before published up to that stamp.
func (h *History) Begin(id tlv.ReplicaID, record []byte, number uint64, published tlv.Stamp) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id, h.dirty = id, true
	if len(record) > 0 {
		if err := h.restore(record); err != nil {
			return err
		}
	}
	if n := len(h.lives); n > 0 {
		h.Stored = h.lives[n-1].Number
		h.lives[n-1].End = published
	}
	h.begin(number)
	return nil
}

func (h *History) begin(number uint64) {
	h.lives = append(h.lives, Life{Number: number})
	h.lives = h.lives[max(0, len(h.lives)-maxLives):]
}

// Resume takes back that a life has begun.
func (h *History) Resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives = h.lives[:len(h.lives)-1]
}

// Lived notes a life before the present one that the journal speaks of: it ended before it published anything beyond what
// the database has.
func (h *History) Lived(number uint64, published tlv.Stamp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.ContainsFunc(h.lives, func(l Life) bool { return l.Number == number }) {
		h.lives = slices.Insert(h.lives, len(h.lives)-1, Life{number, published})
	}
}

// GiveUp notes what ends here because the ID is given up: others have entry of it, which is not of this history, and last is the stamp of the
// last batch that was published here. Tails are published along with the next ID.
func (h *History) GiveUp(entry tlv.VectorEntry, last tlv.Stamp, tails []Tail) {
	since, parted := h.Log.refutes(entry)
	h.mu.Lock()
	defer h.mu.Unlock()
	b := Branch{Replica: h.id, Last: last, Other: entry.Stamp, Parted: parted, Since: since}
	for _, t := range tails {
		h.former = append(h.former, t.Replica)
	}
	both := slices.IndexFunc(h.lives, func(l Life) bool { return l.Number == entry.Life })
	for i, l := range h.lives {
		if i > both && (both >= 0 || l.End > entry.Stamp || i == len(h.lives)-1) {
			b.Lives = append(b.Lives, l.Number)
		}
	}
	h.given = append(h.given, b)
}

// Rename goes on under another ID, of which this is the first life: those of the old one are forgotten.
func (h *History) Rename(id tlv.ReplicaID, life uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.former = append(h.former, h.id)
	h.id, h.lives, h.dirty, h.Interrupted = id, nil, true, false
	h.begin(life)
}

// ends says whether no store will ever have what a token says of the branch's replica.
func (b *Branch) ends(seen tlv.VectorEntry) bool {
	return seen.Replica == b.Replica && seen.Stamp > b.Other && seen.Stamp > b.Last && slices.Contains(b.Lives, seen.Life)
}

// GivenUp finds a former ID of which seen has what no store will ever have: this one had it, and has given it up.
func (h *History) GivenUp(seen tlv.Vector) (id tlv.ReplicaID, found bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.given {
		if b := &h.given[i]; b.ends(seen.Entry(b.Replica)) {
			return b.Replica, true
		}
	}
	return 0, false
}

// True says whether what others have of a replica is of the history that this store knows, which has what vector says. Of this replica it
// knows all; of another one, or of an ID that this one no longer has, only what is in the log, and of such an ID where others parted from this
// store: what is not refuted is true.
func (h *History) True(entry tlv.VectorEntry, vector tlv.Vector) bool {
	if entry.Stamp == 0 {
		return true
	}
	have := vector.Entry(entry.Replica)
	if have.Stamp == entry.Stamp && have.Hash != entry.Hash {
		return false
	}
	if _, refuted := h.Log.refutes(entry); refuted {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if entry.Replica != h.id {
		return have.Stamp == entry.Stamp || !slices.ContainsFunc(h.given, func(b Branch) bool {
			return b.Parted && b.Replica == entry.Replica && entry.Stamp > b.Since
		})
	}
	i := slices.IndexFunc(h.lives, func(l Life) bool { return l.Number == entry.Life })
	if i < 0 {
		return false
	}
	if i == len(h.lives)-1 {
		return entry.Stamp <= have.Stamp
	}
	return entry.Stamp <= h.lives[i].End
}

// Void notes that a tail counts what batches have too: it is to be cancelled.
func (h *History) Void(tail tlv.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.voids, tail) {
		h.voids, h.dirty = append(slices.Clone(h.voids), tail), true
	}
}

// Voided takes that back.
func (h *History) Voided(tail tlv.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.voids, h.dirty = slices.DeleteFunc(slices.Clone(h.voids), func(id tlv.ReplicaID) bool { return id == tail }), true
}

// ToVoid lists the tails that are to be cancelled.
func (h *History) ToVoid() []tlv.ReplicaID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.voids
}

// Lives lists the numbers of the lives.
func (h *History) Lives() (list []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lives {
		list = append(list, l.Number)
	}
	return list
}

// Life is the number of the present one.
func (h *History) Life() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lives[len(h.lives)-1].Number
}

// ID is the store's present one.
func (h *History) ID() tlv.ReplicaID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id
}

// Former are the IDs that the store had before.
func (h *History) Former() []tlv.ReplicaID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.former)
}

// Parted lists the former IDs of which others have another history.
func (h *History) Parted() (list []tlv.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.given {
		if h.given[i].Parted {
			list = append(list, h.given[i].Replica)
		}
	}
	return list
}
