package replica

import (
	"time"

	"atomiccounter/engine"
)

// A transfer that is not finished waits for its source so long, before the state of another peer is fetched that has anything that
// is lacking here, and so long before that of any other. What came of it is published then (package engine), so all that is lost is time.
const (
	takeOver = 3 * time.Second
	makeDo   = time.Minute
)

// forgetful is after how long without a claim the time before does not count: none was wanted, or the process stood still.
const forgetful = 3 * blockTime

// turns has one link at a time fetch a state.
type turns struct {
	holder  string    // address of the link whose turn it is; "": none's
	moved   time.Time // when a transfer last went on, or was first wanted
	claimed time.Time // when one was last wanted
}

// Claim says whether the link to addr may fetch the state of its peer.
func (t *turns) Claim(addr string, c Claim, unfinished *engine.Transfer, now time.Time) bool {
	if t.moved.IsZero() || now.Sub(t.claimed) > forgetful {
		t.moved = now
	}
	t.claimed = now
	if t.holder != "" && t.holder != addr || unfinished != nil && !t.suits(c, unfinished, now) {
		return false
	}
	t.holder = addr
	return true
}

// suits says whether a peer may take the place of the source of a transfer.
func (t *turns) suits(c Claim, unfinished *engine.Transfer, now time.Time) bool {
	idle := now.Sub(t.moved)
	switch {
	case c.Source == unfinished.Source:
		return true
	case c.Brings:
		return idle >= takeOver
	}
	return idle >= makeDo
}

// Idle says that no transfer has gone on for so long that none seems to come.
func (t *turns) Idle(now time.Time) bool {
	if t.moved.IsZero() {
		t.moved = now
	}
	return now.Sub(t.moved) >= takeOver
}

// Moved notes what the link to addr does next.
func (t *turns) Moved(addr string, a Action, now time.Time) {
	if t.holder != addr {
		return
	}
	switch a.(type) {
	case MergePage, FinishTransfer: // to ask, and to hear that the peer is busy, is not to go on
		t.moved = now
	}
	if !keepsTurn(a) {
		t.holder = ""
	}
}
