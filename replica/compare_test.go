package replica

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// look is one at a key: what either shows of it, and what it has.
type look struct {
	mine, theirs uint64
	ours, peers  tlv.Vector
}

// TestPullerCompares: what the two show of a key at one look after the other, and whether it is named in the end.
func TestPullerCompares(t *testing.T) {
	v := func(mineUpTo, theirsUpTo tlv.Stamp) tlv.Vector {
		return tlv.Vector{at(mine, mineUpTo), at(theirs, theirsUpTo)}
	}
	for name, test := range map[string]struct {
		looks []look
		named bool
	}{
		"alike":                             {[]look{{1, 1, v(5, 5), v(5, 5)}}, false},
		"two differ, with the same batches": {[]look{{1, 2, v(5, 5), v(5, 5)}, {1, 2, v(5, 5), v(5, 5)}, {1, 2, v(5, 5), v(5, 5)}}, true},
		"one has nothing":                   {[]look{{1, 0, v(5, 5), v(5, 5)}, {1, 0, v(5, 5), v(5, 5)}, {1, 0, v(5, 5), v(5, 5)}}, true},
		"after two looks it is not certain": {[]look{{1, 2, v(5, 5), v(5, 5)}, {1, 2, v(5, 5), v(5, 5)}}, false},
		"under load":                        {[]look{{1, 2, v(5, 2), v(3, 5)}, {1, 2, v(8, 5), v(5, 9)}, {1, 2, v(9, 9), v(8, 12)}}, true},
		"the peer is behind":                {[]look{{1, 2, v(5, 5), v(3, 5)}, {1, 2, v(5, 5), v(3, 5)}, {1, 2, v(5, 5), v(3, 5)}}, false},
		"this store is behind":              {[]look{{1, 2, v(5, 3), v(5, 5)}, {1, 2, v(5, 3), v(5, 5)}, {1, 2, v(5, 3), v(5, 5)}}, false},
		"what was cancelled comes late":     {[]look{{0, 2, v(5, 3), v(5, 5)}, {0, 2, v(8, 5), v(5, 5)}, {0, 0, v(8, 5), v(8, 5)}}, false},
		"they agree at last":                {[]look{{1, 2, v(5, 5), v(5, 5)}, {1, 2, v(5, 5), v(5, 5)}, {2, 2, v(5, 5), v(5, 5)}}, false},
		"it changes all the time":           {[]look{{1, 2, v(5, 5), v(5, 5)}, {3, 2, v(5, 5), v(5, 5)}}, false},
	} {
		k := newTalk(t)
		k.p.status.ID = theirs
		for i, l := range test.looks {
			if a, want := k.p.compare(), "k"; i > 0 && (len(a.(Look).Keys) != 1 || a.(Look).Keys[0] != want) {
				t.Errorf("%s: look %d is %+v; want one at %q", name, i, a, want)
			}
			a := k.step(Looked{Digests: engine.Digests{Keys: []string{"k"}, Sums: []uint64{l.mine}, Vector: l.ours, Next: []byte("next")}})
			if ask, ok := a.(AskDigest); !ok || len(ask.Keys) != 1 {
				t.Fatalf("%s: after look %d: %+v; want to ask the peer", name, i, a)
			}
			if a := k.step(Digested{csync.DigestAnswer{ID: theirs, Vector: l.peers, Sums: []uint64{l.theirs}}}); a.(AskSync).Vector == nil {
				t.Errorf("%s: then %+v; want CSYNC", name, a)
			}
		}
		said := len(k.lines) == 1 && k.lines[0].Level == slog.LevelError
		if named := k.p.Status().Divergent == 1; named != test.named || said != test.named {
			t.Errorf("%s: named %t, in the log %+v; want %t", name, named, k.lines, test.named)
		}
		if string(k.p.compared.from) != "next" {
			t.Errorf("%s: the next page begins at %q", name, k.p.compared.from)
		}
	}
}

// TestPullerComparesWithAnother: what was seen of a peer says nothing of another one at its address.
func TestPullerComparesWithAnother(t *testing.T) {
	k := newTalk(t)
	v := tlv.Vector{at(mine, 5), at(theirs, 5)}
	for _, peer := range []tlv.ReplicaID{theirs, theirs, theirs + 1, theirs + 1} {
		k.p.met(peer)
		k.step(Looked{Digests: engine.Digests{Keys: []string{"k"}, Sums: []uint64{1}, Vector: v}})
		k.step(Digested{csync.DigestAnswer{ID: peer, Vector: v, Sums: []uint64{2}}})
	}
	if n := k.p.Status().Divergent; n != 0 {
		t.Errorf("after two looks at each of two peers they differ in %d keys", n)
	}
	k.step(Looked{Digests: engine.Digests{Keys: []string{"k"}, Sums: []uint64{1}, Vector: v}})
	k.step(Digested{csync.DigestAnswer{ID: theirs + 1, Vector: v, Sums: []uint64{2}}})
	if n := k.p.Status().Divergent; n != 1 {
		t.Fatalf("after three looks they differ in %d keys; want 1", n)
	}
	if k.p.met(theirs); k.p.Status().Divergent != 0 {
		t.Error("another peer is said to differ in what was seen of the one before")
	}
}

// What is not as it should be ends no link but that which answers nonsense.
func TestPullerCannotCompare(t *testing.T) {
	k := newTalk(t)
	k.p.status.ID = theirs
	mine := Looked{Digests: engine.Digests{Keys: []string{"k"}, Sums: []uint64{1}}}
	if a, ok := k.step(Looked{Err: engine.ErrHeld}).(AskSync); !ok {
		t.Errorf("when this store cannot: %+v; want CSYNC", a)
	}
	k.step(mine)
	if a, ok := k.step(Declined{csync.CodeBusy + " not now"}).(AskSync); !ok || k.p.Status().Errors > 0 {
		t.Errorf("when the peer cannot: %+v; want CSYNC", a)
	}
	k.step(mine)
	if a, ok := k.step(Digested{csync.DigestAnswer{ID: theirs}}).(Pause); !ok || k.p.State() != down {
		t.Errorf("when the answer has nothing: %+v, %s; want a pause", a, k.p.State())
	}
}

// TestSilentDivergence: two stores that have taken in different batches under one stamp find out.
func TestSilentDivergence(t *testing.T) {
	var later atomic.Int64 // so that it is time to compare
	clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	a := beginWith(t, engine.Options{InMemory: true}, Options{now: clock})
	b := beginWith(t, engine.Options{InMemory: true}, Options{Peers: []string{a.addr()}, now: clock})
	if _, err := a.node.AddPeer(b.addr()); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*testReplica{a, b} {
		part := tlv.Contribution{Replica: 9, Birth: 5, Rev: 5, Last: 5, Total: tlv.FromInt64(int64(i))}
		batch := tlv.Batch{Replica: 9, Stamp: 5, Life: 1, Deltas: []tlv.Delta{{Key: []byte("\x00k"), State: tlv.State{Contributions: []tlv.Contribution{part}}}}}
		eventually(t, "it is in the store", func() bool { return s.engine.Apply(&batch) == nil })
	}
	eventually(t, "they differ in a key", func() bool {
		later.Add(int64(compareEvery))
		a.add(t, "other", 1) // so that nobody waits for news
		b.add(t, "other", 1)
		return b.peer(a.addr()).Divergent == 1 && a.peer(b.addr()).Divergent == 1
	})
}
