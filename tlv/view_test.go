package tlv

import (
	"encoding/json"
	"math/big"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// naive is the model's State: maps, and its rules word for word.
type naive struct {
	c map[ReplicaID]Contribution
	r map[ReplicaID]Reset
}

func newNaive(s *State) naive {
	n := naive{map[ReplicaID]Contribution{}, map[ReplicaID]Reset{}}
	for _, c := range s.Contributions {
		n.c[c.Replica] = c
	}
	for _, r := range s.Resets {
		n.r[r.Replica] = r
	}
	return n
}

func (n naive) cut(id ReplicaID) Stamp { return n.r[id].Rev }
func (n naive) live(id ReplicaID) bool { return !n.c[id].Closed && n.c[id].Last > n.cut(id) }

func (n naive) net(id ReplicaID) (total *big.Int, assigned bool) {
	c := n.c[id]
	if n.cut(id) >= c.Birth {
		return new(big.Int).Sub(toBig(c.Total), toBig(n.r[id].Base)), false
	}
	return toBig(c.Total), c.HasValue
}

func (n naive) value() (sum *big.Int, text string, kind Kind, exists bool) {
	sum, kind = new(big.Int), Natural
	var birth Stamp
	var winner ReplicaID
	for id, c := range n.c {
		if !n.live(id) {
			continue
		}
		exists = true
		if c.Kind == ZCounter {
			kind = ZCounter
		}
		total, assigned := n.net(id)
		sum.Add(sum, total)
		if assigned && (c.Birth > birth || c.Birth == birth && id > winner) {
			birth, winner = c.Birth, id
		}
	}
	if winner != 0 {
		sum.Add(sum, big.NewInt(n.c[winner].Assigned))
		text = n.c[winner].Text
	}
	return sum, text, kind, exists
}

func (n naive) expiry() (e Expiry, owner ReplicaID) {
	for id, c := range n.c {
		x := c.Expiry
		fieldsLive := c.Last == 0 && c.Rev > n.cut(id) // of a hash, which the model has not
		if c.Closed || x.Stamp == 0 || !n.live(id) && x.Stamp <= n.cut(id) && !fieldsLive {
			continue
		}
		if x.Stamp > e.Stamp || x.Stamp == e.Stamp && id > owner {
			e, owner = x, id
		}
	}
	if e.At == 0 { // a PERSIST, which nobody carries out
		owner = 0
	}
	if x := n.named(); x.Stamp > e.Stamp && !n.spares(x) {
		e, owner = x, 0
	}
	return e, owner
}

// named is the latest EXPIRE that is named at all.
func (n naive) named() (e Expiry) {
	for _, c := range n.c {
		if x := c.Expiry; x.At != 0 && (x.Stamp > e.Stamp || x.Stamp == e.Stamp && x.At > e.At) {
			e = c.Expiry
		}
	}
	return e
}

// spares says whether all that counts was begun after x was given, and by nobody who saw others' part in the key.
func (n naive) spares(x Expiry) bool {
	_, _, _, exists := n.value()
	for id, c := range n.c {
		if counts := n.live(id) || !exists && !c.Closed; counts && (c.Joined || c.Birth < x.Stamp) {
			return false
		}
	}
	return true
}

func TestViewAgainstTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		s := h.draw(t)
		v, n := s.View(), newNaive(&s)
		sum, text, kind, exists := n.value()
		if toBig(v.Sum).Cmp(wrap(sum)) != 0 || v.Text != text || v.IsText != (text != "") || v.Kind != kind || v.Exists != exists {
			t.Errorf("View of %+v: %v, %q, %v, exists %t; want %v, %q, %v, %t", s, v.Sum, v.Text, v.Kind, v.Exists, sum, text, kind, exists)
		}
		if e, owner := n.expiry(); v.Expiry != e || v.Owner != owner {
			t.Errorf("View of %+v: expiry %v of %d; want %v of %d", s, v.Expiry, v.Owner, e, owner)
		}
		for i := range s.Contributions {
			c := &s.Contributions[i]
			if open := !c.Closed && c.Rev > n.cut(c.Replica); s.Open(c) != open {
				t.Errorf("Open(%+v) in %+v = %t; want %t", c, s, !open, open)
			}
		}
	})
}

// The rows of testdata/merges.json and texts.json; the README there says how they were made.
type (
	modelState struct {
		C [][]any
		R [][]any
	}
	modelMerge struct {
		A, B, Merged modelState
		Value        any     // a number, a text or null
		Expiry       []int64 // stamp, replica, at
	}
)

func number(v any) int64 {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return i
}

func (m *modelState) state() (s State) {
	for _, f := range m.C {
		c := Contribution{Replica: ReplicaID(number(f[0])), Birth: Stamp(number(f[1])), Rev: Stamp(number(f[2])), Last: Stamp(number(f[3])),
			Total: FromInt64(number(f[4])), HasValue: f[5] != nil, Assigned: number(f[5]), Closed: f[7].(bool)}
		c.Text, c.IsText = f[5].(string)
		if e, ok := f[6].([]any); ok {
			c.Expiry = Expiry{Stamp: Stamp(number(e[0])), At: number(e[1])}
		}
		s.Contributions = append(s.Contributions, c)
	}
	for _, f := range m.R {
		s.Resets = append(s.Resets, Reset{ReplicaID(number(f[0])), Stamp(number(f[1])), FromInt64(number(f[2]))})
	}
	return s
}

