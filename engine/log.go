package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/history"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// The replication log keeps what replicas published, this one and others, as it was published, for peers to pull. It is
// bounded (Options.Backlog): a peer that comes too late needs the state. It is kept from the first peer on.

func logKey(l *history.Logged) []byte { return l.AppendKey([]byte{store.LogPrefix}) }

// readLog reads the table of contents at the start.
func (e *Engine) readLog() (err error) {
	for k, v := range store.Scan(e.db, []byte{store.LogPrefix}, []byte{store.LogPrefix + 1}, &err) {
		l, ok := history.ParseKey(k[1:])
		if !ok {
			return fmt.Errorf("replication log: key % x is malformed", k)
		}
		l.Size = int64(len(v)) + history.Overhead
		e.history.Log.Add(l)
	}
	return err
}

// log adds a batch to the log, and what is too much goes.
func (t *commit) log(l history.Logged, data []byte) {
	l.Size = int64(len(data)) + history.Overhead
	t.put(logKey(&l), data)
	kept := &t.c.e.history.Log
	gone := kept.Excess(t.c.e.options.Backlog-l.Size, nil)
	t.unlog(gone)
	t.onCommit(func() { kept.Add(l) })
}

// unlog takes batches out of the log that are the oldest of their replicas.
func (t *commit) unlog(gone []history.Logged) {
	for i := range gone {
		t.delete(logKey(&gone[i]))
	}
	t.onCommit(func() { t.c.e.history.Log.Remove(gone) })
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
	gone := e.history.Log.Excess(e.options.Backlog, acked)
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
	t.deleteAll(history.AppendReplica([]byte{store.LogPrefix}, id)...)
	t.onCommit(func() { t.c.e.history.Log.Drop(id) })
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
	list, behind := e.history.Log.After(v, e.Shared(), except)
	if behind != 0 {
		return Backlog{Behind: behind}, nil
	}
	size := int64(0)
	for i := range list {
		l := &list[i]
		if len(b.Batches) > 0 && (b.Left > 0 || size+l.Size > int64(maxBytes)) {
			b.Left++
			b.LeftKeys += int64(l.Keys)
			continue
		}
		size += l.Size
		data, closer, err := e.db.Get(logKey(l))
		if errors.Is(err, pebble.ErrNotFound) { // trimmed meanwhile
			return Backlog{Behind: l.Replica}, nil
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

// LogSize is what the replication log takes, in bytes.
func (e *Engine) LogSize() int64 { return e.history.Log.Size() }
