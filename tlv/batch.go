package tlv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
)

// Batch is what one flush of one replica published.
type Batch struct {
	Replica ReplicaID
	Prev    Stamp // of the replica's batch before; 0 for its first
	Stamp   Stamp
	Life    uint64    // of the replica, in which it published this (VectorEntry)
	Chain   Hash      // of the replica's batch before
	Hash    Hash      // of this one
	Ends    ReplicaID // in a first batch: the ID that was given up for it, of which it has the tail (VectorEntry.Of); 0: none
	End     Stamp     // of that tail
	Tail    ReplicaID // under which it counts
	Deltas  []Delta   // in any order, one per key

	encoded []byte // what ParseBatch read and found valid, this record alone; nil: made here
}

// Entry is what a version vector says of b's replica once b is stored.
func (b *Batch) Entry() VectorEntry {
	return VectorEntry{Replica: b.Replica, Stamp: b.Stamp, Life: b.Life, Hash: b.Hash}
}

// Delta is what one flush changed of one key; State is itself a state, and not empty.
type Delta struct {
	Key   []byte // the engine's key (key.go)
	State State
}

// MaxKey is the greatest length of a Delta's Key in bytes: a name of 64 KiB, and what precedes it (key.go).
const MaxKey = 1 + 64<<10

// Validate says what of b its replica cannot have written. Its own contributions carry the batch's stamp, and no key comes
// twice: a replica that merges the batch may look each key up once, and count on nothing of the batch being there yet.
func (b *Batch) Validate() error {
	if b.encoded != nil {
		return nil
	}
	if b.Replica == 0 || b.Stamp <= b.Prev {
		return malformed("batch of replica %x, stamp %d after %d", uint64(b.Replica), b.Stamp, b.Prev)
	}
	if (b.Ends == 0) != (b.End == 0) || (b.Ends == 0) != (b.Tail == 0) || b.Ends != 0 && b.Prev != 0 || b.Ends == b.Replica {
		return malformed("batch %d of replica %x ends replica %x at %d", b.Stamp, uint64(b.Replica), uint64(b.Ends), b.End)
	}
	for i := range b.Deltas {
		if err := b.validateDelta(&b.Deltas[i]); err != nil {
			return fmt.Errorf("delta %d: %w", i, err)
		}
	}
	if i := repeatedKey(b.Deltas); i >= 0 {
		return malformed("delta %d repeats a key", i)
	}
	return nil
}

func (b *Batch) validateDelta(d *Delta) error {
	if err := d.validate(); err != nil {
		return err
	}
	if c := d.State.Contribution(b.Replica); c != nil && c.Rev != b.Stamp {
		return malformed("own contribution of rev %d in batch %d", c.Rev, b.Stamp)
	}
	return nil
}

func (d *Delta) validate() error {
	if err := ValidateKey(d.Key); err != nil {
		return err
	}
	if d.State.Empty() {
		return malformed("empty delta")
	}
	if Space(d.Key[0]) == FieldSpace {
		if err := d.State.validateField(); err != nil {
			return err
		}
	}
	return d.State.Validate()
}

// repeatedKey is the index of the first delta whose key another has before it, or -1. The table of what was seen is of
// two to four slots a key, under a seed of its own: no client can make keys that collide.
func repeatedKey(deltas []Delta) int {
	if len(deltas) < 2 {
		return -1
	}
	seed := maphash.MakeSeed()
	slots := make([]uint32, 2<<bits.Len(uint(len(deltas)-1))) // index + 1; 0: free
	for i := range deltas {
		key := deltas[i].Key
		at := maphash.Bytes(seed, key)
		for ; slots[at%uint64(len(slots))] != 0; at++ {
			if bytes.Equal(deltas[slots[at%uint64(len(slots))]-1].Key, key) {
				return i
			}
		}
		slots[at%uint64(len(slots))] = uint32(i + 1)
	}
	return -1
}

// Encoded is b as AppendBatch appends it; of a batch that was parsed, the very bytes. The caller only reads it.
func (b *Batch) Encoded() []byte {
	if b.encoded != nil {
		return b.encoded
	}
	return AppendBatch(nil, b)
}

// AppendBatch appends b as one record, which is less than 4 GiB. It allocates nothing if buf has room.
func AppendBatch(buf []byte, b *Batch) []byte {
	if b.encoded != nil {
		return append(buf, b.encoded...)
	}
	start := len(buf)
	buf = BeginBatch(buf, b)
	for i := range b.Deltas {
		buf = AppendDelta(buf, &b.Deltas[i])
	}
	return EndBatch(buf, start)
}

// BeginBatch begins to append b, for a caller that has its deltas one at a time: AppendDelta or AppendEncodedDelta appends each, EndBatch ends it.
func BeginBatch(buf []byte, b *Batch) []byte {
	buf = openRecord(buf)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Replica))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Hash))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Chain))
	buf = AppendTinyZip(buf, uint64(b.Prev))
	buf = AppendTinyZip(buf, uint64(b.Stamp))
	buf = AppendTinyZip(buf, b.Life)
	if b.Prev == 0 {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Ends))
		if b.Ends != 0 {
			buf = AppendTinyZip(buf, uint64(b.End))
			buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Tail))
		}
	}
	return buf
}

