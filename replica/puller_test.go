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
