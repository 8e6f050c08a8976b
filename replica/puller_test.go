package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// Replicas of the tables.
const (
	mine   tlv.ReplicaID = 1
	theirs tlv.ReplicaID = 2 // the peer's
	third  tlv.ReplicaID = 3
)

var needState = changed(func(a *csync.SyncAnswer) { a.NeedState = true })

const firstPause = minBackoff / 2

// The first request does not wait, so that the peer confirms at once what it has of this replica.
func TestPullerBegins(t *testing.T) {
	newTalk(t).run("begins", []exchange{{Woken{}, ask(0)}})
	unsure := func(s *Self) { s.Confirmed = false }
	sure := func(s *Self) { s.Confirmed = true }
	again := ask(0) // of what it has of this replica alone
	again.Bytes = 1
	converse(t, []conversation{
		{"no news", nil, []exchange{{answers(0), ask(blockTime)}, {answers(0), ask(blockTime)}}, syncing, "I"},
		{"nothing is taken before the store is sure of itself", unsure, []exchange{
			{answers(0, batch(theirs, 10, 20)), Pause{shortPause}},
			{Woken{}, again},
			{answers(0, batch(theirs, 10, 20)), Pause{shortPause}},
			{moment{Event: Woken{}, store: sure}, ask(0)},
			{answers(0, batch(theirs, 10, 20)), takes(batch(theirs, 10, 20))},
		}, confirming, "I"},
		{"what the peer has of this replica is asked for again after it was lost", unsure, []exchange{
			{Lost{errors.New("x")}, Pause{firstPause}},
			{Woken{}, ask(0)},
		}, down, "W"},
		{"it has vouched once and for all", unsure, []exchange{
			{answers(0), Pause{shortPause}},
			{moment{Event: Woken{}, store: sure}, ask(0)},
			{Lost{errors.New("x")}, Pause{firstPause}},
			{moment{Event: Woken{}, store: unsure}, again},
		}, down, "IW"},
	})
}

