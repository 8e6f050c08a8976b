package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// The replication log keeps what replicas published, this one and others, as it was published, for peers to pull. It is
// bounded (Options.Backlog): a peer that comes too late needs the state. It is kept from the first peer on.

// logged is one batch of the log, whose bytes the database has.
type logged struct {
	replica tlv.ReplicaID
	prev    tlv.Stamp
	stamp   tlv.Stamp
	hash    tlv.Hash
	keys    uint32
	size    int64 // bytes that it takes in the log: its own, and loggedSize
}

// loggedSize is what a batch takes in the log beside its own bytes: its key, and its line in the table of contents. Of small
// batches that is half.
const loggedSize = 96

// replicationLog is the log's table of contents, changed after the commit that changes the log.
type replicationLog struct {
	mu   sync.Mutex
	of   map[tlv.ReplicaID][]logged // in order; each begins where the one before ends
	size int64
}

func logKey(l *logged) []byte {
	b := binary.BigEndian.AppendUint64([]byte{logPrefix}, uint64(l.replica))
	b = binary.BigEndian.AppendUint64(b, uint64(l.stamp))
	b = binary.BigEndian.AppendUint64(b, uint64(l.prev))
	b = binary.BigEndian.AppendUint64(b, uint64(l.hash))
	return binary.BigEndian.AppendUint32(b, l.keys)
}

func parseLogKey(k []byte) (l logged, ok bool) {
	if len(k) != 1+4*8+4 {
		return l, false
	}
	be := binary.BigEndian
	return logged{replica: tlv.ReplicaID(be.Uint64(k[1:])), stamp: tlv.Stamp(be.Uint64(k[9:])),
		prev: tlv.Stamp(be.Uint64(k[17:])), hash: tlv.Hash(be.Uint64(k[25:])), keys: be.Uint32(k[33:])}, true
}

// readLog reads the table of contents at the start.
func (e *Engine) readLog() error {
	e.published.log.of = make(map[tlv.ReplicaID][]logged)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: []byte{logPrefix + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		l, ok := parseLogKey(it.Key())
		if !ok {
			return errors.Join(fmt.Errorf("replication log: key % x is malformed", it.Key()), it.Close())
		}
		v := it.LazyValue()
		l.size = int64(v.Len()) + loggedSize
		e.published.log.add(l)
	}
	return it.Close()
}

// add appends a batch. One that does not follow the last begins the replica's log anew.
func (r *replicationLog) add(l logged) {
	list := r.of[l.replica]
	if n := len(list); n > 0 && list[n-1].stamp != l.prev {
		r.drop(l.replica)
		list = nil
	}
	r.of[l.replica] = append(list, l)
	r.size += l.size
}

// refutes says that entry is of another history than the log has of its replica, which parted from that after the batch since.
func (r *replicationLog) refutes(entry tlv.VectorEntry) (since tlv.Stamp, refutes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.of[entry.Replica]
	if len(all) == 0 || entry.Stamp <= all[0].prev || entry.Stamp > all[len(all)-1].stamp {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(all, entry.Stamp, func(l logged, s tlv.Stamp) int { return cmp.Compare(l.stamp, s) })
	if found && all[i].hash == entry.Hash {
		return 0, false
	}
	return all[i].prev, true
}

func (r *replicationLog) drop(id tlv.ReplicaID) {
	for _, l := range r.of[id] {
		r.size -= l.size
	}
	delete(r.of, id)
}

// log adds a batch to the log, and what is too much goes.
func (t *commit) log(l logged, data []byte) {
	l.size = int64(len(data)) + loggedSize
	t.put(logKey(&l), data)
	kept := &t.c.e.published.log
	gone := kept.excess(t.c.e.options.Backlog-l.size, nil)
	t.unlog(gone)
	t.onCommit(func() {
		kept.mu.Lock()
		defer kept.mu.Unlock()
		kept.add(l)
	})
}

// unlog takes batches out of the log that are the oldest of their replicas.
func (t *commit) unlog(gone []logged) {
	for i := range gone {
		t.delete(logKey(&gone[i]))
	}
	t.onCommit(func() { t.c.e.published.log.remove(gone) })
}

// excess lists the oldest batches that have to go so that the others take at most limit bytes, and those that acked covers.
func (r *replicationLog) excess(limit int64, acked tlv.Vector) (gone []logged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[tlv.ReplicaID]int)
	size := r.size
	for _, id := range r.replicas() {
		upTo := acked.Entry(id).Stamp
		for list := r.of[id]; next[id] < len(list) && list[next[id]].stamp <= upTo; next[id]++ {
			gone = append(gone, list[next[id]])
			size -= list[next[id]].size
		}
	}
	for size > limit {
		oldest := -1
		ids := r.replicas()
		for i, id := range ids {
			if list := r.of[id]; next[id] < len(list) && (oldest < 0 || list[next[id]].stamp < r.of[ids[oldest]][next[ids[oldest]]].stamp) {
				oldest = i
			}
		}
		if oldest < 0 {
			break
		}
		l := r.of[ids[oldest]][next[ids[oldest]]]
		gone = append(gone, l)
		next[l.replica]++
		size -= l.size
	}
	return gone
}

