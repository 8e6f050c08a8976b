package tlv

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// history is what some replicas published of one key, in the order of their revs, and the resets that others can have
// made of it. States of replicas are made of such parts, whatever batches they have seen.
type history struct {
	contributions [][]Contribution
	resets        [][]Reset
	origins       []*Origin // nil: a replica that writes here
}

func drawHistory(t *rapid.T) (h history) {
	for n := ReplicaID(1); n <= 4; n++ {
		id, origin := n, (*Origin)(nil)
		if n > 2 {
			o := NewOrigin(ClusterID(n), n)
			id, origin = o.ID, &o
		}
		h.origins = append(h.origins, origin)
		var published []Contribution
		var resets []Reset
		for range rapid.IntRange(1, 5).Draw(t, "batches") {
			c := drawNext(t, id, published)
			published = append(published, c)
			resets = append(resets, Reset{Replica: id, Rev: c.Rev, Base: c.Total})
		}
		h.contributions, h.resets = append(h.contributions, published), append(h.resets, resets)
	}
	return h
}

// drawNext is what a replica can publish after all before: more of the same life, a new life, or the end of one.
func drawNext(t *rapid.T, id ReplicaID, before []Contribution) Contribution {
	c := Contribution{Replica: id, Closed: true}
	if len(before) > 0 {
		c = before[len(before)-1]
	}
	since := c.Rev
	c.Rev += rapid.SampledFrom([]Stamp{2, 3, 9}).Draw(t, "rev")
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		return Contribution{Replica: id, Rev: c.Rev, Birth: c.Rev, Closed: true, Expiry: c.Expiry}
	case 1: // an EXPIRE, perhaps of what others have
		if c.Closed {
			c = Contribution{Replica: id, Rev: c.Rev, Birth: since + 1, Joined: rapid.Bool().Draw(t, "joined")}
		}
		c.Expiry = Expiry{Stamp: since + 1, At: rapid.Int64Range(0, 2).Draw(t, "at")}
		return c
	case 2: // a SET
		c = Contribution{Replica: id, Rev: c.Rev, Birth: since + 1, HasValue: true}
		if text := rapid.SampledFrom([]string{"", "", "a", "b", "01"}).Draw(t, "text"); text != "" {
			c.IsText, c.Text = true, text
		} else {
			c.Assigned = rapid.Int64Range(-9, 9).Draw(t, "assigned")
		}
	}
	if c.Closed {
		c = Contribution{Replica: id, Rev: c.Rev, Birth: since + 1, Kind: Kind(rapid.IntRange(0, 1).Draw(t, "kind")), Joined: rapid.Bool().Draw(t, "joined")}
	}
	c.Last = c.Rev
	c.Total = c.Total.Add(drawInt128(t))
	return c
}

// draw is a state that may come of it.
func (h *history) draw(t *rapid.T) (s State) {
	for i := range h.contributions {
		if n := rapid.IntRange(0, len(h.contributions[i])).Draw(t, "seen"); n > 0 {
			s.Put(h.contributions[i][n-1])
		}
		if n := rapid.IntRange(0, len(h.resets[i])).Draw(t, "cancelled"); n > 0 && rapid.Bool().Draw(t, "reset") {
			s.PutReset(h.resets[i][n-1])
		}
		if o := h.origins[i]; o != nil {
			s.Origins = union[Origin](s.Origins, []Origin{*o})
		}
	}
	s.dropOrigins()
	s.Merge(&State{})
	return s
}

func joined(a, b *State) State {
	s := a.Clone()
	s.Merge(b)
	return s
}

func sameState(a, b *State) bool {
	return slices.Equal(a.Contributions, b.Contributions) && slices.Equal(a.Resets, b.Resets) && slices.Equal(a.Origins, b.Origins)
}

func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		a, b, c := h.draw(t), h.draw(t), h.draw(t)
		kept := b.Clone()
		if got := joined(&a, &a); !sameState(&got, &a) {
			t.Errorf("merged with itself: %+v; want %+v", got, a)
		}
		ab, ba := joined(&a, &b), joined(&b, &a)
		if !sameState(&ab, &ba) {
			t.Errorf("a and b: %+v; b and a: %+v", ab, ba)
		}
		bc := joined(&b, &c)
		x, y := joined(&ab, &c), joined(&a, &bc)
		if !sameState(&x, &y) {
			t.Errorf("(ab)c: %+v; a(bc): %+v", x, y)
		}
		if !sameState(&b, &kept) {
			t.Errorf("Merge changed its operand to %+v; want %+v", b, kept)
		}
		if err := x.Validate(); err != nil {
			t.Errorf("Validate(%+v) = %v", x, err)
		}
	})
}

