package engine

import (
	"errors"
	"fmt"
	"testing"

	"atomiccounter/tlv"
)

// TestTransferThatLosesItsSource: the source of a transfer counts and deletes what nobody else hears of, and is lost in the middle.
// What came of its state is everywhere in the end, when the state of another replica has taken its place: for who was there before,
// for who had nothing, and for who fetches the state in the middle of that.
func TestTransferThatLosesItsSource(t *testing.T) {
	for _, joins := range []bool{true, false} {
		source, rest, r := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
		const keys = 20
		name := func(i int) string { return fmt.Sprint("k", i) }
		for i := range keys {
			source.add(name(i), 1)
			rest.add(name(i), 10)
		}
		rest.pull(source)
		source.pull(rest)
		if !joins {
			r.pull(rest)
		}
		for i := range keys {
			switch i % 3 {
			case 0:
				source.add(name(i), 100)
			case 1:
				source.del(name(i))
			}
			source.add(fmt.Sprint("new", i), 1000)
		}
		r.fetch(source.snapshot(), source.ReplicaID(), 12)
		fourth := newMember(t, 4, Options{})
		half := r.snapshot()
		fourth.fetch(half, r.ReplicaID(), 0)
		if err := half.Close(); err != nil {
			t.Fatal(err)
		}
		s := rest.snapshot()
		r.begin(s, rest.ReplicaID())
		r.restart(r.disk.Copy(), false)
		r.fetch(s, rest.ReplicaID(), 0)
		if tr, ok := r.Transfer(); ok {
			t.Fatalf("%+v is under way", tr)
		}
		r.add(name(1), 5)
		rest.pull(r)
		r.pull(rest)
		for _, o := range []*member{rest, r} {
			if !fourth.pull(o) || !r.pull(rest) {
				t.Error("the log does not reach back")
			}
		}
		if v := r.Vector(); !v.Covers(rest.Vector()) || !rest.Vector().Covers(v) {
			t.Errorf("vectors %v and %v; want all alike", v, rest.Vector())
		}
		came := 0
		for i := range 2 * keys {
			key := name(i)
			if i >= keys {
				key = fmt.Sprint("new", i-keys)
			}
			want, err := r.Counter(key).Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want > 100 || want == 0 && i < keys {
				came++
			}
			rest.shows(key, int(want))
			fourth.shows(key, int(want))
		}
		if came == 0 || came > 3*keys/2 {
			t.Errorf("joins %t: %d changes came; want some of them, or this shows nothing", joins, came)
		}
	}
}

// A deleted key that the snapshot no longer has is closed here, and a lagging replica's batch does not bring it back.
func TestTransferClosesWhatIsGone(t *testing.T) {
	a, b, c := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
	a.add("dead", 5)
	a.add("alive", 1)
	b.pull(a)
	c.pull(a)
	for i := range 20 {
		a.add(fmt.Sprint("new", i), 1)
	}
	c.pull(a) // c has what b will be held back from
	b.add("dead", 2)
	a.pull(b)
	a.del("dead")
	b.del("nothing")
	a.flush()
	b.pull(a) // b closes its part
	b.flush()
	a.pull(b)
	a.flush()
	s := a.snapshot()
	c.fetch(s, a.ReplicaID(), 3)
	if _, ok := c.Transfer(); !ok {
		t.Fatalf("no transfer is under way")
	}
	old, err := b.Batches(nil, 0, 1<<20)
	if err != nil {
		t.Fatalf("Batches = %v", err)
	}
	for _, data := range old.Batches {
		batch, _, err := tlv.ParseBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Replica == b.ReplicaID() {
			if err := c.Apply(&batch); !errors.Is(err, ErrHeld) {
				t.Errorf("Apply in mid-transfer = %v; want %v", err, ErrHeld)
			}
		}
	}
	c.restart(c.disk.Copy(), false) // the transfer goes on
	if tr, ok := c.Transfer(); !ok || tr.Done == 0 || len(tr.Cursor) == 0 {
		t.Errorf("Transfer after a restart = %+v, %t", tr, ok)
	}
	c.fetch(s, a.ReplicaID(), 0)
	c.shows("dead", 0, "alive", 1, "new0", 1, "new19", 1)
	if err := c.Scrub(); err != nil {
		t.Errorf("Scrub = %v", err)
	}
	if st, err := c.readState(c.self.place([]byte("\x00dead")), "\x00dead"); err != nil || !st.Empty() {
		t.Errorf("the dead key left %+v, %v", st, err)
	}
	if n := c.Stats().Keys[0]; n != 21 {
		t.Errorf("DBSIZE = %d; want 21", n)
	}
}
