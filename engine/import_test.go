package engine

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// part is a contribution of n by a replica, as of rev, and born at its first stamp.
func part(id tlv.ReplicaID, rev tlv.Stamp, n int64) tlv.State {
	return tlv.State{Contributions: []tlv.Contribution{{Replica: id, Birth: 1, Rev: rev, Last: rev, Total: tlv.FromInt64(n)}}}
}

func (m *member) merge(key string, home tlv.ClusterID, s tlv.State) error {
	return m.Merge([]tlv.Delta{foreignDelta(key, home, s)})
}

func (m *member) mustMerge(key string, home tlv.ClusterID, s tlv.State) {
	m.t.Helper()
	if err := m.merge(key, home, s); err != nil {
		m.t.Fatalf("Merge = %v", err)
	}
}

// TestMergeInTheNameOfAReplica: whoever knows the ID of a replica that has no entry here yet counts in its name. Whatever stamp that has,
// what the replica itself counts comes, and it shows the same everywhere.
func TestMergeInTheNameOfAReplica(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	now := tlv.Stamp(a.Now()) << tlv.StampShift
	for _, rev := range []tlv.Stamp{math.MaxUint64, now + 2*3600*1000<<tlv.StampShift} {
		if err := a.merge("k", tlv.NoCluster, part(b.ReplicaID(), rev, 5)); !errors.Is(err, ErrClock) {
			t.Errorf("Merge of rev %d = %v; want %v", rev, err, ErrClock)
		}
	}
	a.mustMerge("k", tlv.NoCluster, part(b.ReplicaID(), now+1800*1000<<tlv.StampShift, 5))
	a.mustMerge("plain", tlv.PlainCluster, part(b.ReplicaID(), math.MaxUint64, 7))
	b.add("k", 1000)
	b.add("plain", 1000)
	a.pull(b)
	b.pull(a)
	a.shows("k", 1005, "plain", 1007)
	b.shows("k", 1005, "plain", 1007)
	b.del("k")
	a.pull(b)
	a.shows("k", 0)
}

// Stamps of the end of time in what is not a contribution's rev: what is written here later still wins.
func TestMergeOfLateStamps(t *testing.T) {
	a := newMember(t, 1, Options{})
	late := tlv.Stamp(math.MaxUint64)
	set := tlv.Contribution{Replica: 7, Birth: late, Rev: late, Last: late, HasValue: true, Assigned: 5}
	expiry := tlv.Contribution{Replica: 7, Birth: 1, Rev: late, Last: 1, Total: tlv.FromInt64(1), Expiry: tlv.Expiry{Stamp: late, At: 1}}
	closed := tlv.Contribution{Replica: 7, Birth: late, Rev: late, Closed: true, Expiry: tlv.Expiry{Stamp: late, At: math.MaxInt64}}
	for name, s := range map[string]tlv.State{
		"a SET": {Contributions: []tlv.Contribution{set}}, "an EXPIRE": {Contributions: []tlv.Contribution{expiry}},
		"an EXPIRE that is over": {Contributions: []tlv.Contribution{closed}}, "a DEL": {Resets: []tlv.Reset{{Replica: 7, Rev: late}}},
	} {
		if err := a.merge("k", 5, s); !errors.Is(err, ErrClock) {
			t.Errorf("Merge of %s = %v; want %v", name, err, ErrClock)
		}
		if err := a.merge("k", tlv.PlainCluster, s); name != "a DEL" && !errors.Is(err, ErrClock) {
			t.Errorf("Merge of %s in a plain counter = %v; want %v", name, err, ErrClock)
		}
	}
	a.mustMerge("k", tlv.PlainCluster, part(7, late, 5))
	a.run(func(p *Pipeline) error { _, err := p.Set([]byte("k"), 1, SetOptions{}); return err })
	a.shows("k", 1)
	a.flush()
	if ahead := a.Vector().Entry(a.ReplicaID()).Stamp.Millis() - a.Now(); ahead > 1000 {
		t.Errorf("the rev of a plain counter has moved the clock %d ms ahead", ahead)
	}
}

