package history

import (
	"encoding/hex"
	"slices"
	"testing"

	"atomiccounter/tlv"
)

// filled is a log with batches 1 to n of replica 7, and one of replica 8, of stamp 2; each takes 10 bytes.
func filled(n tlv.Stamp) *Log {
	r := new(Log)
	for stamp := tlv.Stamp(1); stamp <= n; stamp++ {
		r.Add(Logged{Replica: 7, Prev: stamp - 1, Stamp: stamp, Size: 10})
	}
	r.Add(Logged{Replica: 8, Stamp: 2, Size: 10})
	return r
}

// A batch stands in the log a moment before the version vector speaks of it. Until then no peer gets it.
func TestLogGivesWhatTheVectorHas(t *testing.T) {
	r := filled(4)
	for _, c := range []struct{ at, have, last tlv.Stamp }{{0, 4, 4}, {0, 3, 3}, {1, 2, 2}, {2, 2, 0}, {3, 2, 0}} {
		list, behind := r.After(tlv.Vector{{Replica: 7, Stamp: c.at}}, tlv.Vector{{Replica: 7, Stamp: c.have}}, 0)
		last := tlv.Stamp(0)
		if len(list) > 0 {
			last = list[len(list)-1].Stamp
		}
		if behind != 0 || last != c.last {
			t.Errorf("after %d of %d the log gives all up to %d, behind %x; want up to %d", c.at, c.have, last, behind, c.last)
		}
	}
}

// A log does not reach back before its first batch, nor into the middle of one.
func TestLogBehind(t *testing.T) {
	r := filled(4)
	r.Remove([]Logged{{Replica: 7, Stamp: 1}})
	r.Add(Logged{Replica: 9, Prev: 10, Stamp: 20})
	have := tlv.Vector{{Replica: 7, Stamp: 4}, {Replica: 8, Stamp: 2}, {Replica: 9, Stamp: 20}}
	for _, c := range []struct {
		v      tlv.Vector
		behind tlv.ReplicaID
	}{
		{tlv.Vector{{Replica: 7, Stamp: 1}, {Replica: 9, Stamp: 10}}, 0},
		{tlv.Vector{{Replica: 9, Stamp: 10}}, 7},
		{tlv.Vector{{Replica: 7, Stamp: 1}, {Replica: 9, Stamp: 15}}, 0},
		{tlv.Vector{{Replica: 7, Stamp: 1}}, 9},
	} {
		if _, behind := r.After(c.v, have, 0); behind != c.behind {
			t.Errorf("After(%v): behind for %d; want %d", c.v, behind, c.behind)
		}
	}
}

// What is too much goes, the oldest first, and so does what all peers have.
func TestLogExcess(t *testing.T) {
	for _, c := range []struct {
		limit int64
		acked tlv.Vector
		want  []tlv.Stamp
	}{
		{50, nil, nil},
		{49, nil, []tlv.Stamp{1}},
		{25, nil, []tlv.Stamp{1, 2, 2}},
		{-1, nil, []tlv.Stamp{1, 2, 2, 3, 4}},
		{50, tlv.Vector{{Replica: 7, Stamp: 3}}, []tlv.Stamp{1, 2, 3}},
		{10, tlv.Vector{{Replica: 8, Stamp: 9}}, []tlv.Stamp{2, 1, 2, 3}},
	} {
		r := filled(4)
		gone := r.Excess(c.limit, c.acked)
		var got []tlv.Stamp
		for i := range gone {
			got = append(got, gone[i].Stamp)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("Excess(%d, %v) = %d; want %d", c.limit, c.acked, got, c.want)
		}
		r.Remove(gone)
		if left := 50 - int64(10*len(gone)); r.Size() != left {
			t.Errorf("after Excess(%d, %v) the log takes %d bytes; want %d", c.limit, c.acked, r.Size(), left)
		}
	}
}

// A batch that does not follow the last begins the replica's log anew.
func TestLogBeginsAnew(t *testing.T) {
	r := filled(4)
	r.Add(Logged{Replica: 7, Prev: 9, Stamp: 10, Size: 10})
	if r.Size() != 20 {
		t.Errorf("the log takes %d bytes; want 20", r.Size())
	}
	r.Drop(7)
	if r.Size() != 10 {
		t.Errorf("without replica 7 the log takes %d bytes; want 10", r.Size())
	}
}

func TestLogKey(t *testing.T) {
	l := Logged{Replica: 1, Stamp: 2, Prev: 3, Hash: 4, Keys: 5}
	const want = "0000000000000001" + "0000000000000002" + "0000000000000003" + "0000000000000004" + "00000005"
	k := l.AppendKey(nil)
	if hex.EncodeToString(k) != want {
		t.Errorf("AppendKey = %x; want %s", k, want)
	}
	if back, ok := ParseKey(k); !ok || back != l {
		t.Errorf("ParseKey(%x) = %v, %t; want %v", k, back, ok, l)
	}
	if _, ok := ParseKey(k[1:]); ok {
		t.Errorf("ParseKey(%x) is ok; want not, for it is too short", k[1:])
	}
}