func TestPullerTakesBatches(t *testing.T) {
	one, two, other := batch(theirs, 10, 20), batch(theirs, 20, 30), batch(third, 10, 20)
	many := func(from, n int) (list []tlv.Batch) {
		for i := range tlv.Stamp(n) {
			list = append(list, batch(theirs, tlv.Stamp(from)+i+10, tlv.Stamp(from)+i+11))
		}
		return list
	}
	large, after := batch(theirs, 20, 30), batch(theirs, 30, 40)
	large.Deltas = make([]tlv.Delta, maxTake)
	take := func(err error, then ...exchange) []exchange { // the first of two is received so
		return append([]exchange{{answers(0, other, one), takes(other, one)}, {Taken{0, err}, takes(one)}}, then...)
	}
	broken := func(err error) []exchange {
		return []exchange{{answers(0, other, one), takes(other, one)}, {Taken{0, err}, Pause{firstPause}}, {Woken{}, ask(0)}}
	}
	converse(t, []conversation{
		{"in order", nil, []exchange{{answers(0, one, two), takes(one, two)}, {Taken{2, nil}, ask(blockTime)}}, syncing, "I"},
		{"as many together as may be", nil, []exchange{{answers(0, many(0, engine.MaxApply+1)...), takes(many(0, engine.MaxApply)...)},
			{Taken{engine.MaxApply, nil}, takes(many(engine.MaxApply, 1)...)}, {Taken{1, nil}, ask(blockTime)}}, syncing, "I"},
		{"large ones not together", nil, []exchange{{answers(0, one, large, after), takes(one, large)}, {Taken{2, nil}, takes(after)}}, syncing, "I"},
		{"what is refused lies between", nil, []exchange{{answers(0, other), takes(other)}, {Taken{0, engine.ErrFork}, ask(blockTime, third)},
			{answers(0, one, batch(third, 20, 30), two), takes(one)}, {Taken{1, nil}, takes(two)}, {Taken{1, nil}, ask(blockTime, third)}}, forked, "IE"},
		{"the second is refused", nil, []exchange{{answers(0, one, other, two), takes(one, other, two)}, {Taken{1, engine.ErrHeld}, takes(two)},
			{Taken{1, nil}, ask(blockTime, third)}}, Held, "I"},
		{"more is asked for at once", nil, []exchange{{answers(2, one), takes(one)}, {Taken{1, nil}, ask(0)}}, syncing, "I"},
		{"the acknowledgement is the vector that results", nil, []exchange{{answers(0, one), takes(one)},
			{moment{Event: Taken{1, nil}, store: func(s *Self) { s.Vector = tlv.Vector{at(theirs, 20)} }}, ask(blockTime)}}, syncing, "I"},
		{"held back: not asked for, for a second", nil, take(engine.ErrHeld,
			exchange{Taken{1, nil}, ask(blockTime, third)},
			exchange{moment{Event: answers(0), after: heldPause - 1}, ask(blockTime, third)},
			exchange{moment{Event: answers(0), after: 1}, ask(blockTime)}), Held, "I"},
		{"held back, and it comes by another way", nil, take(engine.ErrHeld,
			exchange{moment{Event: Taken{1, nil}, store: func(s *Self) { s.Vector = peerHas() }}, ask(blockTime)}), syncing, "I"},
		{"a fork: not for ten seconds, others flow", nil, take(engine.ErrFork,
			exchange{Taken{1, nil}, ask(blockTime, third)},
			exchange{moment{Event: answers(0, batch(third, 20, 30), two), after: maxBackoff - 1}, takes(two)},
			exchange{Taken{1, nil}, ask(blockTime, third)},
			exchange{moment{Event: answers(0, other), after: 1}, takes(other)},
			exchange{Taken{0, engine.ErrFork}, ask(blockTime, third)}), forked, "IE"},
		{"a fork, until the peer was away", nil, take(engine.ErrFork,
			exchange{Taken{1, nil}, ask(blockTime, third)},
			exchange{Lost{errors.New("x")}, Pause{firstPause}},
			exchange{Woken{}, ask(0)}), down, "IEW"},
		{"a clock far ahead: not for ten seconds", nil, take(engine.ErrClock,
			exchange{Taken{1, nil}, ask(blockTime, third)},
			exchange{moment{Event: answers(0, other), after: maxBackoff - 1}, ask(blockTime, third)},
			exchange{moment{Event: answers(0, other), after: 1}, takes(other)},
			exchange{Taken{0, engine.ErrClock}, ask(blockTime, third)}), Refused, "IE"},
		{"a clock far ahead that comes right", nil, take(engine.ErrClock,
			exchange{Taken{1, nil}, ask(blockTime, third)},
			exchange{moment{Event: answers(0, other), after: maxBackoff}, takes(other)},
			exchange{Taken{1, nil}, ask(blockTime)}), syncing, "IE"},
		{"a gap: asked again at once", nil, take(engine.ErrGap, exchange{Taken{1, nil}, ask(0)}), syncing, "I"},
		{"a gap twice: it takes the state", nil, take(engine.ErrGap,
			exchange{Taken{1, nil}, ask(0)}, exchange{answers(0, other), takes(other)}, exchange{Taken{0, engine.ErrGap}, Claim{theirs, true}}), syncing, "I"},
		{"a gap twice, but not in a row", nil, take(engine.ErrGap,
			exchange{Taken{1, nil}, ask(0)}, exchange{answers(0, one), takes(one)}, exchange{Taken{1, nil}, ask(blockTime)},
			exchange{answers(0, other), takes(other)}, exchange{Taken{0, engine.ErrGap}, ask(0)}), syncing, "I"},
		{"the store is closed", nil, broken(engine.ErrClosed), down, "IE"},
		{"the store has failed", nil, broken(engine.ErrFailed), down, "IE"},
		{"the disk is full", nil, broken(engine.ErrNoSpace), down, "IE"},
		{"the store takes it for malformed", nil, broken(tlv.ErrMalformed), down, "IW"},
	})
}

