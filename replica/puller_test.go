package replica

import (
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// pulled is a puller that a test takes through its steps.
type pulled struct {
	t    *testing.T
	p    *Puller
	now  time.Time
	self Self
}

func pull(t *testing.T) *pulled {
	now := time.UnixMilli(1_767_225_600_000)
	self := Self{ID: 1, Life: 11, Confirmed: true, True: func(tlv.VectorEntry) bool { return true }}
	return &pulled{t: t, p: NewPuller("peer:1", now), now: now, self: self}
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
	return Synced{Sent: d.now, Answer: engine.SyncAnswer{ID: 2, Life: 22, Clock: d.now.UnixMilli()}}
}

// What is not taken in while the store awaits its peers is asked for again, and a transfer that an earlier life left waits
// for an answer too: the peer is not to make that wait until it has news.
func TestConfirmedLinkAsksAtOnce(t *testing.T) {
	d := pull(t)
	d.self.Confirmed = false
	d.asks(Woken{})
	if a, _ := d.step(d.answer()); a != (Pause{shortPause}) || d.p.State() != Confirming {
		t.Fatalf("a peer has confirmed, others have not: %v in state %s; want a short pause, confirming", a, d.p.State())
	}
	d.self.Confirmed = true
	if ask := d.asks(Woken{}); ask.Block != 0 {
		t.Errorf("once confirmed it has the peer wait for %v; want an answer at once", ask.Block)
	}
	if ask := d.asks(d.answer()); ask.Block == 0 || d.p.State() != Syncing {
		t.Errorf("after the answer it asks with BLOCK %v in state %s; want a long poll, syncing", ask.Block, d.p.State())
	}
}

// The copy of a store that runs elsewhere takes a new ID as long as that costs nothing.
func TestCopyLearnsFromItsOriginal(t *testing.T) {
	original := Self{ID: 1, Life: 99, Vector: tlv.Vector{{Replica: 1, Stamp: 500, Life: 98}, {Replica: 2, Stamp: 900, Life: 3}}}
	err := judge(original, "CSYNC", "copy:1", Version, 1, 11).Err
	entry := tlv.VectorEntry{Replica: 1, Stamp: 500, Life: 98}
	for _, c := range []struct {
		name      string
		err       engine.PeerError
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
			a, _ := d.step(Snapped{engine.SnapAnswer{ID: 2, Snapshot: "s", Vector: state(d).Answer.Vector}})
			return a
		}},
	} {
		d := pull(t)
		d.self.Vector = state(d).Answer.Vector
		for n := 1; n < 12; n++ {
			if a := c.round(d); a != (Pause{backoff(n, 0)}) {
				t.Fatalf("%s: round %d ends with %#v; want a pause of %v", c.name, n, a, backoff(n, 0))
			}
		}
	}
}

// Until the vector covers it, and while one is under way, a snapshot is taken.
func TestSnapshotThatBringsSomething(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func(s *Self)
	}{
		{"the vector lacks some of it", func(s *Self) { s.Vector = tlv.Vector{{Replica: 2, Stamp: 899}} }},
		{"the store has to replace its history", func(s *Self) { s.NeedsState = true }},
		{"something is held back", func(s *Self) { s.Hold = tlv.Vector{{Replica: 3, Stamp: 5}} }},
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
		a, _ := d.step(Snapped{engine.SnapAnswer{ID: 2, Snapshot: "s", Vector: tlv.Vector{{Replica: 2, Stamp: 900, Life: 22}}}})
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
	d.step(Snapped{engine.SnapAnswer{ID: 2, Snapshot: "s", Vector: answer.Answer.Vector, Keys: 10, Done: 5, Next: []byte("x")}})
	d.now = d.now.Add(3 * time.Second)
	want("3 s later", 3000)
	d.step(Lost{errReply})
	d.now = d.now.Add(time.Second)
	want("a second after a cut", 4000)
}

// The lag is what is not in the store yet, not what is not on its way yet.
func TestLagWhileAnAnswerIsTakenIn(t *testing.T) {
	d := pull(t)
	at := func(ago time.Duration) tlv.Stamp { return tlv.Stamp(d.now.Add(-ago).UnixMilli()) << tlv.StampShift }
	batch := func(prev, stamp tlv.Stamp, keys ...string) []byte {
		b := tlv.Batch{Replica: 2, Prev: prev, Stamp: stamp, Life: 22}
		for _, key := range keys {
			c := tlv.Contribution{Replica: 2, Birth: stamp, Rev: stamp, Last: stamp, Total: tlv.FromInt64(1), Kind: tlv.ZCounter}
			b.Deltas = append(b.Deltas, tlv.Delta{Key: append([]byte{0}, key...), State: tlv.State{Contributions: []tlv.Contribution{c}}})
		}
		return tlv.AppendBatch(nil, &b)
	}
	first, second, last := at(5*time.Second), at(2*time.Second), at(time.Second)
	answer := d.answer()
	answer.Answer.Vector = tlv.Vector{{Replica: 2, Stamp: last, Life: 22}}
	answer.Answer.Batches = [][]byte{batch(0, first, "a", "b", "c"), batch(first, second, "a")}
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
	want("with an answer in hand", Connecting, 3, 11, 5000)
	d.now = d.now.Add(time.Second)
	d.step(Done{})
	want("with its first batch stored", Syncing, 2, 8, 3000)
	d.asks(Done{})
	want("with both stored", Syncing, 1, 7, 3000)

	answer = d.answer()
	answer.Answer.Vector = tlv.Vector{{Replica: 2, Stamp: last, Life: 22}}
	answer.Answer.Batches = [][]byte{batch(second, last, "a", "b", "c", "d", "e", "f", "g")}
	d.step(answer)
	want("with the last in hand", Syncing, 1, 7, 2000)
	d.asks(Done{})
	want("with all stored", Syncing, 0, 0, 0)
}
