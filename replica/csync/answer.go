package csync

import (
	"encoding/binary"
	"slices"

	"github.com/tidwall/redcon"

	"atomiccounter/tlv"
)

// SyncAnswer is the answer to CSYNC: what the caller lacks.
type SyncAnswer struct {
	ID        tlv.ReplicaID // of the replica that answers
	Life      uint64
	Clock     int64 // its wall clock, ms since the Unix epoch
	Vector    tlv.Vector
	Former    []tlv.ReplicaID // IDs that it had before
	Cluster   tlv.Cluster
	NeedState bool     // the log does not reach back to what the caller has: it needs the state (CSNAP)
	Left      int64    // batches that the caller will lack still
	LeftKeys  int64    // keys in them
	Batches   [][]byte // tlv.AppendBatch each, in order for each replica; the caller's
}

// SnapAnswer is the answer to CSNAP: one page of a consistent snapshot.
type SnapAnswer struct {
	ID       tlv.ReplicaID
	Snapshot string     // names it for as long as the caller asks for it
	Vector   tlv.Vector // of the snapshot
	Keys     int64      // in all
	Done     int64      // up to the end of this page
	Next     []byte     // cursor of the next page; empty: this was the last
	Page     []byte     // deltas (tlv.ParseDeltas)
}

// DigestAnswer is the answer to CDIGEST: what the store shows of the keys, at one moment.
type DigestAnswer struct {
	ID     tlv.ReplicaID // of the replica that answers
	Vector tlv.Vector
	Sums   []uint64
}

// Append writes the answer as a reply.
func (a *SyncAnswer) Append(b []byte) []byte {
	size := 1 << 10
	for _, batch := range a.Batches {
		size += len(batch) + 32
	}
	b = begin(slices.Grow(b, size), 12, a.ID)
	b = redcon.AppendBulkString(b, Hex(a.Life))
	b = redcon.AppendInt(b, a.Clock)
	b = redcon.AppendBulk(b, tlv.AppendVector(nil, a.Vector))
	b = appendIDs(b, a.Former)
	b = appendIDs(b, a.Cluster.Names)
	provisional, status := int64(0), "ok"
	if a.Cluster.Provisional {
		provisional = 1
	}
	if a.NeedState {
		status = "state"
	}
	b = redcon.AppendInt(b, provisional)
	b = redcon.AppendBulkString(b, status)
	b = redcon.AppendInt(b, a.Left)
	b = redcon.AppendInt(b, a.LeftKeys)
	b = redcon.AppendArray(b, len(a.Batches))
	for _, batch := range a.Batches {
		b = redcon.AppendBulk(b, batch)
	}
	return b
}

// Append writes the answer as a reply.
func (a *SnapAnswer) Append(b []byte) []byte {
	b = begin(slices.Grow(b, len(a.Page)+len(a.Next)+1<<10), 8, a.ID)
	b = redcon.AppendBulkString(b, a.Snapshot)
	b = redcon.AppendBulk(b, tlv.AppendVector(nil, a.Vector))
	b = redcon.AppendInt(b, a.Keys)
	b = redcon.AppendInt(b, a.Done)
	b = redcon.AppendBulk(b, a.Next)
	return redcon.AppendBulk(b, a.Page)
}

// Append writes the answer as a reply.
func (a *DigestAnswer) Append(b []byte) []byte {
	var sums []byte
	for _, sum := range a.Sums {
		sums = binary.LittleEndian.AppendUint64(sums, sum)
	}
	b = begin(b, 4, a.ID)
	b = redcon.AppendBulk(b, tlv.AppendVector(nil, a.Vector))
	return redcon.AppendBulk(b, sums)
}

// begin writes what every answer begins with, one of n elements.
func begin(b []byte, n int, id tlv.ReplicaID) []byte {
	return redcon.AppendBulkString(redcon.AppendInt(redcon.AppendArray(b, n), Version), Hex(id))
}

func appendIDs[T ~uint64](b []byte, list []T) []byte {
	b = redcon.AppendArray(b, len(list))
	for _, id := range list {
		b = redcon.AppendBulkString(b, Hex(id))
	}
	return b
}

// ParseSyncAnswer reads the reply to CSYNC. The batches are of b.
func ParseSyncAnswer(b []byte) (a SyncAnswer, err error) {
	r, err := open("CSYNC", b, 12)
	if err != nil {
		return a, err
	}
	a.ID, a.Life, a.Clock, a.Vector, a.Former = r.replica(), r.hex(), r.count(), r.vector(), ids[tlv.ReplicaID](r)
	a.Cluster = r.cluster()
	switch status := string(r.bytes()); status {
	case "ok":
	case "state":
		a.NeedState = true
	default:
		r.fail("ok or state", status)
	}
	a.Left, a.LeftKeys = r.count(), r.count()
	for range r.array() {
		if r.err != nil {
			break
		}
		a.Batches = append(a.Batches, r.string("an array of batches"))
	}
	return a, r.end()
}

// ParseSnapAnswer reads the reply to CSNAP. Next and the page are of b.
func ParseSnapAnswer(b []byte) (a SnapAnswer, err error) {
	r, err := open("CSNAP", b, 8)
	if err != nil {
		return a, err
	}
	a.ID, a.Snapshot, a.Vector = r.replica(), string(r.bytes()), r.vector()
	if a.Snapshot == "" {
		r.fail("the name of a snapshot", "")
	}
	a.Keys, a.Done, a.Next, a.Page = r.count(), r.count(), r.bytes(), r.bytes()
	return a, r.end()
}

// ParseDigestAnswer reads the reply to CDIGEST.
func ParseDigestAnswer(b []byte) (a DigestAnswer, err error) {
	r, err := open("CDIGEST", b, 4)
	if err != nil {
		return a, err
	}
	a.ID, a.Vector = r.replica(), r.vector()
	sums := r.bytes()
	for ; len(sums) >= 8; sums = sums[8:] {
		a.Sums = append(a.Sums, binary.LittleEndian.Uint64(sums))
	}
	if len(sums) > 0 {
		r.fail("digests", "")
	}
	return a, r.end()
}