// What the store holds back until the end of a state transfer is not asked for.
func TestPullerExcepts(t *testing.T) {
	k := newTalk(t)
	k.self.Transfer = &engine.Transfer{Source: third, Vector: tlv.Vector{at(mine, 90), at(theirs, 10), at(third, 95)}}
	k.run("held", []exchange{{Woken{}, ask(0, third)}, {answers(0), Claim{theirs, true}}, {Turn{false}, ask(heldPause, third)}})
}

// Every error that a peer may reply with, and what the link shows, says and does.
func TestPullerDeclined(t *testing.T) {
	for _, c := range []struct {
		reply csync.Error
		state State
		level string
		pause time.Duration
	}{
		{"SELF this is the replica that asks", itself, "", selfPause},
		{"DUPLICATE replica 0000000000000001 is my own ID", duplicate, "E", firstPause},
		{"FORKED replica 0000000000000002 has two histories", forked, "E", firstPause},
		{"NOSNAPSHOT \"s\" is not kept here", Refused, "W", firstPause}, // nobody has asked for one
		{"BUSY ask again", Held, "I", heldPause},
		{csync.VersionError("CSYNC", csync.Version), Refused, "E", firstPause},
		{"ERR unknown command 'CSYNC'", Refused, "W", firstPause},
		{"NOAUTH Authentication required.", Refused, "W", firstPause},
		{"", Refused, "W", firstPause},
	} {
		k := newTalk(t)
		name := fmt.Sprintf("%q", c.reply)
		k.run(name, []exchange{{Woken{}, ask(0)}, {Declined{c.reply}, Pause{c.pause}}})
		if s := k.p.Status(); k.p.State() != c.state || k.said() != c.level || (s.Errors == 0) != (c.state == itself) {
			t.Errorf("%s: %s, said %q, %d errors; want %s, %q", name, k.p.State(), k.said(), s.Errors, c.state, c.level)
		}
		if k.p.Vouched() != (c.state == itself) {
			t.Errorf("%s: Vouched = %t", name, k.p.Vouched())
		}
		k.step(Woken{})
		if k.step(Declined{c.reply}); k.said() != c.level {
			t.Errorf("%s: said %q after the second time; want nothing new", name, k.said())
		}
	}
}

// Pauses grow from failure to failure, up to a limit, and begin anew after a success.
func TestPullerBacksOff(t *testing.T) {
	k := newTalk(t)
	k.step(Woken{})
	for i, ms := range []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		if got := k.step(Declined{"NOAUTH"}); got != (Pause{ms * time.Millisecond}) {
			t.Errorf("refusal %d: %+v; want %d ms", i, got, ms)
		}
		k.step(Woken{})
	}
	k = newTalk(t)
	k.step(Woken{})
	for i, ms := range []time.Duration{50, 100, 200, 400, 500, 500} {
		if got := k.step(Lost{errors.New(fmt.Sprint("port ", i))}); got != (Pause{ms * time.Millisecond}) {
			t.Errorf("failure %d: %+v; want %d ms", i, got, ms)
		}
		k.step(Woken{})
	}
	if k.said() != "W" {
		t.Errorf("said %q of one outage; want W", k.said())
	}
	k.run("back", []exchange{{answers(0), ask(blockTime)}, {Lost{errors.New("x")}, Pause{firstPause}}})
	for failed, want := range map[int]time.Duration{1: minBackoff, 7: 6400 * time.Millisecond, 8: maxBackoff, 1 << 40: maxBackoff} {
		if got := backoff(failed, maxBackoff, 1); got != want {
			t.Errorf("backoff(%d, 1) = %v; want %v", failed, got, want)
		}
	}
}

