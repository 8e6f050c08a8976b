package engine

import (
	"testing"

	"atomiccounter/tlv"
)

// A batch stands in the log a moment before the version vector speaks of it. Until then no peer gets it.
func TestLogGivesWhatTheVectorHas(t *testing.T) {
	r := replicationLog{of: make(map[tlv.ReplicaID][]logged)}
	for stamp := tlv.Stamp(1); stamp <= 4; stamp++ {
		r.add(logged{replica: 7, prev: stamp - 1, stamp: stamp})
	}
	for _, c := range []struct{ at, have, last tlv.Stamp }{{0, 4, 4}, {0, 3, 3}, {1, 2, 2}, {2, 2, 0}, {3, 2, 0}} {
		list, behind := r.after(tlv.Vector{{Replica: 7, Stamp: c.at}}, tlv.Vector{{Replica: 7, Stamp: c.have}}, 0)
		last := tlv.Stamp(0)
		if len(list) > 0 {
			last = list[len(list)-1].stamp
		}
		if behind != 0 || last != c.last {
			t.Errorf("after %d of %d the log gives all up to %d, behind %x; want up to %d", c.at, c.have, last, behind, c.last)
		}
	}
}
