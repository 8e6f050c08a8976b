package replica

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

func at(id tlv.ReplicaID, stamp tlv.Stamp) tlv.VectorEntry {
	return tlv.VectorEntry{Replica: id, Stamp: stamp, Life: 11 * uint64(id)}
}

// ownSelf is a store that is sure of its history, which reaches to 50.
func ownSelf() Self {
	return Self{ID: mine, Life: 11, Confirmed: true, Vector: tlv.Vector{at(mine, 50), at(theirs, 10), at(third, 10)},
		True: func(e tlv.VectorEntry) bool {
			return e.Replica != mine || e.Stamp == 0 || e.Life == 11 && e.Stamp <= 50
		}, Proven: func(e tlv.VectorEntry) bool { return e.Hash == 0 }}
}

// peerHas is the vector of the peer.
func peerHas() tlv.Vector { return tlv.Vector{at(mine, 40), at(theirs, 90), at(third, 90)} }

// batch is a batch as it comes.
func batch(id tlv.ReplicaID, prev, stamp tlv.Stamp) tlv.Batch {
	b, _, err := tlv.ParseBatch(tlv.AppendBatch(nil, &tlv.Batch{Replica: id, Prev: prev, Stamp: stamp, Life: 11 * uint64(id)}))
	if err != nil {
		panic(err)
	}
	return b
}

// news is an answer to CSYNC that came after as long as it may have taken.
func answers(left int64, batches ...tlv.Batch) Synced {
	return Synced{Answer: csync.SyncAnswer{ID: theirs, Life: 22, Vector: peerHas(), Left: left}, Batches: batches}
}

// changed is an answer that differs from news.
func changed(change func(*csync.SyncAnswer)) Synced {
	s := answers(0)
	change(&s.Answer)
	return s
}

// moment is an event some time after the last, at a store that has changed meanwhile.
type moment struct {
	Event
	after time.Duration
	store func(*Self)
}

func takes(list ...tlv.Batch) Take { return Take{list} }

// ask is a CSYNC; the rest of it follows from the store.
func ask(block time.Duration, except ...tlv.ReplicaID) AskSync {
	return AskSync{csync.SyncRequest{Except: except, Block: block}}
}

func askSnap(snapshot, cursor string) AskSnap {
	return AskSnap{csync.SnapRequest{Request: csync.Request{Version: csync.Version, ID: mine, Life: 11}, Snapshot: snapshot, Cursor: []byte(cursor), Bytes: snapBytes}}
}

// talk drives a puller by hand.
type talk struct {
	t     *testing.T
	p     *puller
	self  Self
	now   time.Time
	lines []Line
}

func newTalk(t *testing.T) *talk {
	now := time.UnixMilli(1_000_000_000)
	p := newPuller("peer:1", now)
	p.compared.due = now.Add(time.Hour) // TestPullerCompares
	return &talk{t: t, p: p, self: ownSelf(), now: now}
}

func (k *talk) step(ev Event) Action {
	if m, ok := ev.(moment); ok {
		k.now, ev = k.now.Add(m.after), m.Event
		if m.store != nil {
			m.store(&k.self)
		}
	}
	if s, ok := ev.(Synced); ok {
		if s.Sent.IsZero() {
			s.Sent = k.now.Add(-blockTime)
		}
		if s.Answer.Clock == 0 {
			s.Answer.Clock = k.now.UnixMilli()
		}
		ev = s
	}
	a, lines := k.p.Step(k.now, 0, k.self, ev)
	k.lines = append(k.lines, lines...)
	return a
}

// exchange is an event, and what the puller wants next.
type exchange struct {
	ev   Event
	want Action
}

func (k *talk) run(name string, steps []exchange) {
	k.t.Helper()
	for i, s := range steps {
		got, want := k.step(s.ev), s.want
		if a, ok := want.(AskSync); ok {
			a.Version, a.ID, a.Life, a.Vector = csync.Version, k.self.ID, k.self.Life, k.self.Vector
			a.Bytes = cmp.Or(a.Bytes, syncBytes)
			want = a
		}
		if g, w := fmt.Sprintf("%T%+v", got, got), fmt.Sprintf("%T%+v", want, want); g != w {
			k.t.Fatalf("%s: step %d, %s:\n%s; want\n%s", name, i, describe(s.ev), g, w)
		}
	}
}

// said are the levels of the lines, each by its first letter.
func (k *talk) said() string {
	var b strings.Builder
	for _, l := range k.lines {
		b.WriteString(l.Level.String()[:1])
	}
	return b.String()
}

// conversation is what a link lives through, after its first request.
type conversation struct {
	name  string
	store func(*Self)
	steps []exchange
	state State
	said  string
}

func converse(t *testing.T, list []conversation) {
	t.Helper()
	for _, c := range list {
		k := newTalk(t)
		if c.store != nil {
			c.store(&k.self)
		}
		k.step(Woken{})
		k.run(c.name, c.steps)
		if got := k.p.State(); got != c.state || k.said() != c.said {
			t.Errorf("%s: %s, said %s; want %s, %s", c.name, got, k.said(), c.state, c.said)
		}
	}
}
