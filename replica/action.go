package replica

import (
	"fmt"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// Event is what came of a puller's last action.
type Event interface{ event() }

type (
	// Woken: the link begins, or the pause is over.
	Woken struct{}
	// Synced: the peer has answered AskSync.
	Synced struct {
		Answer  csync.SyncAnswer // but for its batches
		Batches []tlv.Batch
		Err     error     // why what follows them cannot be read
		Sent    time.Time // when it was asked
	}
	// Looked: the store has looked at keys, or cannot now.
	Looked struct {
		Digests engine.Digests
		Err     error
	}
	// Digested: the peer has answered AskDigest.
	Digested struct{ Answer csync.DigestAnswer }
	// Snapped: the peer has answered AskSnap.
	Snapped struct{ Answer csync.SnapAnswer }
	// Declined: the peer has answered with an error.
	Declined struct{ Err csync.Error }
	// Lost: there is no answer, or none that can be read.
	Lost struct{ Err error }
	// Taken: the store has applied so many of the batches. Unless those are all, it has refused the next.
	Taken struct {
		Batches int
		Err     error
	}
	// Done: the store has done what else it was asked, or has refused.
	Done struct{ Err error }
	// Turn answers Claim.
	Turn struct{ Mine bool }
)

func (Woken) event()    {}
func (Synced) event()   {}
func (Looked) event()   {}
func (Digested) event() {}
func (Snapped) event()  {}
func (Declined) event() {}
func (Lost) event()     {}
func (Taken) event()    {}
func (Done) event()     {}
func (Turn) event()     {}

// synced is the event of an answer to a request of that time. A batch that cannot be read spoils only what follows it.
func synced(a csync.SyncAnswer, sent time.Time) Synced {
	ev := Synced{Answer: a, Sent: sent}
	ev.Answer.Batches = nil
	for _, data := range a.Batches {
		b, rest, err := tlv.ParseBatch(data)
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("batch: %d bytes too many", len(rest))
		}
		if err != nil {
			ev.Err = err
			break
		}
		ev.Batches = append(ev.Batches, b)
	}
	return ev
}

// Action is the one thing that a puller wants done next. What comes of it is the next event.
type Action interface{ action() }

type (
	// AskSync sends CSYNC: Synced, Declined or Lost.
	AskSync struct{ csync.SyncRequest }
	// AskSnap sends CSNAP: Snapped, Declined or Lost.
	AskSnap struct{ csync.SnapRequest }
	// Look has the store look at keys, or at a page of them: Looked.
	Look struct {
		Keys []string
		From []byte // where there are no Keys
	}
	// AskDigest sends CDIGEST: Digested, Declined or Lost.
	AskDigest struct{ csync.DigestRequest }
	// Take has the store apply batches in this order, durably, up to the first that it refuses: Taken.
	Take struct{ Batches []tlv.Batch }
	// JoinCluster has the store know what the peer knows of the cluster: Done.
	JoinCluster struct{ Cluster tlv.Cluster }
	// Rename has the store take a new ID, unless it holds the entry for true by now: Done.
	Rename struct{ Entry tlv.VectorEntry }
	// Claim asks for the node's one turn to fetch a state: Turn. The turn is over with the next AskSync or Pause.
	Claim struct {
		Source tlv.ReplicaID
		Brings bool // it has what is lacking here
	}
	// BeginTransfer makes the store know of a snapshot that it is to take in: Done.
	BeginTransfer struct{ Transfer engine.Transfer }
	// MergePage has the store take in a page of it, durably: Done.
	MergePage struct {
		Page, Next []byte
		Done       int64 // keys up to its end
	}
	// FinishTransfer has the store make the snapshot's vector its own: Done.
	FinishTransfer struct{}
	// Pause waits: Woken.
	Pause struct{ For time.Duration }
)

func (AskSync) action()        {}
func (AskSnap) action()        {}
func (Look) action()           {}
func (AskDigest) action()      {}
func (Take) action()           {}
func (JoinCluster) action()    {}
func (Rename) action()         {}
func (Claim) action()          {}
func (BeginTransfer) action()  {}
func (MergePage) action()      {}
func (FinishTransfer) action() {}
func (Pause) action()          {}

// keepsTurn says whether a link that does a keeps the turn that it has claimed.
func keepsTurn(a Action) bool {
	switch a.(type) {
	case AskSync, Pause:
		return false
	}
	return true
}
