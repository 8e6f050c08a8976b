package engine

import (
	"testing"
	"time"

	"atomiccounter/tlv"
)

// A replica that set an expiry while another deleted the key, and then was lost or took a new ID, cannot close what it left.
// After the grace anybody does.
func TestExpiryThatNobodyOwnsIsSwept(t *testing.T) {
	const gone = 7
	for _, c := range []struct {
		ago  time.Duration
		left int // contributions that are not cancelled
	}{{9 * time.Second, 1}, {11 * time.Second, 0}} {
		m := newMember(t, 1, Options{})
		at := m.Now() - c.ago.Milliseconds()
		stamp := tlv.Stamp(m.Now()) << tlv.StampShift
		b := &tlv.Batch{Replica: gone, Stamp: stamp, Deltas: []tlv.Delta{{Key: []byte("\x00k"), State: tlv.State{Contributions: []tlv.Contribution{
			{Replica: gone, Birth: stamp, Rev: stamp, Kind: tlv.ZCounter, Expiry: tlv.Expiry{Stamp: stamp, At: at}}}}}}}
		if err := m.Apply(b); err != nil {
			t.Fatalf("Apply = %v", err)
		}
		for range 2 {
			if err := m.Sweep(); err != nil {
				t.Fatalf("Sweep = %v", err)
			}
			m.flush()
		}
		state := m.stored("k")
		open := 0
		for i := range state.Contributions {
			if state.Open(&state.Contributions[i]) {
				open++
			}
		}
		if open != c.left {
			t.Errorf("%v after the expiry %+v is stored; want %d that is not cancelled", c.ago, state, c.left)
		}
	}
}

// stored is the state that the database has of a key.
func (m *member) stored(key string) tlv.State {
	m.t.Helper()
	s := m.snapshot()
	page, _, _, err := s.Page(nil, 1<<20)
	if err != nil {
		m.t.Fatalf("Page = %v", err)
	}
	deltas, err := tlv.ParseDeltas(page)
	if err != nil {
		m.t.Fatalf("ParseDeltas = %v", err)
	}
	for _, d := range deltas {
		if string(d.Key) == "\x00"+key {
			return d.State
		}
	}
	return tlv.State{}
}
