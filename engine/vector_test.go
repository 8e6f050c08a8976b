package engine

import (
	"testing"

	"atomiccounter/tlv"
)

func TestTokensCoverWhatShows(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	p := a.NewPipeline()
	stamp := func() tlv.Stamp {
		t.Helper()
		s, err := p.Written()
		must(t, nil, err)
		return s
	}
	if s := stamp(); s != 0 {
		t.Errorf("Written before a write = %d", s)
	}
	if _, err := p.Incr([]byte("k"), 1); err != nil {
		t.Fatal(err)
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	written, seen := stamp(), a.Seen()
	if own := a.Vector().Entry(a.ReplicaID()).Stamp; own >= written || a.Vector().Covers(seen) {
		t.Errorf("before the flush: written %d, vector %v, seen %v", written, a.Vector(), seen)
	}
	a.flush()
	if own := a.Vector().Entry(a.ReplicaID()).Stamp; own < written || !a.Vector().Covers(seen) {
		t.Errorf("after the flush: written %d, vector %v, seen %v", written, a.Vector(), seen)
	}
	if stamp() > a.Vector().Entry(a.ReplicaID()).Stamp || !a.Vector().Covers(a.Seen()) {
		t.Errorf("with nothing pending: written %d, seen %v, vector %v", stamp(), a.Seen(), a.Vector())
	}
	if b.Vector().Covers(seen) {
		t.Errorf("%v covers %v", b.Vector(), seen)
	}
	b.pull(a)
	if !b.Vector().Covers(seen) {
		t.Errorf("%v does not cover %v", b.Vector(), seen)
	}
}
