package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// lineages are how the histories of all replicas came to where the version vector has them, this one's included (tlv.Lineage).
// They change with the vector, in the same commit.
type lineages struct {
	mu sync.Mutex
	of map[tlv.ReplicaID]tlv.Lineage // whose lives are never written to
}

func lineageKey(id tlv.ReplicaID) []byte {
	return binary.BigEndian.AppendUint64([]byte{lineagePrefix}, uint64(id))
}

// readLineages reads them at the start. Of a history whose lineage is not here, or is not that of the vector, only the last
// life is known: who wrote the store kept none.
func (e *Engine) readLineages() error {
	e.lineages.of = make(map[tlv.ReplicaID]tlv.Lineage)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{lineagePrefix}, UpperBound: []byte{lineagePrefix + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			var list []tlv.Lineage
			if list, err = tlv.ParseLineages(v); err == nil && len(list) == 1 {
				e.lineages.of[list[0].Replica] = list[0]
			}
		}
		if err != nil {
			return errors.Join(fmt.Errorf("lineage %x: %w", it.Key()[1:], err), it.Close())
		}
	}
	for _, v := range e.vector {
		e.matchLineage(v)
	}
	return it.Close()
}

// matchLineage makes a lineage that was read go up to the entry of the vector.
func (e *Engine) matchLineage(v tlv.VectorEntry) {
	e.lineages.mu.Lock()
	defer e.lineages.mu.Unlock()
	l, ok := e.lineages.of[v.Replica]
	if l.Stamp = v.Stamp; !ok || l.Entry() != v {
		l = lastLife(v)
	}
	e.lineages.of[v.Replica] = l
}

// lastLife is the lineage of an entry of which nothing else is known.
func lastLife(v tlv.VectorEntry) tlv.Lineage {
	return tlv.Lineage{Replica: v.Replica, Stamp: v.Stamp, Lives: []tlv.Life{{Number: v.Life, Prev: v.Stamp, First: v.Stamp}}}
}

// advance makes the vector and the lineage of b's replica speak of b, in a batch that has its deltas. The caller holds commitMu.
func (e *Engine) advance(batch *pebble.Batch, b *tlv.Batch) error {
	was := e.vector.Entry(b.Replica)
	e.vector.Put(b.Entry())
	e.lineages.mu.Lock()
	l := e.lineages.of[b.Replica]
	if was.Stamp == 0 {
		l = tlv.Lineage{}
	}
	l.Extend(b)
	e.lineages.of[b.Replica] = l
	e.lineages.mu.Unlock()
	if was.Stamp != 0 && was.Life == b.Life {
		return nil // the record has all but the stamp, which the vector has
	}
	return batch.Set(lineageKey(b.Replica), tlv.AppendLineage(nil, &l), nil)
}

// setLineage makes it that of its replica, with the entry of the vector.
func (e *Engine) setLineage(batch *pebble.Batch, l tlv.Lineage) error {
	e.lineages.mu.Lock()
	defer e.lineages.mu.Unlock()
	e.lineages.of[l.Replica] = l
	return batch.Set(lineageKey(l.Replica), tlv.AppendLineage(nil, &l), nil)
}

// Lineage is that of an entry of a version vector of this store. The zero Lineage: it is of none any more.
func (e *Engine) Lineage(entry tlv.VectorEntry) tlv.Lineage {
	e.lineages.mu.Lock()
	defer e.lineages.mu.Unlock()
	l := e.lineages.of[entry.Replica]
	l, _ = l.Upto(entry)
	return l
}

// Lineages are those of all entries of a version vector of this store.
func (e *Engine) Lineages(v tlv.Vector) (list []tlv.Lineage) {
	for _, entry := range v {
		if l := e.Lineage(entry); len(l.Lives) > 0 {
			list = append(list, l)
		}
	}
	return list
}

// lineageOf finds the lineage of a replica in a list; the zero Lineage: it is not there.
func lineageOf(list []tlv.Lineage, id tlv.ReplicaID) tlv.Lineage {
	i := slices.IndexFunc(list, func(l tlv.Lineage) bool { return l.Replica == id })
	if i < 0 {
		return tlv.Lineage{Replica: id}
	}
	return list[i]
}
