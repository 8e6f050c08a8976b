package tlv

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// lineage builds one: number, prev, first of each life, then the stamp.
func lineage(n ...uint64) Lineage {
	l := Lineage{Replica: 1, Stamp: Stamp(n[len(n)-1])}
	for ; len(n) > 1; n = n[3:] {
		l.Lives = append(l.Lives, Life{n[0], Stamp(n[1]), Stamp(n[2])})
	}
	return l
}

func TestConflict(t *testing.T) {
	for name, test := range map[string]struct {
		a, b Lineage
		want int
	}{
		"the same":                   {lineage(1, 0, 10, 50), lineage(1, 0, 10, 50), 0},
		"behind in one life":         {lineage(1, 0, 10, 50), lineage(1, 0, 10, 90), 0},
		"behind by a life":           {lineage(1, 0, 10, 40), lineage(1, 0, 10, 2, 50, 60, 90), 0},
		"up to the next life":        {lineage(1, 0, 10, 50), lineage(1, 0, 10, 2, 50, 60, 90), 0},
		"the original went on":       {lineage(1, 0, 10, 100), lineage(1, 0, 10, 2, 50, 60, 90), 1},
		"less far than the copy":     {lineage(1, 0, 10, 60), lineage(1, 0, 10, 2, 50, 55, 900), 1},
		"in another life":            {lineage(1, 0, 10, 3, 60, 70, 80), lineage(1, 0, 10, 2, 50, 65, 900), 1},
		"both were started anew":     {lineage(1, 0, 10, 3, 50, 70, 80), lineage(1, 0, 10, 2, 50, 75, 900), 1},
		"at one moment":              {lineage(1, 0, 10, 2, 50, 70, 80), lineage(1, 0, 10, 3, 50, 70, 900), 1},
		"before anything":            {lineage(5, 0, 10, 80), lineage(1, 0, 20, 900), 1},
		"without a beginning":        {lineage(2, 50, 60, 900), lineage(1, 0, 10, 100), 0},
		"with what is left of it":    {lineage(2, 50, 60, 3, 70, 80, 90), lineage(1, 0, 10, 2, 50, 60, 100), -1},
		"nothing here":               {Lineage{}, lineage(1, 0, 10, 100), 0},
		"the first of two copies":    {lineage(1, 0, 10, 2, 70, 75, 90), lineage(1, 0, 10, 3, 50, 60, 900), 1},
		"a copy of a copy":           {lineage(1, 0, 10, 2, 50, 60, 3, 70, 80, 90), lineage(1, 0, 10, 2, 50, 60, 75), -1},
		"and its original's own one": {lineage(1, 0, 10, 2, 50, 60, 3, 70, 80, 90), lineage(1, 0, 10, 55), -1},
	} {
		if got, back := test.a.Conflict(&test.b), test.b.Conflict(&test.a); got != test.want || back != -test.want {
			t.Errorf("%s: Conflict = %d, and the other way round %d; want %d", name, got, back, test.want)
		}
	}
}

// Of any number of histories of one replica, which all began as one, all come to the same one, in whatever order they meet:
// the relation is an order, in which a beginning is not told from what it is the beginning of.
func TestConflictsHaveOneOutcome(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		now, life := Stamp(0), uint64(0)
		var all []Lineage
		var at Lineage
		for range 40 {
			if len(all) == 0 || rng.IntN(4) == 0 {
				if len(all) > 0 { // rolled back
					at = all[rng.IntN(len(all))]
				}
				life = rng.Uint64()
			} else if rng.IntN(4) == 0 {
				life = rng.Uint64()
			}
			now += Stamp(1 + rng.IntN(3))
			at.Extend(&Batch{Replica: 1, Prev: at.Stamp, Stamp: now, Life: life})
			all = append(all, at)
		}
		beats := func(a, b int) bool { return all[a].Conflict(&all[b]) > 0 }
		for range 1000 {
			a, b, c := rng.IntN(len(all)), rng.IntN(len(all)), rng.IntN(len(all))
			if beats(a, b) && beats(b, c) && !beats(a, c) {
				t.Fatalf("seed %d: %v counts, and not %v, nor therefore %v; but not against that", seed, all[a], all[b], all[c])
			}
			if beats(a, b) && beats(b, a) {
				t.Fatalf("seed %d: of %v and %v each counts", seed, all[a], all[b])
			}
		}
		winner := func() Lineage {
			w := 0
			for _, i := range rng.Perm(len(all)) {
				c := all[w].Conflict(&all[i])
				if c < 0 || c == 0 && all[i].Stamp > all[w].Stamp {
					w = i
				}
			}
			return all[w]
		}
		if a, b := winner(), winner(); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: in one order %v wins, in another %v", seed, a, b)
		}
	}
}