func TestMergeOfAForkIsTheSameBothWays(t *testing.T) {
	other := exampleAdd
	other.Total = FromInt64(7)
	a := State{Contributions: []Contribution{exampleAdd}, Resets: []Reset{exampleReset}}
	b := State{Contributions: []Contribution{other}, Resets: []Reset{{exampleReset.Replica, exampleReset.Rev, FromInt64(7)}}}
	ab, ba := joined(&a, &b), joined(&b, &a)
	if !sameState(&ab, &ba) {
		t.Errorf("a and b: %+v; b and a: %+v", ab, ba)
	}
}

func TestStateIsReadAsWritten(t *testing.T) {
	var reused State
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		s := h.draw(t)
		data := AppendState(nil, &s)
		got, err := ParseState(data)
		if !sameState(&got, &s) || err != nil {
			t.Errorf("ParseState(% x) = %+v, %v; want %+v", data, got, err, s)
		}
		if err := ParseStateInto(&reused, data); !sameState(&reused, &s) || err != nil {
			t.Errorf("ParseStateInto(% x) = %+v, %v; want %+v", data, reused, err, s)
		}
		for i := range data {
			cut, err := ParseState(data[:i])
			if back := AppendState(nil, &cut); err == nil && !bytes.Equal(back, data[:i]) {
				t.Errorf("ParseState(% x) = %+v, written back % x", data[:i], cut, back)
			}
		}
	})
}

func TestPutAndFind(t *testing.T) {
	var s State
	for _, id := range []ReplicaID{5, 1, 3, 1 << 63, 3} {
		s.Put(Contribution{Replica: id, Rev: Stamp(id)})
		s.PutReset(Reset{Replica: id, Rev: Stamp(id)})
	}
	s.PutReset(Reset{Replica: 5, Rev: 4})
	for _, id := range []ReplicaID{1, 3, 5, 1 << 63} {
		if c, r := s.Contribution(id), s.Reset(id); c == nil || c.Rev != Stamp(id) || r == nil || r.Rev != Stamp(id) {
			t.Errorf("of replica %d: %v, %v; want both of rev %d", id, c, r, id)
		}
	}
	if c, r := s.Contribution(2), s.Reset(2); c != nil || r != nil {
		t.Errorf("of replica 2: %v, %v; want none", c, r)
	}
	if len(s.Contributions) != 4 || len(s.Resets) != 4 {
		t.Errorf("%d contributions, %d resets; want 4 each", len(s.Contributions), len(s.Resets))
	}
}

func TestCollect(t *testing.T) {
	closed := func(id ReplicaID, rev Stamp) Contribution {
		return Contribution{Replica: id, Rev: rev, Birth: rev, Closed: true}
	}
	s := State{
		Contributions: []Contribution{exampleAdd, closed(2, 10), closed(3, 11), closed(6, 10)},
		Resets: []Reset{{Replica: 1, Rev: 0x10}, {Replica: 2, Rev: 9}, {Replica: 3, Rev: 10}, {Replica: 4, Rev: 11}, {Replica: 5, Rev: 10},
			{Replica: 6, Rev: 10}},
	}
	want := State{
		Contributions: []Contribution{exampleAdd, closed(3, 11), closed(6, 10)}, // closed, but not yet covered; forgotten
		Resets:        []Reset{{Replica: 1, Rev: 0x10}, {Replica: 3, Rev: 10}, {Replica: 4, Rev: 11}, {Replica: 6, Rev: 10}},
	}
	s.Collect(func(_ ReplicaID, rev Stamp) bool { return rev <= 10 })
	if !reflect.DeepEqual(s, want) {
		t.Errorf("Collect left %+v; want %+v", s, want)
	}
}

func TestParseStateIntoIsEmptyAfterAnError(t *testing.T) {
	s := State{Contributions: []Contribution{exampleAdd}}
	if err := ParseStateInto(&s, []byte("x")); err == nil || !s.Empty() {
		t.Errorf("ParseStateInto = %v, left %+v; want an error and nothing", err, s)
	}
}
