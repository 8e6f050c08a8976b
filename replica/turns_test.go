package replica

import (
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// A source that is always busy, because it waits for this replica's state itself, is not waited for for ever.
func TestTurnsGiveUpOnABusySource(t *testing.T) {
	var turns Turns
	begin := time.UnixMilli(0)
	source := Claim{Source: 1}
	other := Claim{Source: 2, Vector: tlv.Vector{{Replica: 7, Stamp: 5}}}
	unfinished := &engine.Transfer{Source: 1, Hold: other.Vector}
	for at := time.Duration(0); at < makeDo; at += time.Second {
		now := begin.Add(at)
		if !turns.Claim("source:1", source, unfinished, now) {
			t.Fatalf("after %v the source is refused", at)
		}
		turns.Moved("source:1", AskSnap{}, now)
		turns.Moved("source:1", Pause{heldPause}, now)
		if got, want := turns.Claim("other:1", other, unfinished, now), at >= takeOver; got != want {
			t.Fatalf("after %v another that has all that the source had gets the turn: %t; want %t", at, got, want)
		}
		turns.Moved("other:1", Pause{}, now)
		if lesser := (Claim{Source: 3}); turns.Claim("lesser:1", lesser, unfinished, now) {
			t.Fatalf("after %v one that has less gets the turn", at)
		}
	}
	if !turns.Claim("lesser:1", Claim{Source: 3}, unfinished, begin.Add(makeDo)) {
		t.Errorf("after %v one that has less does not get the turn", makeDo)
	}
	turns.Moved("lesser:1", MergePage{}, begin.Add(makeDo))
	turns.Moved("lesser:1", Pause{}, begin.Add(makeDo))
	if turns.Idle(begin.Add(makeDo + time.Second)) {
		t.Errorf("a transfer has just gone on, and none seems to come")
	}
}