func TestLineageIsCut(t *testing.T) {
	l := lineage(1, 0, 10, 2, 50, 60, 3, 70, 80, 90)
	if got, ok := l.Upto(VectorEntry{1, 65, 2}); !ok || !reflect.DeepEqual(got, lineage(1, 0, 10, 2, 50, 60, 65)) {
		t.Errorf("Upto = %v, %t", got, ok)
	}
	for _, e := range []VectorEntry{{1, 75, 2}, {1, 65, 9}, {1, 95, 3}, {1, 0, 0}} {
		if got, ok := l.Upto(e); ok {
			t.Errorf("Upto(%v) = %v; want nothing", e, got)
		}
	}
	if got := l.Since(2); !reflect.DeepEqual(got, lineage(2, 50, 60, 3, 70, 80, 90)) {
		t.Errorf("Since(2) = %v", got)
	}
	if got := l.Since(9); !reflect.DeepEqual(got, l) {
		t.Errorf("Since of an unknown life = %v; want all", got)
	}
	for i := range uint64(2 * MaxLives) {
		l.Extend(&Batch{Replica: 1, Prev: l.Stamp, Stamp: l.Stamp + 1, Life: 100 + i})
	}
	if len(l.Lives) != MaxLives || l.Lives[0].Prev == 0 {
		t.Errorf("%d lives are kept, the first after %d; want %d", len(l.Lives), l.Lives[0].Prev, MaxLives)
	}
}

func TestLineagesAreReadAsWritten(t *testing.T) {
	other := lineage(7, 0, 5, 9)
	other.Replica = 2
	list := []Lineage{lineage(1, 0, 10, 2, 50, 60, 90), other}
	data := AppendLineages(nil, list)
	if got, err := ParseLineages(data); err != nil || !reflect.DeepEqual(got, list) {
		t.Errorf("ParseLineages = %v, %v; want %v", got, err, list)
	}
	for i := range data[:len(data)-1] {
		if got, err := ParseLineages(data[:i+1]); err == nil && len(got) == len(list) {
			t.Errorf("ParseLineages of %d bytes = %v; want an error", i+1, got)
		}
	}
	for name, l := range map[string]Lineage{
		"no lives": {Replica: 1, Stamp: 5}, "replica 0": {Stamp: 5, Lives: []Life{{1, 0, 5}}}, "no first batch": lineage(1, 0, 0, 5),
		"first after the end": lineage(1, 0, 6, 5), "first before it began": lineage(1, 4, 3, 5), "a life twice": lineage(1, 0, 1, 1, 2, 3, 5),
		"a second beginning": lineage(1, 0, 1, 2, 0, 3, 5),
	} {
		if got, err := ParseLineages(AppendLineage(nil, &l)); err == nil {
			t.Errorf("%s: ParseLineages = %v; want an error", name, got)
		}
	}
	slices.Reverse(list)
	if got, err := ParseLineages(AppendLineages(nil, list)); err == nil {
		t.Errorf("out of order: ParseLineages = %v; want an error", got)
	}
}
