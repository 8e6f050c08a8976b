package engine

import (
	"fmt"
	"testing"

	"atomiccounter/engine/history"
)

func TestLogBringsWhatAPeerLacks(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	for i := range 10 {
		a.add(fmt.Sprint("k", i%3), 1)
		a.flush()
	}
	one, err := a.Batches(nil, b.ReplicaID(), 1)
	if err != nil || len(one.Batches) != 1 || one.Left != 9 || one.LeftKeys != 9 {
		t.Errorf("Batches of at least one = %d, %d left with %d keys, %v; want 1, 9, 9", len(one.Batches), one.Left, one.LeftKeys, err)
	}
	if !b.pull(a) {
		t.Errorf("the log does not reach back")
	}
	b.shows("k0", 4, "k1", 3, "k2", 3)
	if !b.Vector().Covers(a.Vector()) {
		t.Errorf("vector %v after all of %v", b.Vector(), a.Vector())
	}
	// A relay: c hears of a through b alone.
	c := newMember(t, 3, Options{})
	if !c.pull(b) {
		t.Errorf("the relay's log does not reach back")
	}
	c.shows("k0", 4, "k1", 3, "k2", 3)
	a.restart(a.disk.Copy(), false)
	if !newMember(t, 4, Options{}).pull(a) {
		t.Errorf("the log does not reach back after a restart")
	}
}

func TestLogIsBounded(t *testing.T) {
	a := newMember(t, 1, Options{Backlog: 1000})
	for i := range 100 {
		a.add(fmt.Sprint("k", i), 1)
		a.flush()
		if n := a.LogSize(); n > 1000 {
			t.Fatalf("after %d batches the log has %d bytes", i, n)
		}
	}
	b := newMember(t, 2, Options{})
	if b.pull(a) {
		t.Errorf("a log of 1000 bytes reaches back over 100 batches")
	}
	b.fetch(a.snapshot(), a.ReplicaID(), 0)
	for i := range 100 {
		b.shows(fmt.Sprint("k", i), 1)
	}
	a.add("k1", 5)
	if !b.pull(a) {
		t.Errorf("the log does not reach back to the snapshot")
	}
	b.shows("k1", 6)
	if err := a.TrimLog(b.Vector()); err != nil || a.LogSize() != 0 {
		t.Errorf("TrimLog = %v, %d bytes left; want none", err, a.LogSize())
	}
}

// What the log takes beside the batches counts too, also after a restart.
func TestLogSizeOfSmallBatches(t *testing.T) {
	a := newMember(t, 1, Options{})
	for range 10 {
		a.add("k", 1)
		a.flush()
	}
	size := func(when string) {
		t.Helper()
		b, err := a.Batches(nil, 0, 1<<20)
		want := int64(len(b.Batches)) * history.Overhead
		for _, data := range b.Batches {
			want += int64(len(data))
		}
		if n := a.LogSize(); n != want || len(b.Batches) != 10 || err != nil {
			t.Errorf("%s: %d batches, %v, take %d bytes; want %d", when, len(b.Batches), err, n, want)
		}
	}
	size("before a restart")
	a.restart(a.disk.Copy(), false)
	size("after it")
}

func TestNoLogWithoutAPeer(t *testing.T) {
	e := open(t, disk())
	increment(t, e, "k", 1)
	if err := e.Flush(); err != nil || e.LogSize() != 0 {
		t.Errorf("Flush = %v, the log has %d bytes; want none", err, e.LogSize())
	}
}
