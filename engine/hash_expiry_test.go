package engine

import (
	"errors"
	"testing"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// fieldGone is what a peer says that has deleted a field as it is published here.
func fieldGone(t *testing.T, e *Engine, name string) tlv.Delta {
	t.Helper()
	key := enginetest.Key(name)
	s, err := e.readState(e.self.place(key), string(key))
	own := s.Contribution(e.self.id)
	if err != nil || own == nil {
		t.Fatalf("%s is stored as %+v, %v", name, s, err)
	}
	return tlv.Delta{Key: key, State: tlv.State{Resets: []tlv.Reset{{Replica: e.self.id, Rev: own.Rev, Base: own.Total}}}}
}

// TestExpiryOfEmptiedHash: a peer deletes the last field that is stored. Whether the expiry stays goes by whether there was another
// field then, also after a crash, when the journal meets a hash that has none.
func TestExpiryOfEmptiedHash(t *testing.T) {
	const at = 1 << 50
	for name, c := range map[string]struct {
		before bool // there is another field when the peer's batch comes
		want   int64
	}{"another field before": {true, at}, "a new field later": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			o := disk()
			e := open(t, o)
			p := e.NewPipeline()
			add := func(field string) {
				if _, err := p.IncrField([]byte("h"), []byte(field), 1); err != nil {
					t.Fatal(err)
				}
				mustCommit(t, p)
			}
			add("f")
			if ok, err := p.ExpireAt([]byte("h"), at, 0); !ok || err != nil {
				t.Fatalf("ExpireAt = %v, %v", ok, err)
			}
			mustCommit(t, p)
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			if c.before {
				add("g")
			}
			q := newPeer(7)
			if err := e.Apply(q.batch(fieldGone(t, e, "h/f"))); err != nil {
				t.Fatal(err)
			}
			if !c.before {
				add("g")
			}
			w := hashWorld{t: t, o: o, e: e, p: p, rng: newHashWorld(t, 1).rng}
			for _, when := range []string{"at once", "after a crash", "after another"} {
				got, ok, err := w.p.ExpireTime([]byte("h"))
				n, lenErr := w.p.Len([]byte("h"))
				if got != c.want || !ok || n != 1 || err != nil || lenErr != nil {
					t.Errorf("%s: ExpireTime = %d, %v, %v, Len = %d, %v; want %d, and 1 field", when, got, ok, err, n, lenErr, c.want)
				}
				w.crash()
			}
			if s := w.e.Stats(); s.Keys[0] != 1 || s.Expires[0] != change(false, c.want != 0) {
				t.Errorf("%d keys, %d with an expiry", s.Keys[0], s.Expires[0])
			}
		})
	}
}

// TestExpiryThatAHashInherits: a peer cancels a string and makes a hash of its key, and has not heard yet that the string was given
// an expiry. That is the hash's then, whether or not the key is in the cache, and is not closed as if nothing were left.
func TestExpiryThatAHashInherits(t *testing.T) {
	for _, cached := range []bool{true, false} {
		o := disk()
		o.Now = func() int64 { return 1_700_000_000_000 }
		e := open(t, o)
		p := e.NewPipeline()
		write := func(err error) tlv.Stamp {
			t.Helper()
			if err = errors.Join(err, p.finish(), e.Flush()); err != nil {
				t.Fatal(err)
			}
			return e.Vector().Entry(e.ReplicaID()).Stamp
		}
		_, err := p.Set([]byte("k"), 5, SetOptions{})
		heard := write(err)
		at := o.Now() + 60_000
		_, err = p.ExpireAt([]byte("k"), at, 0)
		write(err)
		if !cached {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = open(t, o)
			p = e.NewPipeline()
		}
		other := newPeer(8)
		cancel := tlv.Delta{Key: []byte("\x00k"), State: tlv.State{Resets: []tlv.Reset{{Replica: e.ReplicaID(), Rev: heard}}}}
		if err := e.Apply(other.batch(cancel, other.fieldDelta("k", "f", 3))); err != nil {
			t.Fatalf("Apply = %v", err)
		}
		for _, when := range []string{"at once", "after a restart"} {
			n, err := p.Len([]byte("k"))
			got, ok, expireErr := p.ExpireTime([]byte("k"))
			if err = errors.Join(err, expireErr, p.finish()); n != 1 || got != at || !ok || err != nil {
				t.Errorf("cached %t, %s: HLEN %d, PEXPIRETIME %d, %t, %v; want 1, %d", cached, when, n, got, ok, err, at)
			}
			if err := errors.Join(e.Flush(), e.Close()); err != nil {
				t.Fatal(err)
			}
			e = open(t, o)
			p = e.NewPipeline()
		}
	}
}