// What a peer may say that cannot be, or bodes ill.
func TestPullerHearsNonsense(t *testing.T) {
	one := batch(theirs, 10, 20)
	unreadable := func(before ...tlv.Batch) Synced {
		s := answers(0, before...)
		s.Err = tlv.ErrMalformed
		return s
	}
	atOnce := func(s Synced) Synced { // though it was asked to wait
		s.Sent = newTalk(t).now
		return s
	}
	fork := at(mine, 51)
	parted := changed(func(a *csync.SyncAnswer) { a.Vector = tlv.Vector{fork} })
	converse(t, []conversation{
		{"it is this process", nil, []exchange{{changed(func(a *csync.SyncAnswer) { a.ID, a.Life = mine, 11 }), Pause{selfPause}}}, itself, ""},
		{"it has this ID", nil, []exchange{{changed(func(a *csync.SyncAnswer) { a.ID = mine }), Pause{firstPause}}}, duplicate, "E"},
		{"it has of this replica what never was", nil, []exchange{{parted, Rename{fork}}, {Done{}, ask(0)}}, forked, "IE"},
		{"and the store cannot take another ID", nil, []exchange{{parted, Rename{fork}}, {Done{engine.ErrFailed}, Pause{firstPause}}}, down, "IEE"},
		{"it says so without a proof", nil, []exchange{{changed(func(a *csync.SyncAnswer) { a.Vector = tlv.Vector{{Replica: mine, Stamp: 51, Hash: 1}} }), Pause{firstPause}}}, Refused, "IE"},
		{"not even before the store is sure of itself", func(s *Self) { s.Confirmed = false }, []exchange{{parted, Rename{fork}}}, forked, "IE"},
		{"a batch of this replica", nil, []exchange{{answers(0, batch(mine, 50, 60)), Pause{firstPause}}}, down, "IW"},
		{"no batch", nil, []exchange{{unreadable(), Pause{firstPause}}}, down, "IW"},
		{"good ones before a bad one are taken", nil, []exchange{
			{unreadable(one), takes(one)}, {Taken{1, nil}, Pause{firstPause}}}, down, "IW"},
		{"more, but nothing comes", nil, []exchange{{answers(1), Pause{firstPause}}}, Refused, "IW"},
		{"nothing, at once", nil, []exchange{{atOnce(answers(0)), ask(blockTime)}, {atOnce(answers(0)), Pause{firstPause}}}, Refused, "IW"},
		{"it is another replica now: what was refused is asked for", nil, []exchange{
			{answers(0, one), takes(one)}, {Taken{0, engine.ErrFork}, ask(blockTime, theirs)},
			{changed(func(a *csync.SyncAnswer) { a.ID = third }), ask(blockTime)}}, syncing, "IEW"},
		{"it has another history of a third: what it has of that is not asked for, once and for all", func(s *Self) {
			s.True = func(e tlv.VectorEntry) bool { return e.Replica != third }
		}, []exchange{{answers(0), ask(blockTime, third)}, {answers(0), ask(blockTime, third)}}, forked, "IE"},
		{"its clock is off, and is set", nil, []exchange{
			{changed(func(a *csync.SyncAnswer) { a.Clock = 1 }), ask(blockTime)},
			{changed(func(a *csync.SyncAnswer) { a.Clock = 1 }), ask(blockTime)},
			{answers(0), ask(blockTime)}}, syncing, "IWI"},
	})
}

// The offset of the clocks is the smallest that is possible.
func TestPullerComparesClocks(t *testing.T) {
	const sent, heard = 995_000, 1_000_000
	for theirs, want := range map[int64]int64{900_000: -95_000, 994_999: -1, sent: 0, 997_000: 0, heard: 0, 1_000_001: 1, 1_061_000: 61_000} {
		k := newTalk(t)
		k.now = time.UnixMilli(heard)
		k.step(Woken{})
		k.step(changed(func(a *csync.SyncAnswer) { a.Clock = theirs }))
		if got := k.p.Status().ClockOffsetMillis; got != want {
			t.Errorf("clock %d between %d and %d: offset %d; want %d", theirs, sent, heard, got, want)
		}
		if warned := k.said() == "IW"; warned != (want > 60_000 || want < -60_000) {
			t.Errorf("offset %d: said %q", want, k.said())
		}
	}
}

