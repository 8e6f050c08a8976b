package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/history"
	"atomiccounter/engine/journal"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// commit is a batch for the database, and what becomes true with it. It notes the first error, which its end gives: write, sync
// or showSynced. After an error of these it is unknown what the disk has.
type commit struct {
	c     *committer
	batch *pebble.Batch // nil: it is closed
	after []func()      // onCommit
	err   error

	arrivals []arrival // that are in the batch, in the order of the store
	changes  hashChanges
}

// begin begins a commit of about so many bytes.
func (c *committer) begin(size int) *commit {
	return &commit{c: c, batch: c.e.db.NewBatchWithSize(size)}
}

func (t *commit) note(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *commit) put(key, value []byte) { t.note(t.batch.Set(key, value, nil)) }

func (t *commit) delete(key []byte) { t.note(t.batch.Delete(key, nil)) }

// deleteAll deletes all whose keys begin so.
func (t *commit) deleteAll(prefix ...byte) {
	t.note(t.batch.DeleteRange(prefix, store.After(prefix), nil))
}

// onCommit has f called once the batch is committed, with the commit lock still held.
func (t *commit) onCommit(f func()) { t.after = append(t.after, f) }

// advance makes the vector speak of a later batch of a replica. Tails of it that ended before that are in its batches.
func (t *commit) advance(entry tlv.VectorEntry) {
	c := t.c
	was := c.vector.Entry(entry.Replica).Stamp
	for _, tail := range c.vector {
		if tail.Of == entry.Replica && was < tail.End && tail.End <= entry.Stamp {
			c.e.history.Void(tail.Replica)
		}
	}
	c.vector.Put(entry)
}

// end notes tails, those in the vector of a batch, a peer or a copy. Of an ID of which others have another history, theirs has the tail, or not.
func (t *commit) end(v tlv.Vector) {
	c := t.c
	parted := c.e.history.Parted()
	for _, tail := range slices.Clone(v) {
		if tail.End == 0 {
			continue
		}
		if tail.End <= c.vector.Entry(tail.Of).Stamp && !slices.Contains(parted, tail.Of) {
			c.e.history.Void(tail.Replica)
		}
		c.vector.Put(tail)
	}
}

// record makes the vector and the log speak of b, of so many keys, whose deltas are in the batch.
func (t *commit) record(b *tlv.Batch, keys int, encoded func() []byte) {
	t.advance(b.Entry())
	if b.Ends != 0 {
		t.end(tlv.Vector{{Replica: b.Tail, End: b.End, Of: b.Ends}})
	}
	t.saveHistory()
	if t.c.flags&metaLogging != 0 {
		t.log(history.Logged{Replica: b.Replica, Prev: b.Prev, Stamp: b.Stamp, Hash: b.Hash, Keys: uint32(keys)}, encoded())
	}
}

// publish makes b, whose deltas are in the batch, the next batch of this replica, if it says anything.
func (t *commit) publish(b *tlv.Batch) {
	if len(b.Deltas) == 0 {
		return
	}
	if err := b.Validate(); err != nil {
		t.note(err)
		return
	}
	e := t.c.e
	b.Seal(func(content []byte) tlv.Hash { return e.self.secret.Hash(b, content) })
	e.cuts.last.Store(uint64(b.Stamp))
	t.record(b, len(b.Deltas), b.Encoded)
}

// saveMeta has the database say that it has what the journal says up to at.
func (t *commit) saveMeta(at journal.Mark) {
	c := t.c
	m := meta{id: c.e.self.id, seed: c.e.self.secret, clock: tlv.Stamp(c.e.clock.last.Load()), mark: at, flags: c.flags, count: c.count, countEx: c.countEx, vector: c.vector}
	t.put([]byte{store.MetaPrefix}, m.encode())
}

// close lets go of the batch, if write has not.
func (t *commit) close() error {
	b := t.batch
	if b == nil {
		return nil
	}
	t.batch = nil
	return b.Close()
}

// write commits what the batch has, and lets go of it.
func (t *commit) write(o *pebble.WriteOptions) error {
	defer t.close()
	err := t.err
	if err == nil {
		err = errors.Join(t.batch.Commit(o), t.c.e.Failed()) // Failed: see store.Fence
	}
	if err == nil {
		t.committed()
	}
	return err
}

func (t *commit) committed() {
	for _, f := range t.after {
		f()
	}
}

// sync is write with the metadata as it is now, synced.
func (t *commit) sync() error {
	t.saveMeta(t.c.mark)
	if err := t.write(pebble.Sync); err != nil {
		return t.c.e.fail(err)
	}
	return nil
}

// showSynced commits what has arrived, synced, and tells the cached keys of it.
func (t *commit) showSynced() error {
	return errors.Join(t.show(), t.c.awaitSync(t))
}

// show commits what has arrived, which is not yet synced then: until awaitSync has returned the vector may not speak of it to others. A cached key
// learns of it under its lock; a load sees either the old or the new state and is then told of what it missed, because none runs between
// the commit and the telling.
func (t *commit) show() error {
	defer t.forgetArrivals()
	c := t.c
	t.saveMeta(c.mark)
	err := t.err
	if err == nil {
		err = t.tell()
	}
	if err != nil {
		return errors.Join(c.e.fail(fmt.Errorf("merge: %w", err)), t.batch.SyncWait(), t.close())
	}
	t.committed()
	return c.e.closeLeftovers(t.arrivals, t.changes)
}

// forgetArrivals keeps nothing of them alive by their memory.
func (t *commit) forgetArrivals() {
	clear(t.arrivals)
	t.arrivals, t.changes = nil, nil
}

// awaitSync waits until commits that are shown are synced, lets go of them, and makes the vector known.
func (c *committer) awaitSync(shown ...*commit) error {
	shown = slices.DeleteFunc(shown, func(t *commit) bool { return t.batch == nil })
	if len(shown) == 0 {
		return nil
	}
	var err error
	for _, t := range shown {
		err = errors.Join(err, t.batch.SyncWait(), t.close())
	}
	if err = errors.Join(err, c.e.Failed()); err != nil {
		return c.e.fail(fmt.Errorf("merge: %w", err))
	}
	c.proclaim()
	return nil
}

// tell commits without waiting for the sync, and tells the cached keys. It holds a guard, for taking in may make an entry dirty, and no
// longer than that: with two at once one could wait for a section that waits for the other.
func (t *commit) tell() error {
	c := t.c
	guard := c.e.cuts.guard()
	guard.RLock()
	defer guard.RUnlock()
	c.reveal()
	c.e.loads.Lock()
	defer c.e.loads.Unlock()
	c.unchecked += t.batch.Len()
	if err := c.e.db.ApplyNoSyncWait(t.batch, pebble.Sync); err != nil {
		return err
	}
	t.changes.hold(c.e)
	// Tokens, which are last, are told first: a reader that sees an increment here finds its token too.
	tokens := slices.IndexFunc(t.arrivals, func(a arrival) bool { return isToken(a.key) })
	if tokens < 0 {
		tokens = len(t.arrivals)
	}
	if err := errors.Join(c.tellAll(t.arrivals[tokens:], t.changes), c.tellAll(t.arrivals[:tokens], t.changes)); err != nil {
		return err
	}
	t.changes.tell(c)
	return nil
}
