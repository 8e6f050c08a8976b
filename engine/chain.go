package engine

import (
	"encoding/binary"
	"fmt"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// nextBatch begins the next batch of this replica.
func (c *committer) nextBatch(stamp tlv.Stamp) tlv.Batch {
	before := c.vector.Entry(c.e.self.id)
	b := tlv.Batch{Replica: c.e.self.id, Prev: before.Stamp, Stamp: stamp, Life: c.e.Life(), Chain: before.Hash}
	if b.Prev == 0 {
		b.Ends, b.End, b.Tail = c.ended.Of, c.ended.End, c.ended.Replica
	}
	return b
}

// ownBatch begins a batch of this replica beside those of flushes. What is pending has earlier stamps, so it is flushed first.
func (c *committer) ownBatch() (b tlv.Batch, err error) {
	if err := c.flush(); err != nil {
		return b, err
	}
	return c.nextBatch(c.e.clock.next(c.e.Now())), nil
}

// convert makes a store of an earlier format one of this: what it published has no hashes, and its log, whose batches say
// nothing of them, goes. Peers that have not got all of it need the state.
func (c *committer) convert() error {
	if c.flags&metaHashes != 0 {
		return nil
	}
	c.flags |= metaHashes
	t := c.begin(0)
	t.deleteAll(store.LogPrefix)
	t.deleteAll(lineagePrefix)
	t.delete([]byte{store.TransferPrefix, 'l'})
	return t.sync()
}

// lineagePrefix began records that only stores of format 3 have.
const lineagePrefix = 'i'

// parseVector reads the vector of a store with these flags.
func parseVector(data []byte, flags uint64) (v tlv.Vector, err error) {
	if flags&metaHashes != 0 {
		return tlv.ParseVector(data)
	}
	body, rest, err := tlv.Expect(data, 'V')
	for err == nil && len(body) > 0 {
		if len(body) < 8 {
			return nil, fmt.Errorf("%w: vector", tlv.ErrMalformed)
		}
		entry := tlv.VectorEntry{Replica: tlv.ReplicaID(binary.LittleEndian.Uint64(body))}
		var stamp uint64
		if stamp, body, err = tlv.TakeZip(body[8:]); err == nil {
			entry.Life, body, err = tlv.TakeZip(body)
		}
		entry.Stamp = tlv.Stamp(stamp)
		v.Put(entry)
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: vector", tlv.ErrMalformed)
	}
	return v, err
}