// TestPullerShows: what Status says of lag and of a transfer.
func TestPullerShows(t *testing.T) {
	k := newTalk(t)
	late := answers(3, tlv.Batch{Replica: theirs, Prev: 10, Stamp: tlv.Stamp((k.now.UnixMilli() - 700) << 20), Life: 22})
	late.Answer.LeftKeys = 8
	k.step(Woken{})
	k.step(late)
	k.step(Taken{1, nil})
	if s := k.p.Status(); s.LagBatches != 3 || s.LagKeys != 8 || k.p.LagMillis(k.now) != 700 || s.ID != theirs || s.BytesIn != int64(len(late.Batches[0].Encoded())) {
		t.Errorf("behind: %+v", s)
	}
	k.step(needState)
	k.step(Turn{false})
	k.step(moment{Event: Woken{}, after: heldPause})
	k.step(needState)
	if lag := k.p.LagMillis(k.now); lag != 700+heldPause.Milliseconds() {
		t.Errorf("waiting for the state: a lag of %d ms; want 700 ms and %v", lag, heldPause)
	}
	k.step(Turn{true})
	k.step(Snapped{page(4, "c")})
	k.step(moment{Event: Done{}, store: func(s *Self) { s.Transfer = &engine.Transfer{Source: theirs, Snapshot: "s"} }})
	k.step(moment{Event: Done{}, after: time.Second})
	if s := k.p.Status(); s.TransferKeys != 10 || s.TransferDone != 4 || s.TransferRate != 4 || s.TransferBytes != 1 {
		t.Errorf("transferring: %+v", s)
	}
	k.step(Snapped{page(10, "")})
	k.step(moment{Event: Done{}, after: sayEvery})
	if l := k.lines[len(k.lines)-1]; l.Level != slog.LevelInfo || !strings.Contains(fmt.Sprint(l.Args), "percent 100") {
		t.Errorf("the last line is %+v; want one of progress", l)
	}
	k.step(Done{})
	if s := k.p.Status(); s.Transfers != 1 || s.TransferKeys != 0 || s.State != string(syncing) {
		t.Errorf("at the end: %+v", s)
	}
	k.step(needState)
	if lag := k.p.LagMillis(k.now); lag != 0 {
		t.Errorf("behind anew: a lag of %d ms; want none", lag)
	}
	k.step(Turn{false})
	k.step(Woken{})
	k.step(answers(0))
	if s := k.p.Status(); s.LagMillis != 0 || s.LagBatches != 0 {
		t.Errorf("up to date: %+v", s)
	}
}

// pulled is a puller that a test takes through its steps.
type pulled struct {
	t    *testing.T
	p    *puller
	now  time.Time
	self Self
}

func pull(t *testing.T) *pulled {
	now := time.UnixMilli(1_767_225_600_000)
	self := Self{ID: 1, Life: 11, Confirmed: true, True: func(tlv.VectorEntry) bool { return true }, Proven: func(tlv.VectorEntry) bool { return true }}
	return &pulled{t: t, p: newPuller("peer:1", now), now: now, self: self}
}

func (d *pulled) step(ev Event) (Action, []Line) {
	d.t.Helper()
	return d.p.Step(d.now, 0, d.self, ev)
}

// asks steps to what has to be a CSYNC.
func (d *pulled) asks(ev Event) AskSync {
	d.t.Helper()
	a, _ := d.step(ev)
	ask, ok := a.(AskSync)
	if !ok {
		d.t.Fatalf("after %T it does %T; want AskSync", ev, a)
	}
	return ask
}

// answer is what the peer says that has nothing new.
func (d *pulled) answer() Synced {
	return Synced{Sent: d.now, Answer: csync.SyncAnswer{ID: 2, Life: 22, Clock: d.now.UnixMilli()}}
}

