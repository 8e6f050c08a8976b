package engine

import (
	"testing"

	"atomiccounter/tlv"
)

// peer is another replica as its batches show it.
type peer struct {
	id     tlv.ReplicaID
	stamp  tlv.Stamp
	births map[string]tlv.Stamp
	totals map[string]tlv.Int128
}

func newPeer(id tlv.ReplicaID) *peer {
	return &peer{id: id, stamp: 1 << 30, births: map[string]tlv.Stamp{}, totals: map[string]tlv.Int128{}}
}

// delta is what the next batch says after an increment of key by n.
func (p *peer) delta(key string, n int64) tlv.Delta {
	next := p.stamp + 1
	if p.births[key] == 0 {
		p.births[key] = next
	}
	p.totals[key] = p.totals[key].Add(tlv.FromInt64(n))
	c := tlv.Contribution{Replica: p.id, Rev: next, Birth: p.births[key], Last: next, Total: p.totals[key]}
	return tlv.Delta{Key: []byte("\x00" + key), State: tlv.State{Contributions: []tlv.Contribution{c}}}
}

// batch publishes deltas that were made since the last.
func (p *peer) batch(deltas ...tlv.Delta) *tlv.Batch {
	b := &tlv.Batch{Replica: p.id, Prev: p.stamp, Stamp: p.stamp + 1, Deltas: deltas}
	if b.Prev == 1<<30 {
		b.Prev = 0
	}
	p.stamp++
	return b
}

// add brings an increment to e.
func (p *peer) add(t *testing.T, e *Engine, key string, n int64) {
	t.Helper()
	if err := e.Apply(p.batch(p.delta(key, n))); err != nil {
		t.Fatalf("Apply(%q, %d) = %v", key, n, err)
	}
}
