package engine

import (
	"strings"
	"testing"

	"atomiccounter/tlv"
)

// TestForgetKeepsWhatIsCancelled: the last batch of a lost replica comes through a third when all before it was deleted and
// forgotten. It counts as much as everywhere, also for one that has the state of the replica that forgot.
func TestForgetKeepsWhatIsCancelled(t *testing.T) {
	a, d := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	lost := newPeer(7)
	first := lost.batch(lost.delta("k", 5))
	last := lost.batch(lost.delta("k", 3))
	for _, m := range []*member{a, d} {
		if err := m.Apply(first); err != nil {
			t.Fatalf("Apply = %v", err)
		}
	}
	a.del("k")
	if !d.pull(a) {
		t.Fatal("the log does not reach back")
	}
	if keys, err := a.Forget(7); keys != 1 || err != nil {
		t.Errorf("Forget = %d, %v; want 1 key", keys, err)
	}
	joins := newMember(t, 3, Options{})
	joins.fetch(a.snapshot(), a.ReplicaID(), 0)
	for _, m := range []*member{a, joins} {
		if err := m.Scrub(); err != nil {
			t.Fatalf("Scrub = %v", err)
		}
	}
	for _, m := range []*member{a, d, joins} {
		if err := m.Apply(last); err != nil {
			t.Fatalf("Apply = %v", err)
		}
		m.shows("k", 3)
	}
}

// TestForgetDropsTexts: what is large of what is cancelled goes, once, and what counts stays.
func TestForgetDropsTexts(t *testing.T) {
	m := newMember(t, 1, Options{})
	stamp := tlv.Stamp(m.Now()) << tlv.StampShift
	text := func(key string) tlv.Delta {
		return tlv.Delta{Key: []byte("\x00" + key), State: tlv.State{Contributions: []tlv.Contribution{{Replica: 7, Birth: stamp, Rev: stamp, Last: stamp,
			HasValue: true, IsText: true, Text: strings.Repeat("x", 1000)}}}}
	}
	if err := m.Apply(&tlv.Batch{Replica: 7, Stamp: stamp, Deltas: []tlv.Delta{text("dead"), text("lives")}}); err != nil {
		t.Fatalf("Apply = %v", err)
	}
	m.del("dead")
	m.flush()
	for _, want := range []int64{1, 0} {
		if keys, err := m.Forget(7); keys != want || err != nil {
			t.Errorf("Forget = %d, %v; want %d", keys, err, want)
		}
	}
	if s := m.stored("dead"); len(tlv.AppendState(nil, &s)) > 80 || s.Reset(7) == nil {
		t.Errorf("of the dead key %+v is stored; want the reset, and no text", s)
	}
	s := m.stored("lives")
	if v := s.View(); len(v.Text) != 1000 {
		t.Errorf("the other key shows %+v; want its text", v)
	}
}
