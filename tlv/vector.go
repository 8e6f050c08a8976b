package tlv

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// VectorEntry says of one replica that all its batches up to Stamp are stored. Hash identifies these batches:
// entries of two histories of one replica differ in it. Life tells in which of its lives the replica published the last
// of them. The zero Stamp says that there is none yet.
//
// An entry with an End is of no replica that publishes: its contributions are the tail of the ID Of, what a store had in its journal
// after the last batch before End when it gave that ID up. Batches of Of from End on have it too.
type VectorEntry struct {
	Replica ReplicaID
	Stamp   Stamp
	Life    uint64
	Hash    Hash
	End     Stamp
	Of      ReplicaID
}

// Hash identifies a batch and all batches of its replica before it. Only its replica computes it (engine/history/chain.go); others
// compare. 0: none, or a batch of before there were hashes.
type Hash uint64

// Validate says what of e no replica can have written.
func (e *VectorEntry) Validate() error {
	if e.Replica == 0 || (e.Stamp == 0) == (e.End == 0) || (e.End == 0) != (e.Of == 0) || e.Of == e.Replica {
		return malformed("entry of replica %x up to %d", uint64(e.Replica), e.Stamp)
	}
	return nil
}

func (e *VectorEntry) replica() ReplicaID { return e.Replica }

func (e *VectorEntry) newer(o *VectorEntry) bool {
	return e.Stamp > o.Stamp || e.Stamp == o.Stamp && e.Hash > o.Hash
}

// Vector is a version vector: one entry per replica, in ascending order of replica. The zero Vector is that of an empty store.
type Vector []VectorEntry

// Entry is what v says of a replica.
func (v Vector) Entry(id ReplicaID) VectorEntry {
	if i, ok := v.search(id); ok {
		return v[i]
	}
	return VectorEntry{Replica: id}
}

// Put sets the entry of e's replica, whatever was there.
func (v *Vector) Put(e VectorEntry) {
	i, ok := v.search(e.Replica)
	if ok {
		(*v)[i] = e
		return
	}
	*v = slices.Insert(*v, i, e)
}

// Remove forgets a replica.
func (v *Vector) Remove(id ReplicaID) {
	*v = slices.DeleteFunc(*v, func(e VectorEntry) bool { return e.Replica == id })
}

// Conflict finds an entry of v that is of another history of its replica than that of o, as far as the two show that: both
// are of the same stamp.
func (v Vector) Conflict(o Vector) (e VectorEntry, ok bool) {
	for _, e := range v {
		if f := o.Entry(e.Replica); f.Stamp == e.Stamp && f.Hash != e.Hash {
			return e, true
		}
	}
	return VectorEntry{}, false
}

// Covers says whether v has all that o has.
func (v Vector) Covers(o Vector) bool {
	for _, e := range o {
		if v.Entry(e.Replica).Stamp < e.Stamp {
			return false
		}
	}
	return true
}

// Merge makes v the pointwise maximum of v and o.
func (v *Vector) Merge(o Vector) { *v = union[VectorEntry](*v, o) }

func (v Vector) search(id ReplicaID) (int, bool) {
	return slices.BinarySearchFunc(v, id, func(e VectorEntry, id ReplicaID) int { return cmp.Compare(e.Replica, id) })
}

// AppendVector appends v as one record.
func AppendVector(buf []byte, v Vector) []byte {
	start := len(buf)
	buf = openRecord(buf)
	for i := range v {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(v[i].Replica))
		buf = AppendTinyZip(buf, uint64(v[i].Stamp))
		buf = AppendTinyZip(buf, v[i].Life)
		buf = binary.LittleEndian.AppendUint64(buf, uint64(v[i].Hash))
		buf = AppendTinyZip(buf, uint64(v[i].End))
		if v[i].End != 0 {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v[i].Of))
		}
	}
	return closeRecord(buf, start, 'V')
}

// minEntry bounds an entry of a record V from below.
const minEntry = 8 + 1 + 1 + 8 + 1

// ParseVector reads a vector, which is all of data.
func ParseVector(data []byte) (Vector, error) {
	body, rest, err := Expect(data, 'V')
	if err != nil {
		return nil, fmt.Errorf("vector: %w", err)
	}
	r := Reader{rest: body}
	v := make(Vector, 0, len(body)/minEntry)
	for len(r.rest) > 0 {
		e := VectorEntry{Replica: r.Replica(), Stamp: r.Stamp(), Life: r.Zip(), Hash: r.hash(), End: r.Stamp()}
		if e.End != 0 {
			e.Of = r.Replica()
		}
		v = append(v, e)
	}
	if len(rest) > 0 {
		r.fail(malformed("%d bytes too many", len(rest)))
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("vector: %w", err)
	}
	if err := validateParts[VectorEntry](v); err != nil {
		return nil, fmt.Errorf("vector: %w", err)
	}
	return v, nil
}
