package tlv

import (
	"reflect"
	"testing"
)

func TestVector(t *testing.T) {
	var v Vector
	v.Put(VectorEntry{Replica: 3, Stamp: 30, Life: 1})
	v.Put(VectorEntry{Replica: 1, Stamp: 10, Life: 2})
	v.Put(VectorEntry{Replica: 3, Stamp: 31, Life: 4})
	if want := (Vector{{1, 10, 2, 0, 0, 0}, {3, 31, 4, 0, 0, 0}}); !reflect.DeepEqual(v, want) {
		t.Errorf("after Put: %v; want %v", v, want)
	}
	if got := v.Entry(2); got != (VectorEntry{Replica: 2}) {
		t.Errorf("Entry(2) = %v; want no stamp", got)
	}
	if o := (Vector{{1, 10, 9, 0, 0, 0}, {2, 1, 1, 0, 0, 0}}); v.Covers(o) || !v.Covers(o[:1]) {
		t.Errorf("%v: Covers(%v) = %t, Covers(%v) = %t; want false, true", v, o, v.Covers(o), o[:1], v.Covers(o[:1]))
	}
	v.Merge(Vector{{2, 5, 5, 0, 0, 0}, {3, 30, 9, 0, 0, 0}})
	if want := (Vector{{1, 10, 2, 0, 0, 0}, {2, 5, 5, 0, 0, 0}, {3, 31, 4, 0, 0, 0}}); !reflect.DeepEqual(v, want) {
		t.Errorf("after Merge: %v; want %v", v, want)
	}
	if v.Remove(2); v.Entry(2).Stamp != 0 || len(v) != 2 {
		t.Errorf("after Remove(2): %v", v)
	}
}

func TestVectorIsReadAsWritten(t *testing.T) {
	for _, v := range []Vector{{}, {{1, 1, 0, 0, 0, 0}}, {{1, 10, 2, 3, 0, 0}, {3, 1 << 63, 1 << 63, 1 << 63, 0, 0}, {4, 0, 0, 0, 1 << 62, 3}, {9, 0, 0, 0, 5, 7}}} {
		got, err := ParseVector(AppendVector(nil, v))
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("ParseVector = %v, %v; want %v", got, err, v)
		}
	}
	for name, v := range map[string]Vector{"replica 0": {{0, 1, 1, 1, 0, 0}}, "no stamp": {{1, 0, 1, 1, 0, 0}}, "order": {{2, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 0, 0}}, "twice": {{2, 1, 1, 1, 0, 0}, {2, 1, 1, 1, 0, 0}}} {
		if got, err := ParseVector(AppendVector(nil, v)); err == nil {
			t.Errorf("%s: ParseVector = %v; want an error", name, got)
		}
	}
}

func TestVectorConflict(t *testing.T) {
	v := Vector{{1, 10, 2, 5, 0, 0}, {2, 20, 2, 6, 0, 0}}
	for _, test := range []struct {
		o    Vector
		want ReplicaID
	}{
		{nil, 0},
		{v, 0},
		{Vector{{1, 10, 2, 5, 0, 0}, {2, 21, 2, 7, 0, 0}, {3, 20, 2, 6, 0, 0}}, 0}, // another stamp shows nothing
		{Vector{{1, 10, 9, 5, 0, 0}, {2, 20, 2, 7, 0, 0}}, 2},
	} {
		if e, ok := v.Conflict(test.o); e.Replica != test.want || ok != (test.want != 0) {
			t.Errorf("%v: Conflict(%v) = %v, %t; want replica %d", v, test.o, e, ok, test.want)
		}
	}
}
