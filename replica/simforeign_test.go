package replica

import (
	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// A device keeps a counter of its own. What it has counted is merged now and then, at any replica, also what is out of date, into
// two keys: one that nobody else writes, and one that is deleted now and then.
const (
	sent      = "sent"
	harvested = "harvested"
	device    = tlv.ReplicaID(77)
)

func (w *simWorld) mergeOrHarvest(r *simReplica) {
	if w.rng.IntN(4) == 0 {
		r.do("DEL "+harvested, func(p *engine.Pipeline) error {
			_, err := p.Del([][]byte{[]byte(harvested)})
			return err
		})
		return
	}
	if w.rng.IntN(3) > 0 {
		w.sent += 1 + w.rng.Int64N(9)
	}
	w.merge(r, w.sent-min(w.sent-1, w.rng.Int64N(20)))
}

// merge has a replica merge what the device had when it had counted so far.
func (w *simWorld) merge(r *simReplica, total int64) {
	r.flush() // the batch of the merge has nothing else
	rev := tlv.Stamp(total)
	s := tlv.State{Contributions: []tlv.Contribution{{Replica: device, Birth: 1, Rev: rev, Last: rev, Total: tlv.FromInt64(total)}}}
	var deltas []tlv.Delta
	for _, key := range []string{sent, harvested} {
		deltas = append(deltas, tlv.Delta{Key: enginetest.Key(key), State: s.Abroad(5)})
	}
	if err := r.e.Merge(deltas); err != nil {
		w.fail("%s: Merge = %v", r.name, err)
	}
	w.merged = max(w.merged, total)
	w.trace("%s merges %d", r.name, total)
	r.landing = true // it is no write of the ghost's, and may have flushed before
	r.watch()
	r.landing = false
}

// checkMerged checks that all have the last that was merged, once.
func (w *simWorld) checkMerged() {
	_, first := w.replicas[0].look(harvested)
	for _, r := range w.replicas {
		if s, v := r.look(sent); v.Sum != tlv.FromInt64(w.merged) {
			w.fail("%s: of a device's %d it shows %+v: %+v", r.name, w.merged, v, s)
		}
		if s, v := r.look(harvested); v.Sum != first.Sum || v.Exists != first.Exists {
			w.fail("%s shows %+v of a device whose count was deleted; %s shows %+v: %+v", r.name, v, w.replicas[0].name, first, s)
		}
	}
}
