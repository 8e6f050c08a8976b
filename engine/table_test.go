package engine

import (
	"fmt"
	"testing"

	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// TestForeignCountsIntoTheCache: what other replicas contributed takes memory, and the cache says so.
func TestForeignCountsIntoTheCache(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	const keys = 100
	for i := range keys {
		a.add(fmt.Sprint(i), 1)
		b.add(fmt.Sprint(i), 1)
	}
	a.flush()
	b.flush()
	before := a.Stats()
	a.pull(b)
	a.Refresh()
	foreign := state.Key{Foreign: &state.Foreign{Other: tlv.State{Contributions: make([]tlv.Contribution, 1)}}}
	least := int64(keys * foreign.Size())
	if after := a.Stats(); after.CacheEntries != before.CacheEntries || after.CacheBytes-before.CacheBytes < least {
		t.Errorf("%d entries count %d bytes more; want at least %d", after.CacheEntries, after.CacheBytes-before.CacheBytes, least)
	}
	dropCache(a.Engine)
	if got := a.Stats().CacheBytes; got != 0 {
		t.Errorf("%d bytes are counted in an empty cache", got)
	}
}
