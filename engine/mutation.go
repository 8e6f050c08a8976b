package engine

import "atomiccounter/tlv"

// Mutations are mistakes that the simulation of replication must find: one is built in by the tag mutate, to show that
// the simulation bites. Without the tag the compiler leaves nothing of them.
const (
	mergeAdds         = "merge-adds"          // the totals of two contributions of one replica add up
	noGapCheck        = "no-gap-check"        // a batch is applied though those before it are missing
	publishBeforeSync = "publish-before-sync" // peers get a batch that a crash may still take away
	rebirth           = "rebirth"             // a contribution that is cancelled in part is born again
	noJoin            = "no-join"             // what is begun on a key that shows something does not say so
	noHold            = "no-hold"             // batches of lagging replicas are applied in the middle of a state transfer
)

// addUp is the mistake mergeAdds.
func addUp(s, delta *tlv.State) *tlv.State {
	d := delta.Clone()
	for i := range d.Contributions {
		c := &d.Contributions[i]
		if mine := s.Contribution(c.Replica); mine != nil && c.Last != 0 && !c.Closed {
			c.Total = c.Total.Add(mine.Total)
		}
	}
	return &d
}
