package replica

import (
	"errors"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// page is one of the snapshot "s" of ten keys.
func page(done int64, next string) csync.SnapAnswer {
	return csync.SnapAnswer{ID: theirs, Snapshot: "s", Vector: peerHas(), Keys: 10, Done: done, Next: []byte(next), Page: []byte{byte(done)}}
}

func merge(a csync.SnapAnswer) MergePage { return MergePage{Page: a.Page, Next: a.Next, Done: a.Done} }

// TestPullerTransfers: what comes of a state transfer, whatever comes in between.
func TestPullerTransfers(t *testing.T) {
	claim, first, last := Claim{theirs, true}, page(5, "c"), page(10, "")
	begin := BeginTransfer{engine.Transfer{Source: theirs, Snapshot: "s", Vector: peerHas(), Keys: 10}}
	under := func(change func(*engine.Transfer)) func(*Self) { // a transfer is under way
		tr := engine.Transfer{Source: theirs, Snapshot: "s", Cursor: []byte("c"), Vector: peerHas(), Keys: 10, Done: 5}
		change(&tr)
		return func(s *Self) { s.Transfer = &tr }
	}
	half := under(func(*engine.Transfer) {})
	opened := func(t Event) moment { return moment{Event: t, store: under(func(t *engine.Transfer) { t.Done = 0 })} }
	ended := moment{Event: Done{}, store: func(s *Self) { s.Transfer = nil }}
	claimed := func(then ...exchange) []exchange { // and it is this link's turn
		return append([]exchange{{needState, claim}, {Turn{true}, askSnap("", "")}}, then...)
	}
	resumed := func(then ...exchange) []exchange {
		return append([]exchange{{answers(0), claim}, {Turn{true}, askSnap("s", "c")}}, then...)
	}
	snapped := func(change func(*csync.SnapAnswer)) Snapped {
		a := last
		change(&a)
		return Snapped{a}
	}
	converse(t, []conversation{
		{"whole", nil, claimed(
			exchange{Snapped{first}, begin},
			exchange{opened(Done{}), merge(first)},
			exchange{Done{}, askSnap("s", "c")},
			exchange{Snapped{last}, merge(last)},
			exchange{Done{}, FinishTransfer{}},
			exchange{ended, ask(0)}), syncing, "III"},
		{"it is another's turn", nil, []exchange{{needState, claim}, {Turn{false}, Pause{heldPause}}, {Woken{}, ask(blockTime)}}, Held, "I"},
		{"another's turn, and batches flow", half, []exchange{{answers(0), claim}, {Turn{false}, ask(heldPause, theirs, third)}}, Held, "I"},
		{"goes on", half, resumed(exchange{Snapped{last}, merge(last)}, exchange{Done{}, FinishTransfer{}}), transferring, "II"},
		{"only the end is missing", under(func(t *engine.Transfer) { t.Complete = true }),
			[]exchange{{answers(0), claim}, {Turn{true}, FinishTransfer{}}, {ended, ask(0)}}, syncing, "III"},
		{"that of another peer is replaced", under(func(t *engine.Transfer) { t.Source = third }),
			claimed(exchange{Snapped{first}, begin}), transferring, "II"},
		{"the snapshot is gone", half, resumed(
			exchange{Declined{"NOSNAPSHOT \"s\""}, askSnap("", "")},
			exchange{Snapped{first}, begin}), transferring, "III"},
		{"gone before it was there", nil, claimed(exchange{Declined{"NOSNAPSHOT \"s\""}, Pause{firstPause}}), Refused, "IIW"},
		{"the peer is busy", nil, claimed(exchange{Declined{"BUSY ask again"}, Pause{heldPause}}, exchange{Woken{}, ask(0)}), Held, "III"},
		{"the link is cut", half, resumed(exchange{Lost{errors.New("x")}, Pause{firstPause}}, exchange{Woken{}, ask(0, theirs, third)},
			exchange{answers(0), claim}, exchange{Turn{true}, askSnap("s", "c")}), transferring, "IIWI"},
		{"a page of another replica", nil, claimed(exchange{snapped(func(a *csync.SnapAnswer) { a.ID = third }), Pause{firstPause}}), down, "IIW"},
		{"a page of another snapshot", half, resumed(exchange{snapped(func(a *csync.SnapAnswer) { a.Snapshot = "z" }), Pause{firstPause}}), down, "IIW"},
		{"a page from before", half, resumed(exchange{snapped(func(a *csync.SnapAnswer) { a.Done = 4 }), Pause{firstPause}}), down, "IIW"},
		{"a page that gets nowhere", half, resumed(exchange{snapped(func(a *csync.SnapAnswer) { a.Done, a.Next = 5, []byte("c") }), Pause{firstPause}}), down, "IIW"},
		{"a first page that gets nowhere", nil, claimed(exchange{snapped(func(a *csync.SnapAnswer) { a.Done, a.Next = 0, []byte("c") }), Pause{firstPause}}), down, "IIW"},
		{"an end without a page", half, resumed(exchange{Snapped{page(5, "")}, merge(page(5, ""))}, exchange{Done{}, FinishTransfer{}}), transferring, "II"},
		{"a snapshot with what this replica never did", nil, claimed(
			exchange{snapped(func(a *csync.SnapAnswer) { a.Vector = tlv.Vector{at(mine, 51)} }), Rename{at(mine, 51)}},
			exchange{Done{}, ask(0)}), forked, "IIE"},
		{"the store will not begin it: another's may do", nil, claimed(exchange{Snapped{first}, begin},
			exchange{Done{engine.ErrHeld}, Pause{firstPause}}), Held, "IIW"},
		{"it has another history of a replica", nil, claimed(exchange{Snapped{first}, begin},
			exchange{Done{engine.ErrFork}, Pause{firstPause}}), forked, "IIE"},
		{"its stamps are too far ahead", nil, claimed(exchange{Snapped{first}, begin},
			exchange{Done{engine.ErrClock}, Pause{firstPause}}), Refused, "IIE"},
		{"the disk is full at its beginning", nil, claimed(exchange{Snapped{first}, begin},
			exchange{Done{engine.ErrNoSpace}, Pause{firstPause}}), down, "IIE"},
		{"a malformed page", half, resumed(exchange{Snapped{last}, merge(last)}, exchange{Done{tlv.ErrMalformed}, Pause{firstPause}}), down, "IIW"},
		{"the disk is full at its end", half, resumed(exchange{Snapped{last}, merge(last)}, exchange{Done{}, FinishTransfer{}},
			exchange{Done{engine.ErrNoSpace}, Pause{firstPause}}), down, "IIE"},
	})
}

// Until the vector covers it, and while one is under way, a snapshot is taken.
func TestSnapshotThatBringsSomething(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func(s *Self)
	}{
		{"the vector lacks some of it", func(s *Self) { s.Vector = tlv.Vector{{Replica: 2, Stamp: 899}} }},
		{"one is under way", func(s *Self) { s.Transfer = &engine.Transfer{Source: 3} }},
	} {
		d := pull(t)
		d.self.Vector = tlv.Vector{{Replica: 2, Stamp: 900, Life: 22}}
		c.of(&d.self)
		answer := d.answer()
		answer.Answer.NeedState = true
		d.asks(Woken{})
		d.step(answer)
		d.step(Turn{true})
		a, _ := d.step(Snapped{csync.SnapAnswer{ID: 2, Snapshot: "s", Vector: tlv.Vector{{Replica: 2, Stamp: 900, Life: 22}}}})
		if _, begins := a.(BeginTransfer); !begins {
			t.Errorf("%s: it does %#v; want a transfer", c.name, a)
		}
	}
}

// The lag grows for as long as a transfer takes, and when that is cut.
func TestLagDuringATransfer(t *testing.T) {
	d := pull(t)
	answer := d.answer()
	answer.Answer.NeedState, answer.Answer.Vector = true, tlv.Vector{{Replica: 2, Stamp: 900, Life: 22}}
	want := func(what string, ms int64) {
		t.Helper()
		if got := d.p.LagMillis(d.now); got != ms {
			t.Errorf("%s: a lag of %d ms; want %d", what, got, ms)
		}
	}
	d.asks(Woken{})
	d.step(answer)
	want("at the answer", 0)
	d.step(Turn{true})
	d.step(Snapped{csync.SnapAnswer{ID: 2, Snapshot: "s", Vector: answer.Answer.Vector, Keys: 10, Done: 5, Next: []byte("x")}})
	d.now = d.now.Add(3 * time.Second)
	want("3 s later", 3000)
	d.step(Lost{csync.ErrReply})
	d.now = d.now.Add(time.Second)
	want("a second after a cut", 4000)
}
