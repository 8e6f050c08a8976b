package replica

import (
	"slices"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// Whose turn it is to fetch a state, step by step; times are those since the last step.
func TestTurns(t *testing.T) {
	begun := &engine.Transfer{Source: theirs}
	claims := func(source tlv.ReplicaID) Claim { return Claim{source, true} }
	less := Claim{third, false}
	type step struct {
		after      time.Duration
		addr       string
		claim      Claim  // if it is one
		does       Action // otherwise
		unfinished *engine.Transfer
		want       bool
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"the first comes first", []step{
			{addr: "a", claim: claims(theirs), want: true},
			{addr: "b", claim: claims(third)},
			{addr: "a", claim: claims(theirs), want: true}}},
		{"until it asks for batches", []step{
			{addr: "a", claim: claims(theirs), want: true},
			{addr: "a", does: MergePage{}},
			{addr: "b", claim: claims(third)},
			{addr: "a", does: AskSync{}},
			{addr: "b", claim: claims(third), want: true}}},
		{"or pauses", []step{
			{addr: "a", claim: claims(theirs), want: true},
			{addr: "a", does: Pause{}},
			{addr: "b", claim: claims(third), want: true}}},
		{"what others do is nothing to it", []step{
			{addr: "a", claim: claims(theirs), want: true},
			{addr: "b", does: Pause{}},
			{addr: "b", claim: claims(third)}}},
		{"a transfer waits for its source", []step{
			{addr: "b", claim: claims(third), unfinished: begun},
			{after: takeOver - 1, addr: "b", claim: claims(third), unfinished: begun},
			{addr: "a", claim: claims(theirs), unfinished: begun, want: true}}},
		{"and then takes who has as much", []step{
			{addr: "b", claim: claims(third), unfinished: begun},
			{after: takeOver, addr: "b", claim: claims(third), unfinished: begun, want: true}}},
		{"for so long since it last went on", []step{
			{addr: "a", claim: claims(theirs), unfinished: begun, want: true},
			{after: takeOver, addr: "a", does: MergePage{}},
			{addr: "b", claim: claims(third), unfinished: begun},
			{addr: "a", does: Pause{}},
			{after: takeOver - 1, addr: "b", claim: claims(third), unfinished: begun},
			{after: 1, addr: "b", claim: claims(third), unfinished: begun, want: true}}},
		{"and in the end anybody", slices.Concat(
			[]step{{addr: "b", claim: less, unfinished: begun}},
			slices.Repeat([]step{{after: takeOver, addr: "b", claim: less, unfinished: begun}}, int(makeDo/takeOver)-1),
			[]step{{after: takeOver - 1, addr: "b", claim: less, unfinished: begun},
				{after: 1, addr: "b", claim: less, unfinished: begun, want: true}})},
	} {
		var turns turns
		now := time.UnixMilli(1000)
		for i, s := range c.steps {
			now = now.Add(s.after)
			if s.does != nil {
				turns.Moved(s.addr, s.does, now)
			} else if got := turns.Claim(s.addr, s.claim, s.unfinished, now); got != s.want {
				t.Errorf("%s: step %d, Claim(%s) = %t; want %t", c.name, i, s.addr, got, s.want)
			}
		}
	}
}

// Which actions end a turn: each is named here.
func TestKeepsTurn(t *testing.T) {
	for _, c := range []struct {
		a    Action
		want bool
	}{
		{AskSync{}, false}, {Pause{}, false}, {AskSnap{}, true}, {Take{}, true}, {Rename{}, true}, {Claim{}, true},
		{BeginTransfer{}, true}, {MergePage{}, true}, {FinishTransfer{}, true},
	} {
		if got := keepsTurn(c.a); got != c.want {
			t.Errorf("keepsTurn(%T) = %t; want %t", c.a, got, c.want)
		}
	}
}

func TestTurnsAreIdle(t *testing.T) {
	var turns turns
	now := time.UnixMilli(1000)
	if turns.Idle(now) || turns.Idle(now.Add(takeOver-1)) || !turns.Idle(now.Add(takeOver)) {
		t.Errorf("not idle after %v since it was first asked", takeOver)
	}
	now = now.Add(takeOver)
	turns.Claim("a", Claim{}, nil, now)
	turns.Moved("b", MergePage{}, now.Add(takeOver)) // not its turn
	if turns.Idle(now.Add(takeOver-1)) || !turns.Idle(now.Add(takeOver)) {
		t.Errorf("not idle after %v since the last step of who has the turn", takeOver)
	}
}

// A source that is always busy, because it waits for this replica's state itself, is not waited for for ever.
func TestTurnsGiveUpOnABusySource(t *testing.T) {
	var turns turns
	begin := time.UnixMilli(0)
	source := Claim{Source: 1}
	other := Claim{Source: 2, Brings: true}
	unfinished := &engine.Transfer{Source: 1}
	for at := time.Duration(0); at < makeDo; at += time.Second {
		now := begin.Add(at)
		if !turns.Claim("source:1", source, unfinished, now) {
			t.Fatalf("after %v the source is refused", at)
		}
		turns.Moved("source:1", AskSnap{}, now)
		turns.Moved("source:1", Pause{heldPause}, now)
		if got, want := turns.Claim("other:1", other, unfinished, now), at >= takeOver; got != want {
			t.Fatalf("after %v another that has what is lacking gets the turn: %t; want %t", at, got, want)
		}
		turns.Moved("other:1", Pause{}, now)
		if lesser := (Claim{Source: 3}); turns.Claim("lesser:1", lesser, unfinished, now) {
			t.Fatalf("after %v one that brings nothing gets the turn", at)
		}
	}
	if !turns.Claim("lesser:1", Claim{Source: 3}, unfinished, begin.Add(makeDo)) {
		t.Errorf("after %v one that brings nothing does not get the turn", makeDo)
	}
	turns.Moved("lesser:1", MergePage{}, begin.Add(makeDo))
	turns.Moved("lesser:1", Pause{}, begin.Add(makeDo))
	if turns.Idle(begin.Add(makeDo + time.Second)) {
		t.Errorf("a transfer has just gone on, and none seems to come")
	}
}
