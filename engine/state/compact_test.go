package state

import (
	"math"
	"math/rand/v2"
	"reflect"
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
func (w *twins) squeeze(t *testing.T) bool {
	k := &w.keys[0]
	v := k.View(1)
	at := v.Expiry.At
	if !v.Exists {
		at = 0
	}
	c, m, ok := k.Compact(1, v.Sum.Clamp(), at)
	if _, _, other := k.Compact(2, v.Sum.Clamp(), at); other && k.Own.Replica != 0 {
		t.Fatalf("%+v is compact as that of another replica", k.Own)
	}
	if ok {
		was := *k
		*k = Key{}
		c.Expand(m, 1, v.Sum.Clamp(), at, k, new(Pending))
		same(t, k, &was)
	}
	return ok
}

// same checks that a state that was expanded is what it was, but for the birth of increments that are pending on a contribution.
func same(t *testing.T, k, was *Key) {
	if (k.Pending == nil) != (was.Pending == nil) || k.Own != was.Own || k.Foreign != was.Foreign {
		t.Fatalf("expanded: %+v; want %+v", k, was)
	}
	if k.Pending == nil {
		return
	}
	p := *was.Pending
	if was.Own.Replica != 0 {
		p.Delta.Birth = k.Pending.Delta.Birth
	}
	p.Resets, p.Tails = nil, nil // they are empty, or it would not be compact
	if len(was.Pending.Resets)+len(was.Pending.Tails) != 0 || !reflect.DeepEqual(*k.Pending, p) {
		t.Fatalf("pending, expanded: %+v; want %+v", k.Pending, was.Pending)
	}
}

// TestCompact: a key that is made compact and expanded again at any time goes on as one that is not.
func TestCompact(t *testing.T) {
	compact := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &twins{clock: 1000, kind: tlv.Kind(seed % 2)}
		for i := range 25 {
			w.step(r)
			if w.squeeze(t) {
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

// TestNotCompact: what Expand does not give back stays open.
func TestNotCompact(t *testing.T) {
	stored := func() *Key {
		return &Key{Own: tlv.Contribution{Replica: 1, Rev: 9, Birth: 3, Last: 9, Total: tlv.FromInt64(5)}}
	}
	adding := func() *Key {
		k := stored()
		k.Pending = new(Pending)
		k.Add(0, 12, k.Own.Kind, true)
		return k
	}
	for i, k := range []*Key{stored(), adding()} {
		if _, _, ok := k.Compact(1, 5, 0); !ok {
			t.Errorf("%d: %+v is not compact", i, k)
		}
	}
	for name, c := range map[string]struct {
		k    *Key
		with func(k *Key)
	}{
		"another replica's":   {stored(), func(k *Key) { k.Own.Replica = 2 }},
		"closed":              {stored(), func(k *Key) { k.Own.Closed = true }},
		"a text":              {stored(), func(k *Key) { k.Own.IsText = true }},
		"a field that was":    {stored(), func(k *Key) { k.Own.Since = 2 }},
		"another expiry":      {stored(), func(k *Key) { k.Own.Expiry = tlv.Expiry{Stamp: 7, At: 100} }},
		"carried on":          {stored(), func(k *Key) { k.Own.Last = 8 }},
		"wide":                {stored(), func(k *Key) { k.Own.Total = tlv.Int128{Hi: 1} }},
		"not all shown":       {stored(), func(k *Key) { k.Own.Total = tlv.FromInt64(4) }},
		"others' part":        {stored(), func(k *Key) { k.Foreign = new(Foreign) }},
		"carried on, adding":  {adding(), func(k *Key) { k.Own.Last = 0 }},
		"assigned, adding":    {adding(), func(k *Key) { k.Own.Assigned, k.Own.Total = 5, tlv.Int128{} }},
		"of another kind":     {adding(), func(k *Key) { k.Pending.Delta.Kind = tlv.Natural + tlv.ZCounter - k.Own.Kind }},
		"on what showed not":  {adding(), func(k *Key) { k.Pending.Delta.Joined = false }},
		"a SET":               {adding(), func(k *Key) { k.Pending.Delta.HasValue = true }},
		"an EXPIRE":           {adding(), func(k *Key) { k.Pending.Delta.Expiry.Stamp = 12 }},
		"a field, adding":     {adding(), func(k *Key) { k.Pending.Delta.Since = 2 }},
		"added and not shown": {adding(), func(k *Key) { k.Pending.Delta.Total = tlv.FromInt64(1) }},
		"reborn":              {adding(), func(k *Key) { k.Pending.Reborn = true }},
		"left over":           {adding(), func(k *Key) { k.Pending.Leftover = true }},
		"not to be published": {adding(), func(k *Key) { k.Pending.Publish = false }},
		"ended":               {adding(), func(k *Key) { k.Pending.Ended.Stamp = 4 }},
		"a reset":             {adding(), func(k *Key) { k.Pending.Resets = make([]tlv.Reset, 1) }},
		"a tail":              {adding(), func(k *Key) { k.Pending.Tails = make([]tlv.Contribution, 1) }},
	} {
		c.with(c.k)
		if got, m, ok := c.k.Compact(1, 5, 0); ok {
			t.Errorf("%s: %+v is compact: %+v, %b", name, c.k, got, m)
		}
	}
}