// What is not taken in while the store awaits its peers is asked for again, and a transfer that an earlier life left waits
// for an answer too: the peer is not to make that wait until it has news.
func TestConfirmedLinkAsksAtOnce(t *testing.T) {
	d := pull(t)
	d.self.Confirmed = false
	d.asks(Woken{})
	if a, _ := d.step(d.answer()); a != (Pause{shortPause}) || d.p.State() != confirming {
		t.Fatalf("a peer has confirmed, others have not: %v in state %s; want a short pause, confirming", a, d.p.State())
	}
	d.self.Confirmed = true
	if ask := d.asks(Woken{}); ask.Block != 0 {
		t.Errorf("once confirmed it has the peer wait for %v; want an answer at once", ask.Block)
	}
	if ask := d.asks(d.answer()); ask.Block == 0 || d.p.State() != syncing {
		t.Errorf("after the answer it asks with BLOCK %v in state %s; want a long poll, syncing", ask.Block, d.p.State())
	}
}

// The copy of a store that runs elsewhere takes a new ID as long as that costs nothing.
func TestCopyLearnsFromItsOriginal(t *testing.T) {
	original := Self{ID: 1, Life: 99, Vector: tlv.Vector{{Replica: 1, Stamp: 500, Life: 98}, {Replica: 2, Stamp: 900, Life: 3}}}
	original.Vector[0].Hash = 97
	err := judge(&original, "CSYNC", "copy:1", &csync.Request{Version: csync.Version, ID: 1, Life: 11}).Err
	entry := tlv.VectorEntry{Replica: 1, Stamp: 500, Life: 98, Hash: 97}
	for _, c := range []struct {
		name      string
		err       csync.Error
		confirmed bool
		known     tlv.Stamp // of life 98
		rename    bool
	}{
		{"it lacks something", err, false, 400, true},
		{"it has all", err, false, 500, false},
		{"it has published since its start", err, true, 400, false},
		{"the answer does not say", "DUPLICATE replica 0000000000000001 is my own ID", false, 400, false},
	} {
		d := pull(t)
		d.self.Confirmed, d.self.True = c.confirmed, func(e tlv.VectorEntry) bool { return e.Replica != 1 || e.Stamp <= c.known }
		d.asks(Woken{})
		a, _ := d.step(Declined{c.err})
		if _, waits := a.(Pause); c.rename && a != (Rename{entry}) || !c.rename && !waits {
			t.Errorf("%s: after %q it does %#v; renames: %v is right", c.name, c.err, a, c.rename)
		}
	}
}

// A peer that has confirmed what it has of this replica may hear of more while others are waited for.
func TestConfirmationDoesNotGrowOld(t *testing.T) {
	d := pull(t)
	d.self.Confirmed, d.self.True = false, func(e tlv.VectorEntry) bool { return e.Stamp <= 400 }
	d.asks(Woken{})
	answer := d.answer()
	answer.Answer.Vector = tlv.Vector{{Replica: 1, Stamp: 400, Life: 98}}
	if a, _ := d.step(answer); a != (Pause{shortPause}) {
		t.Fatalf("a peer has confirmed, others have not: it does %#v; want a short pause", a)
	}
	if ask := d.asks(Woken{}); ask.Block != 0 || ask.Bytes != 1 {
		t.Errorf("it asks again with BLOCK %v BYTES %d; want an answer at once, and next to no batches", ask.Block, ask.Bytes)
	}
	answer.Answer.Vector = tlv.Vector{{Replica: 1, Stamp: 500, Life: 98}}
	if a, _ := d.step(answer); a != (Rename{answer.Answer.Vector[0]}) {
		t.Errorf("the peer has more of this replica by now: it does %#v; want a new ID", a)
	}
}