// EndBatch ends what BeginBatch began when buf had start bytes.
func EndBatch(buf []byte, start int) []byte { return closeRecord(buf, start, 'B') }

// SealBatch gives what BeginBatch began when buf had start bytes its hash: of what the batch says, from its chain on.
func SealBatch(buf []byte, start int, hash func(content []byte) Hash) Hash {
	at := start + longHead + 8
	h := hash(buf[at+8:])
	binary.LittleEndian.PutUint64(buf[at:], uint64(h))
	return h
}

// Seal gives b, which was made here, its hash.
func (b *Batch) Seal(hash func(content []byte) Hash) {
	buf := BeginBatch(nil, b)
	for i := range b.Deltas {
		buf = AppendDelta(buf, &b.Deltas[i])
	}
	b.Hash = SealBatch(buf, 0, hash)
}

// AppendDelta appends d as one record.
func AppendDelta(buf []byte, d *Delta) []byte {
	start := len(buf)
	buf = Append(openRecord(buf), 'K', d.Key)
	return closeRecord(AppendState(buf, &d.State), start, 'D')
}

// AppendEncodedDelta appends what AppendDelta appends, for a caller that has the state encoded, by AppendState.
func AppendEncodedDelta(buf, key, state []byte) []byte {
	start := len(buf)
	buf = Append(openRecord(buf), 'K', key)
	return closeRecord(append(buf, state...), start, 'D')
}

// minDelta bounds the body of a record D from below: a key of one byte, and a reset.
const minDelta = shortHead + 1 + shortHead + minReset

// ParseBatch reads one batch from the start of data, of which it keeps slices: it must not change as long as the batch is
// used, nor must the batch, which is relayed as it came.
func ParseBatch(data []byte) (b Batch, rest []byte, err error) {
	body, rest, err := Expect(data, 'B')
	if err == nil {
		err = b.parse(body)
	}
	if err == nil {
		err = b.Validate()
	}
	if err != nil {
		return Batch{}, data, fmt.Errorf("batch: %w", err)
	}
	b.encoded = data[:len(data)-len(rest)]
	return b, rest, nil
}

func (b *Batch) parse(body []byte) error {
	r := Reader{rest: body}
	b.Replica, b.Hash, b.Chain = r.Replica(), r.hash(), r.hash()
	b.Prev, b.Stamp, b.Life = r.Stamp(), r.Stamp(), r.Zip()
	if b.Prev == 0 {
		if b.Ends = r.Replica(); b.Ends != 0 {
			b.End, b.Tail = r.Stamp(), r.Replica()
		}
	}
	offset := len(body) - len(r.rest)
	if r.err == nil {
		var at int
		var err error
		if b.Deltas, at, err = parseDeltas(r.rest); err != nil {
			return fmt.Errorf("offset %d: %w", offset+at, err)
		}
		r.rest = nil
	}
	return r.End()
}

// ParseDeltas reads a sequence of deltas, which is all of data: a page of a state transfer. Keys are slices of data;
// nothing else of it is kept.
func ParseDeltas(data []byte) ([]Delta, error) {
	list, at, err := parseDeltas(data)
	for i := 0; i < len(list) && err == nil; i++ {
		if err = list[i].validate(); err != nil {
			return nil, fmt.Errorf("delta %d: %w", i, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", at, err)
	}
	if i := repeatedKey(list); i >= 0 {
		return nil, malformed("delta %d repeats a key", i)
	}
	return list, nil
}

// parseDeltas reads all of data, unchecked. After an error it says where that is.
func parseDeltas(data []byte) (list []Delta, at int, err error) {
	list = room(list, countRecords(data, 'D', minDelta))
	var s slab
	for r := (Reader{rest: data}); len(r.rest) > 0; {
		at = len(data) - len(r.rest)
		s.more = cap(list) - len(list)
		list = append(list, Delta{})
		if err := list[len(list)-1].parse(&r, &s); err != nil {
			return nil, at, err
		}
	}
	return list, 0, nil
}

// slab is room for the contributions of many deltas, most of which have one.
type slab struct {
	free []Contribution
	more int // deltas still to come
}

const maxSlab = 1 << 10

func (s *slab) take(n int) []Contribution {
	if n > len(s.free) {
		s.free = make([]Contribution, max(n, min(s.more, maxSlab)))
	}
	list := s.free[:0:n]
	s.free = s.free[n:]
	return list
}

func (d *Delta) parse(from *Reader, s *slab) error {
	r := Reader{rest: from.Record('D')}
	if from.err != nil {
		return from.err
	}
	d.Key = r.Record('K')
	if r.err != nil {
		return r.err
	}
	if n := countRecords(r.rest, 'C', minContribution); n > 0 {
		d.State.Contributions = s.take(n)
	}
	return d.State.parse(r.rest)
}