func (r *replicationLog) replicas() []tlv.ReplicaID {
	list := make([]tlv.ReplicaID, 0, len(r.of))
	for id := range r.of {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// remove takes out batches that are the oldest of their replicas.
func (r *replicationLog) remove(gone []logged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range gone {
		list := r.of[gone[i].replica]
		if len(list) > 0 && list[0].stamp == gone[i].stamp {
			r.of[gone[i].replica] = list[1:]
			r.size -= gone[i].size
		}
	}
}

// KeepLog has the replication log kept from now on, for good: there is a peer.
func (e *Engine) KeepLog() error {
	c := e.committer.lock()
	defer c.unlock()
	if c.flags&metaLogging != 0 {
		return nil
	}
	if err := e.refusal(); err != nil {
		return err
	}
	c.flags |= metaLogging
	return c.begin(0).sync()
}

// TrimLog drops what every known peer has: acked is the pointwise minimum of their version vectors.
func (e *Engine) TrimLog(acked tlv.Vector) error {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	gone := e.published.log.excess(e.options.Backlog, acked)
	if len(gone) == 0 {
		return nil
	}
	t := c.begin(0)
	t.unlog(gone)
	if err := t.write(pebble.NoSync); err != nil {
		return e.fail(err)
	}
	return nil
}

// dropLog forgets all batches of a replica.
func (t *commit) dropLog(id tlv.ReplicaID) {
	t.deleteAll(logKey(&logged{replica: id})[:9]...)
	t.onCommit(func() {
		kept := &t.c.e.published.log
		kept.mu.Lock()
		defer kept.mu.Unlock()
		kept.drop(id)
	})
}

// Backlog is what the log has for a peer.
type Backlog struct {
	Batches  [][]byte      // encoded, in order for each replica; the caller's
	Left     int64         // batches that did not fit
	LeftKeys int64         // keys in them
	Behind   tlv.ReplicaID // nonzero: the log does not reach back for this replica; the peer needs the state
}

// Batches gives what a peer with the version vector v lacks, of all replicas but one: the oldest first, about maxBytes of
// it, at least one if there is any.
func (e *Engine) Batches(v tlv.Vector, except tlv.ReplicaID, maxBytes int) (b Backlog, err error) {
	if err := e.enterScan(); err != nil {
		return b, err
	}
	defer e.scans.RUnlock()
	list, behind := e.published.log.after(v, e.Shared(), except)
	if behind != 0 {
		return Backlog{Behind: behind}, nil
	}
	size := int64(0)
	for i := range list {
		l := &list[i]
		if len(b.Batches) > 0 && (b.Left > 0 || size+l.size > int64(maxBytes)) {
			b.Left++
			b.LeftKeys += int64(l.keys)
			continue
		}
		size += l.size
		data, closer, err := e.db.Get(logKey(l))
		if errors.Is(err, pebble.ErrNotFound) { // trimmed meanwhile
			return Backlog{Behind: l.replica}, nil
		} else if err != nil {
			return Backlog{}, fmt.Errorf("replication log: %w", err)
		}
		b.Batches = append(b.Batches, slices.Clone(data))
		if err := closer.Close(); err != nil {
			return Backlog{}, err
		}
	}
	return b, nil
}

// after lists what v lacks of have, oldest first, or says for whom the log does not reach back. The log is a moment ahead of
// have when a batch was committed just now: who got that batch would soon say so, and a replica to which its own vector
// did not speak of it yet would take that for a fork.
func (r *replicationLog) after(v, have tlv.Vector, except tlv.ReplicaID) (list []logged, behind tlv.ReplicaID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range have {
		at := v.Entry(h.Replica).Stamp
		if h.Replica == except || at >= h.Stamp {
			continue
		}
		all := r.of[h.Replica]
		i, found := slices.BinarySearchFunc(all, at, func(l logged, s tlv.Stamp) int { return cmp.Compare(l.stamp, s) })
		if found {
			i++
		}
		if i == len(all) || all[i].prev > at || all[len(all)-1].stamp < h.Stamp {
			return nil, h.Replica
		}
		end := len(all)
		for end > i && all[end-1].stamp > h.Stamp {
			end--
		}
		list = append(list, all[i:end]...)
	}
	slices.SortStableFunc(list, func(a, b logged) int { return cmp.Compare(a.stamp, b.stamp) })
	return list, 0
}

// LogSize is what the replication log takes, in bytes.
func (e *Engine) LogSize() int64 {
	e.published.log.mu.Lock()
	defer e.published.log.mu.Unlock()
	return e.published.log.size
}