// TestMergeOfItsOwnCluster: what replicas of this cluster contribute comes by batches.
func TestMergeOfItsOwnCluster(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	b.add("k", 2)
	b.flush()
	dump := b.stored("k")
	if err := a.JoinCluster(tlv.Cluster{Names: []tlv.ClusterID{5}}); err != nil {
		t.Fatal(err)
	}
	if err := a.merge("k", 5, dump); !errors.Is(err, ErrMember) {
		t.Errorf("Merge of what has not come yet = %v; want %v", err, ErrMember)
	}
	a.pull(b)
	for _, home := range []tlv.ClusterID{5, 6, tlv.NoCluster, tlv.PlainCluster} {
		a.mustMerge("k", home, dump)
	}
	a.shows("k", 3)
	b.del("k") // what a cluster has is cancelled by its own
	b.add("k", 0)
	a.pull(b)
	a.mustMerge("k", 5, dump)
	a.mustMerge("k", 5, tlv.State{Resets: []tlv.Reset{{Replica: a.ReplicaID(), Rev: a.Vector().Entry(a.ReplicaID()).Stamp, Base: tlv.FromInt64(-1000)}}})
	a.shows("k", 1)
}

// A dump goes from one cluster to another, and back: each has what both counted. Twice, at whatever server, is as good as once.
func TestDumpsGoBothWays(t *testing.T) {
	a, b, far := newMember(t, 1, Options{}), newMember(t, 2, Options{}), newMember(t, 3, Options{})
	dump := func(m *member) tlv.State {
		m.flush()
		data := tlv.AppendDump(nil, m.Cluster().Names[0], new(m.stored("k")))
		s, err := tlv.ParseDump(data)
		must(t, nil, err)
		return s
	}
	give := func(to *member, s tlv.State) {
		t.Helper()
		if err := to.Merge([]tlv.Delta{{Key: []byte("\x00k"), State: s}}); err != nil {
			t.Fatalf("Merge = %v", err)
		}
	}
	if err := b.JoinCluster(a.Cluster()); err != nil {
		t.Fatal(err)
	}
	a.add("k", 1)
	far.mustMerge("k", tlv.PlainCluster, part(9, 3, 100))
	for range 2 {
		give(far, dump(a))
		give(a, dump(far))
		b.pull(a)
		give(b, dump(far))
		a.add("k", 1)
		far.add("k", 10)
	}
	give(far, dump(a))
	give(a, dump(far))
	a.pull(b)
	b.pull(a)
	a.shows("k", 123)
	b.shows("k", 123)
	far.shows("k", 123)
}

// A dump that says of what a store published as a tail comes back to its cluster.
func TestMergeOfATail(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	b.pull(a)
	a.add("k", 10)
	renewed(a, b)
	dump := a.stored("k")
	if len(dump.Contributions) != 2 {
		t.Fatalf("%v; want a tail beside what was published", dump)
	}
	for _, home := range []tlv.ClusterID{a.Cluster().Names[0], 6, tlv.NoCluster} {
		a.mustMerge("k", home, dump)
	}
	a.shows("k", 11)
	must(t, nil, b.JoinCluster(a.Cluster()))
	if err := b.merge("k", a.Cluster().Names[0], dump); !errors.Is(err, ErrMember) {
		t.Errorf("Merge of what has not come yet = %v; want %v", err, ErrMember)
	}
	b.pull(a)
	b.mustMerge("k", tlv.NoCluster, dump)
	b.shows("k", 11)
}

// What a store of format 3 has of a device, under its own ID, is not counted beside what that sends from now on, at whatever server, and
// what was cancelled of it stays so.
func TestMergeOfWhatFormat3Has(t *testing.T) {
	for cut, want := range map[tlv.Stamp][3]int{0: {50, 90, 70}, 3: {30, 70, 50}, 5: {0, 40, 20}} {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		old := part(77, 5, 50)
		if cut != 0 {
			old.PutReset(tlv.Reset{Replica: 77, Rev: cut, Base: tlv.FromInt64(int64(50 - want[0]))})
		}
		for _, m := range []*member{a, b} {
			c := m.committer.lock()
			must(t, nil, c.rework([]tlv.Delta{{Key: []byte("\x00k"), State: old}}, func(j *merging) { j.all.Merge(j.delta); j.keep(c.covers) }))
			c.unlock()
			m.shows("k", want[0])
		}
		a.mustMerge("k", a.Cluster().Names[0], old)
		a.mustMerge("k", tlv.PlainCluster, part(77, 5, 50))
		a.shows("k", want[0])
		a.mustMerge("k", tlv.PlainCluster, part(77, 9, 90))
		a.mustMerge("k", tlv.PlainCluster, part(77, 9, 90))
		b.mustMerge("k", tlv.PlainCluster, part(77, 7, 70))
		a.shows("k", want[1])
		b.shows("k", want[2])
		exchange(t, a, b)
		a.shows("k", want[1])
		b.shows("k", want[1])
	}
}