func readMerges(t *testing.T, file string) (merges []modelMerge) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	if err := d.Decode(&merges); err != nil {
		t.Fatal(err)
	}
	return merges
}

func TestMergeAndViewAgainstTheModel(t *testing.T) {
	merges, texts := readMerges(t, "testdata/merges.json"), readMerges(t, "testdata/texts.json")
	if len(merges) != 200 || len(texts) != 100 {
		t.Errorf("%d and %d merges; want 200 and 100", len(merges), len(texts))
	}
	merges = append(merges, texts...)
	for i, m := range merges {
		a, b, want := m.A.state(), m.B.state(), m.Merged.state()
		for _, s := range []State{a, b, want} {
			if err := s.Validate(); err != nil {
				t.Errorf("merge %d: Validate(%+v) = %v", i, s, err)
			}
		}
		got := joined(&a, &b)
		if !sameState(&got, &want) {
			t.Errorf("merge %d: %+v; want %+v", i, got, want)
		}
		v := got.View()
		text, isText := m.Value.(string)
		if v.Exists != (m.Value != nil) || v.IsText != isText || v.Text != text || v.Exists && !isText && v.Sum != FromInt64(number(m.Value)) {
			t.Errorf("merge %d: exists %t, %v, %q; want %v", i, v.Exists, v.Sum, v.Text, m.Value)
		}
		var expiry Expiry
		var owner ReplicaID
		if len(m.Expiry) == 3 {
			expiry, owner = Expiry{Stamp(m.Expiry[0]), m.Expiry[2]}, ReplicaID(m.Expiry[1])
		}
		if !v.Left && (v.Expiry != expiry && v.Expiry.At != 0 || v.Owner != owner) { // the model says nothing of a PERSIST, nor of what is left over
			t.Errorf("merge %d: expiry %v of %d; want %v of %d", i, v.Expiry, v.Owner, expiry, owner)
		}
	}
}

// Stamps at the edges, which histories meet seldom or never.
func TestViewAtTheCut(t *testing.T) {
	set := Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 8, Total: FromInt64(3), HasValue: true, Assigned: 100, Expiry: Expiry{7, 50}}
	for _, test := range []struct {
		cut    Stamp
		exists bool
		sum    int64
		at     int64
	}{
		{4, true, 103, 50}, // of an earlier life
		{5, true, 2, 50},   // the value is cancelled, and 1 of the total
		{6, true, 2, 50},
		{7, true, 2, 50},  // what is left was counted under the expiry
		{8, false, 0, 50}, // it is named still: of a hash there may be fields
		{9, false, 0, 50},
	} {
		s := State{Contributions: []Contribution{set}}
		s.Merge(&State{Resets: []Reset{{Replica: 1, Rev: test.cut, Base: FromInt64(1)}}})
		if kept := len(s.Resets) == 1; kept != (test.cut >= set.Birth) {
			t.Errorf("cut %d, birth %d: reset kept %t", test.cut, set.Birth, kept)
		}
		v := s.View()
		if v.Exists != test.exists || v.Sum != FromInt64(test.sum) || v.Expiry.At != test.at {
			t.Errorf("cut %d: %+v; want exists %t, sum %d, expiry at %d", test.cut, v, test.exists, test.sum, test.at)
		}
	}
}

// A text hides what is added to the key, until it is cancelled.
func TestViewOfATextAndIncrements(t *testing.T) {
	text := Contribution{Replica: 1, Birth: 5, Rev: 9, Last: 9, HasValue: true, IsText: true, Text: "x", Total: FromInt64(3)}
	add := Contribution{Replica: 2, Birth: 6, Rev: 7, Last: 7, Total: FromInt64(40)}
	older := Contribution{Replica: 3, Birth: 4, Rev: 7, Last: 7, HasValue: true, Assigned: 100}
	newer := older
	newer.Birth = 6
	for name, test := range map[string]struct {
		s    State
		text string
		sum  int64
	}{
		"alone":                {State{Contributions: []Contribution{text}}, "x", 3},
		"with an increment":    {State{Contributions: []Contribution{text, add}}, "x", 43},
		"after an integer":     {State{Contributions: []Contribution{text, add, older}}, "x", 43},
		"before an integer":    {State{Contributions: []Contribution{text, add, newer}}, "", 143},
		"text cancelled":       {State{Contributions: []Contribution{text, add}, Resets: []Reset{{1, 5, FromInt64(1)}}}, "", 42},
		"text's owner is gone": {State{Contributions: []Contribution{text, add, older}, Resets: []Reset{{1, 9, FromInt64(3)}}}, "", 140},
	} {
		if v := test.s.View(); !v.Exists || v.Text != test.text || v.IsText != (test.text != "") || v.Sum != FromInt64(test.sum) {
			t.Errorf("%s: %+v; want %q and sum %d", name, v, test.text, test.sum)
		}
	}
}
