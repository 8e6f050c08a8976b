package state

import (
	"math"
	"math/rand/v2"
	"testing"

	"atomiccounter/tlv"
)

// twins are a key that is made compact after every step, and one that never is.
type twins struct {
	keys  [2]Key
	kind  tlv.Kind
	clock tlv.Stamp
}

func (w *twins) both(f func(k *Key)) {
	for i := range w.keys {
		f(&w.keys[i])
	}
}

func (w *twins) next() tlv.Stamp {
	w.clock += 3
	return w.clock
}

func (w *twins) step(r *rand.Rand) {
	stamp, n := w.next(), r.Int64N(100)-20
	if r.IntN(20) == 0 {
		n = math.MaxInt64 - 5
	}
	dirty := func(k *Key) *Key {
		if k.Pending == nil {
			k.Pending = new(Pending)
		}
		return k
	}
	v := w.keys[1].View(1)
	switch op := r.IntN(20); {
	case op < 9 && !v.IsText:
		w.both(func(k *Key) { dirty(k).Add(n, stamp, w.kind, v.Exists) })
	case op == 10:
		set := tlv.Contribution{Birth: stamp, Assigned: n, Kind: w.kind}
		if r.IntN(4) == 0 {
			set = tlv.Contribution{Birth: stamp, IsText: true, Text: "text"}
		}
		w.both(func(k *Key) { dirty(k).Assign(set) })
	case op == 11:
		w.both(func(k *Key) { dirty(k).ExpireAt(tlv.Expiry{Stamp: stamp, At: n & 1 * 1000}, stamp, v.Exists) })
	case op == 12:
		w.both(func(k *Key) {
			resets, own := k.Observed(1)
			dirty(k).Cancel(own, resets, k.Latest(1))
		})
	case op == 13 && w.keys[1].Own.Replica != 0: // another replica cancels what is published
		reset := tlv.Reset{Replica: 1, Rev: w.keys[1].Own.Rev, Base: w.keys[1].Own.Total}
		w.both(func(k *Key) {
			s := k.Stored()
			s.PutReset(reset)
			k.SetStored(1, s)
		})
	case w.keys[1].Pending != nil:
		w.both(func(k *Key) { k.Roll(1, stamp) })
	}
}

// squeeze makes the first key compact, and what it was of that; false: there is more to it.
func (w *twins) squeeze() bool {
	k := &w.keys[0]
	v := k.View(1)
	at := v.Expiry.At
	if !v.Exists {
		at = 0
	}
	c, m, ok := k.Compact(1, v.Sum.Clamp(), at)
	if ok {
		*k = Key{}
		c.Expand(m, 1, v.Sum.Clamp(), at, k, new(Pending))
	}
	return ok
}

// TestCompact: a key that is made compact and expanded again at any time goes on as one that is not.
func TestCompact(t *testing.T) {
	compact := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &twins{clock: 1000, kind: tlv.Kind(seed % 2)}
		for i := range 25 {
			w.step(r)
			if w.squeeze() {
				compact++
			}
			a, b := &w.keys[0], &w.keys[1]
			if a.View(1) != b.View(1) || a.Latest(1) != b.Latest(1) || a.Named(1) != b.Named(1) {
				t.Fatalf("seed %d, step %d: the compact one shows %+v; want %+v", seed, i, a.View(1), b.View(1))
			}
			ca, _ := a.Contribution(1, w.clock+1)
			cb, _ := b.Contribution(1, w.clock+1)
			if b.Foreign != nil { // what was pending on a contribution that is cancelled has begun another
				ca.Birth = cb.Birth
			}
			if b.Foreign == nil && a.Own != b.Own || ca != cb {
				t.Fatalf("seed %d, step %d: the compact one contributes %+v; want %+v", seed, i, ca, cb)
			}
		}
	}
	if compact < 20000 {
		t.Errorf("%d of the keys were compact; want many", compact)
	}
}