// What a transfer has brought of a replica is not foreign, though the vector does not say so yet.
func TestMergeInHalfATransfer(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 10)
	s := a.snapshot()
	b.begin(s, a.ReplicaID())
	page, next, n, err := s.Page(nil, 1<<20)
	must(t, nil, err)
	must(t, nil, b.MergePage(page, next, n))
	b.mustMerge("k", tlv.NoCluster, a.stored("k"))
	b.mustMerge("k", tlv.PlainCluster, a.stored("k"))
	must(t, nil, b.FinishTransfer())
	b.shows("k", 10)
}

// TestForeignIsBounded: one key takes in so many foreign replicas, and so much of texts, and no more; nor do others of the same CMERGE.
func TestForeignIsBounded(t *testing.T) {
	a := newMember(t, 1, Options{})
	var many tlv.State
	for i := range maxForeign {
		many.Merge(new(part(tlv.ReplicaID(i+1), 5, 1)))
	}
	a.mustMerge("k", 5, many)
	more := []tlv.Delta{foreignDelta("other", 5, part(1, 5, 1)), foreignDelta("k", 5, part(maxForeign+1, 5, 1))}
	if err := a.Merge(more); !errors.Is(err, ErrForeign) {
		t.Errorf("Merge of one more = %v; want %v", err, ErrForeign)
	}
	a.shows("k", maxForeign, "other", 0)
	a.mustMerge("k", 5, part(1, 6, 2))
	a.shows("k", maxForeign+1)
	a.del("k")
	if err := a.Merge(more); !errors.Is(err, ErrForeign) {
		t.Errorf("Merge of one more after a DEL = %v; want %v", err, ErrForeign)
	}
	a.flush()
	if n, err := a.Forget(1); err != nil || n != 1 {
		t.Errorf("Forget = %d, %v; want 1", n, err)
	}
	if err := a.Merge(more); err != nil {
		t.Errorf("Merge when one is forgotten = %v", err)
	}
	a.shows("k", 1, "other", 1)
}

func TestForeignTextsAreBoundedAndFreed(t *testing.T) {
	a := newMember(t, 1, Options{})
	text := func(id tlv.ReplicaID, rev tlv.Stamp) tlv.State {
		return tlv.State{Contributions: []tlv.Contribution{{Replica: id, Birth: 2, Rev: rev, Last: rev, HasValue: true, IsText: true, Text: strings.Repeat("x", tlv.MaxText)}}}
	}
	for id := range tlv.ReplicaID(4) {
		a.mustMerge("k", 5, text(id+1, 5))
	}
	if err := a.merge("k", 5, text(5, 5)); !errors.Is(err, ErrForeign) {
		t.Errorf("Merge of one more = %v; want %v", err, ErrForeign)
	}
	a.mustMerge("k", 5, text(1, 6))
	a.del("k")
	a.flush()
	if s := a.stored("k"); s.Texts() != 0 || len(s.Resets) != 4 {
		t.Errorf("after a DEL there are %d bytes of texts, and %d resets; want 0 and 4", s.Texts(), len(s.Resets))
	}
	a.mustMerge("k", 5, text(1, 6))
	if s := a.stored("k"); s.Texts() != 0 || s.View().Exists {
		t.Errorf("what was deleted is merged again: %d bytes of texts", s.Texts())
	}
	a.mustMerge("k", 5, text(1, 7))
	if s := a.stored("k"); s.Texts() != tlv.MaxText {
		t.Errorf("what was added since is merged: %d bytes of texts", s.Texts())
	}
}