// A peer that always says that there is something, and never has it, is asked less and less often.
func TestHollowPeerIsLeftAlone(t *testing.T) {
	state := func(d *pulled) Synced {
		a := d.answer()
		a.Answer.NeedState, a.Answer.Vector = true, tlv.Vector{{Replica: 2, Stamp: 900, Life: 22}}
		return a
	}
	for _, c := range []struct {
		name  string
		round func(d *pulled) Action // from the beginning to what has to be a pause
	}{
		{"it answers at once where it has to wait", func(d *pulled) Action {
			d.asks(Woken{})
			d.asks(d.answer())
			a, _ := d.step(d.answer())
			return a
		}},
		{"its state is needed, and brings nothing", func(d *pulled) Action {
			d.asks(Woken{})
			d.step(state(d))
			d.step(Turn{true})
			a, _ := d.step(Snapped{csync.SnapAnswer{ID: 2, Snapshot: "s", Vector: state(d).Answer.Vector}})
			return a
		}},
	} {
		d := pull(t)
		d.self.Vector = state(d).Answer.Vector
		for n := 1; n < 12; n++ {
			if a := c.round(d); a != (Pause{backoff(n, maxBackoff, 0)}) {
				t.Fatalf("%s: round %d ends with %#v; want a pause of %v", c.name, n, a, backoff(n, maxBackoff, 0))
			}
		}
	}
}

// The lag is what is not in the store yet, not what is not on its way yet.
func TestLagWhileAnAnswerIsTakenIn(t *testing.T) {
	d := pull(t)
	at := func(ago time.Duration) tlv.Stamp { return tlv.Stamp(d.now.Add(-ago).UnixMilli()) << tlv.StampShift }
	batch := func(prev, stamp tlv.Stamp, keys ...string) tlv.Batch {
		b := tlv.Batch{Replica: 2, Prev: prev, Stamp: stamp, Life: 22}
		for _, key := range keys {
			c := tlv.Contribution{Replica: 2, Birth: stamp, Rev: stamp, Last: stamp, Total: tlv.FromInt64(1), Kind: tlv.ZCounter}
			b.Deltas = append(b.Deltas, tlv.Delta{Key: append([]byte{0}, key...), State: tlv.State{Contributions: []tlv.Contribution{c}}})
		}
		return b
	}
	first, second, last := at(5*time.Second), at(2*time.Second), at(time.Second)
	answer := d.answer()
	answer.Answer.Vector = tlv.Vector{{Replica: 2, Stamp: last, Life: 22}}
	answer.Batches = []tlv.Batch{batch(0, first, "a", "b", "c"), batch(first, second, "a")}
	answer.Answer.Left, answer.Answer.LeftKeys = 1, 7
	want := func(what string, state State, batches, keys, ms int64) {
		t.Helper()
		if s := d.p.Status(); d.p.State() != state || s.LagBatches != batches || s.LagKeys != keys || d.p.LagMillis(d.now) != ms {
			t.Errorf("%s: %s, a lag of %d batches, %d keys, %d ms; want %s, %d, %d, %d", what, d.p.State(), s.LagBatches, s.LagKeys,
				d.p.LagMillis(d.now), state, batches, keys, ms)
		}
	}
	d.asks(Woken{})
	d.step(answer)
	want("with an answer in hand", connecting, 3, 11, 5000)
	d.now = d.now.Add(time.Second)
	d.step(Taken{1, nil})
	want("with its first batch stored", syncing, 2, 8, 3000)
	d.asks(Taken{1, nil})
	want("with both stored", syncing, 1, 7, 3000)

	answer = d.answer()
	answer.Answer.Vector = tlv.Vector{{Replica: 2, Stamp: last, Life: 22}}
	answer.Batches = []tlv.Batch{batch(second, last, "a", "b", "c", "d", "e", "f", "g")}
	d.step(answer)
	want("with the last in hand", syncing, 1, 7, 2000)
	d.asks(Taken{1, nil})
	want("with all stored", syncing, 0, 0, 0)
}
