package history

import (
	"cmp"
	"encoding/binary"
	"slices"

	"atomiccounter/engine/lockorder"
	"atomiccounter/tlv"
)

// Logged is one batch of the log, whose bytes the database has.
type Logged struct {
	Replica tlv.ReplicaID
	Prev    tlv.Stamp
	Stamp   tlv.Stamp
	Hash    tlv.Hash
	Keys    uint32
	Size    int64 // bytes that it takes in the log: its own, and Overhead
}

// Overhead is what a batch takes in the log beside its own bytes: its key, and its line in the table of contents. Of small
// batches that is half.
const Overhead = 96

// AppendKey appends what the database has the batch under: replica, stamp, previous stamp and hash, 8 bytes each, big-endian, and the
// number of its keys, 4 bytes. So the batches of a replica are together, and in order.
func (l *Logged) AppendKey(buf []byte) []byte {
	buf = AppendReplica(buf, l.Replica)
	buf = binary.BigEndian.AppendUint64(buf, uint64(l.Stamp))
	buf = binary.BigEndian.AppendUint64(buf, uint64(l.Prev))
	buf = binary.BigEndian.AppendUint64(buf, uint64(l.Hash))
	return binary.BigEndian.AppendUint32(buf, l.Keys)
}

// AppendReplica appends what the keys of all batches of a replica begin with.
func AppendReplica(buf []byte, id tlv.ReplicaID) []byte {
	return binary.BigEndian.AppendUint64(buf, uint64(id))
}

// ParseKey reads what AppendKey wrote; the size is not in it.
func ParseKey(k []byte) (l Logged, ok bool) {
	if len(k) != 4*8+4 {
		return l, false
	}
	be := binary.BigEndian
	return Logged{Replica: tlv.ReplicaID(be.Uint64(k)), Stamp: tlv.Stamp(be.Uint64(k[8:])),
		Prev: tlv.Stamp(be.Uint64(k[16:])), Hash: tlv.Hash(be.Uint64(k[24:])), Keys: be.Uint32(k[32:])}, true
}

// Log is the table of contents of the replication log, changed after the commit that changes the log.
type Log struct {
	mu   lockorder.Mutex
	of   map[tlv.ReplicaID][]Logged // in order; each begins where the one before ends
	size int64
}

// Add appends a batch. One that does not follow the last begins the replica's log anew.
func (r *Log) Add(l Logged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.of[l.Replica]
	if n := len(list); n > 0 && list[n-1].Stamp != l.Prev {
		r.drop(l.Replica)
		list = nil
	}
	if r.of == nil {
		r.of = make(map[tlv.ReplicaID][]Logged)
	}
	r.of[l.Replica] = append(list, l)
	r.size += l.Size
}

// Drop forgets all batches of a replica.
func (r *Log) Drop(id tlv.ReplicaID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(id)
}

func (r *Log) drop(id tlv.ReplicaID) {
	for _, l := range r.of[id] {
		r.size -= l.Size
	}
	delete(r.of, id)
}

// Remove takes out batches that are the oldest of their replicas.
func (r *Log) Remove(gone []Logged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range gone {
		list := r.of[gone[i].Replica]
		if len(list) > 0 && list[0].Stamp == gone[i].Stamp {
			r.of[gone[i].Replica] = list[1:]
			r.size -= gone[i].Size
		}
	}
}

// Size is what the log takes, in bytes.
func (r *Log) Size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size
}

// refutes says that entry is of another history than the log has of its replica, which parted from that after the batch since.
func (r *Log) refutes(entry tlv.VectorEntry) (since tlv.Stamp, refutes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.of[entry.Replica]
	if len(all) == 0 || entry.Stamp <= all[0].Prev || entry.Stamp > all[len(all)-1].Stamp {
		return 0, false
	}
	i, found := search(all, entry.Stamp)
	if found && all[i].Hash == entry.Hash {
		return 0, false
	}
	return all[i].Prev, true
}

// search finds the first batch that is not before the stamp; found: it is of that stamp.
func search(all []Logged, stamp tlv.Stamp) (i int, found bool) {
	return slices.BinarySearchFunc(all, stamp, func(l Logged, s tlv.Stamp) int { return cmp.Compare(l.Stamp, s) })
}

// Excess lists the oldest batches that have to go so that the others take at most limit bytes, and those that acked covers.
func (r *Log) Excess(limit int64, acked tlv.Vector) (gone []Logged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[tlv.ReplicaID]int)
	size := r.size
	for _, id := range r.replicas() {
		upTo := acked.Entry(id).Stamp
		for list := r.of[id]; next[id] < len(list) && list[next[id]].Stamp <= upTo; next[id]++ {
			gone = append(gone, list[next[id]])
			size -= list[next[id]].Size
		}
	}
	for size > limit {
		oldest := -1
		ids := r.replicas()
		for i, id := range ids {
			if list := r.of[id]; next[id] < len(list) && (oldest < 0 || list[next[id]].Stamp < r.of[ids[oldest]][next[ids[oldest]]].Stamp) {
				oldest = i
			}
		}
		if oldest < 0 {
			break
		}
		l := r.of[ids[oldest]][next[ids[oldest]]]
		gone = append(gone, l)
		next[l.Replica]++
		size -= l.Size
	}
	return gone
}

func (r *Log) replicas() []tlv.ReplicaID {
	list := make([]tlv.ReplicaID, 0, len(r.of))
	for id := range r.of {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// After lists what v lacks of have, oldest first, of all replicas but one, or says for whom the log does not reach back. The log is a moment ahead of
// have when a batch was committed just now: a peer that got that batch would soon say so, and a replica to which its own vector
// did not speak of it yet would take that for a fork.
func (r *Log) After(v, have tlv.Vector, except tlv.ReplicaID) (list []Logged, behind tlv.ReplicaID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range have {
		at := v.Entry(h.Replica).Stamp
		if h.Replica == except || at >= h.Stamp {
			continue
		}
		all := r.of[h.Replica]
		i, found := search(all, at)
		if found {
			i++
		}
		if i == len(all) || all[i].Prev > at || all[len(all)-1].Stamp < h.Stamp {
			return nil, h.Replica
		}
		end := len(all)
		for end > i && all[end-1].Stamp > h.Stamp {
			end--
		}
		list = append(list, all[i:end]...)
	}
	slices.SortStableFunc(list, func(a, b Logged) int { return cmp.Compare(a.Stamp, b.Stamp) })
	return list, 0
}