func TestClusterNames(t *testing.T) {
	a := newMember(t, 1, Options{})
	own := a.Cluster().Names[0]
	if !a.Cluster().Provisional {
		t.Errorf("a new store is of %v", a.Cluster())
	}
	a.add("k", 1)
	p := a.NewPipeline()
	if _, ok, err := p.Dump([]byte("k")); err != nil || !ok {
		t.Fatalf("Dump = %t, %v", ok, err)
	}
	must(t, nil, p.finish())
	other := tlv.Cluster{Names: []tlv.ClusterID{2}}
	if err := a.JoinCluster(other); err != nil {
		t.Fatal(err)
	}
	a.restart(a.disk.Crash(), false)
	if c := a.Cluster(); !c.Has(own) || !c.Has(2) || len(c.Names) != 2 || c.Provisional {
		t.Errorf("after a restart it is of %v; want %d and 2", c, own)
	}
	var many tlv.Cluster
	for i := range tlv.ClusterID(tlv.MaxClusterNames) {
		many.Names = append(many.Names, i+2)
	}
	if err := a.JoinCluster(many); !errors.Is(err, ErrClusterNames) || len(a.Cluster().Names) != 2 {
		t.Errorf("JoinCluster = %v, it is of %v; want %v", err, a.Cluster(), ErrClusterNames)
	}
}

// foreignDelta is a state of another cluster, for Merge.
func foreignDelta(key string, home tlv.ClusterID, s tlv.State) tlv.Delta {
	return tlv.Delta{Key: []byte("\x00" + key), State: s.Abroad(home)}
}

func TestMergeFromElsewhere(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	device := func(rev tlv.Stamp, total int64) tlv.Delta {
		c := tlv.Contribution{Replica: 77, Birth: 1, Rev: rev, Last: rev, Total: tlv.FromInt64(total)}
		return foreignDelta("k", 5, tlv.State{Contributions: []tlv.Contribution{c}})
	}
	a.add("k", 1)
	for _, d := range []tlv.Delta{device(5, 50), device(9, 90), device(5, 50)} {
		if err := a.Merge([]tlv.Delta{d}); err != nil {
			t.Fatalf("Merge = %v", err)
		}
	}
	a.shows("k", 91)
	b.pull(a)
	b.shows("k", 91)
	b.del("k")
	a.pull(b)
	a.shows("k", 0)
	if err := a.Merge([]tlv.Delta{device(9, 90)}); err != nil {
		t.Fatalf("Merge again = %v", err)
	}
	a.shows("k", 0)
	if err := a.Merge([]tlv.Delta{device(10, 100)}); err != nil {
		t.Fatalf("Merge of more = %v", err)
	}
	a.shows("k", 10)
	p := a.NewPipeline()
	s, ok, err := p.Dump([]byte("k"))
	if err != nil || !ok || s.Origin(tlv.ForeignID(77, false)) == nil {
		t.Errorf("Dump = %+v, %t, %v", s, ok, err)
	}
	if err := p.finish(); err != nil {
		t.Error(err)
	}
	ahead := tlv.Contribution{Replica: b.ReplicaID(), Birth: 1, Rev: b.Vector().Entry(b.ReplicaID()).Stamp + 1}
	ahead.Last, ahead.Total = ahead.Rev, tlv.FromInt64(5)
	both := []tlv.Delta{device(11, 110), foreignDelta("l", 5, tlv.State{Contributions: []tlv.Contribution{ahead}})}
	if err := a.Merge(both); !errors.Is(err, ErrMember) {
		t.Errorf("Merge of a member's future = %v; want %v", err, ErrMember)
	}
	a.shows("k", 10)
	b.pull(a)
	b.shows("k", 10)
	b.del("k")
	b.flush()
	if n, err := b.Forget(77); err != nil || n != 1 {
		t.Errorf("Forget = %d, %v; want 1", n, err)
	}
	if st, err := b.readState(b.self.place([]byte("\x00k")), "\x00k"); err != nil || len(st.Origins) > 0 || st.Reset(tlv.ForeignID(77, false)) != nil {
		t.Errorf("after Forget: %+v, %v", st, err)
	}
}

func TestMergeShowsAtOnce(t *testing.T) {
	a := newMember(t, 1, Options{UpdatePeriod: time.Hour})
	a.add("k", 1)
	c := tlv.Contribution{Replica: 77, Birth: 1, Rev: 5, Last: 5, Total: tlv.FromInt64(50)}
	if err := a.Merge([]tlv.Delta{foreignDelta("k", 5, tlv.State{Contributions: []tlv.Contribution{c}})}); err != nil {
		t.Fatalf("Merge = %v", err)
	}
	a.shows("k", 51)
}
