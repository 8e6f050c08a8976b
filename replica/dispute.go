package replica

import (
	"fmt"
	"log/slog"
	"slices"

	"atomiccounter/tlv"
)

// dispute is about a replica of which the peer has another history than this store.
type dispute struct {
	replica tlv.ReplicaID
	lost    bool // the peer's counts: its state has to be fetched, which brings that. Otherwise the peer fetches this store's
}

func (d *dispute) why() string {
	whose := "this store's counts, and the peer is to fetch it"
	if d.lost {
		whose = "the peer's counts, and is to be fetched"
	}
	return fmt.Sprintf("replica %s has forked, and the peer has another history of it than this store: %s", name(d.replica), whose)
}

func (p *Puller) disputed(id tlv.ReplicaID) bool {
	return slices.ContainsFunc(p.disputes, func(d dispute) bool { return d.replica == id })
}

// compareHistories finds out about which replicas peer and store differ (tlv.Lineage.Conflict). True: the peer was asked for
// batches of one of them, and does not know that none is of use.
func (p *Puller) compareHistories(list []tlv.Lineage) (again bool) {
	before := p.disputes
	p.disputes = nil
	asked, _ := p.last.(AskSync)
	for i := range list {
		c := p.conflict(&list[i])
		if c == 0 {
			continue
		}
		d := dispute{list[i].Replica, c < 0}
		p.disputes = append(p.disputes, d)
		again = again || !slices.Contains(asked.Except, d.replica)
		if !slices.Contains(before, d) {
			p.say(slog.LevelError, "a replica has two histories", "replica", name(d.replica), "err", d.why())
		}
	}
	return again
}

// loses says whether one of these histories counts, and this store has another.
func (p *Puller) loses(list []tlv.Lineage) bool {
	return slices.ContainsFunc(list, func(theirs tlv.Lineage) bool { return p.conflict(&theirs) < 0 })
}

// conflict is tlv.Lineage.Conflict of the history that is here and another. About this replica's own there is none: see Self.True.
func (p *Puller) conflict(theirs *tlv.Lineage) int {
	if theirs.Replica == p.self.ID {
		return 0
	}
	mine := p.self.Lineage(p.self.Vector.Entry(theirs.Replica))
	return mine.Conflict(theirs)
}
