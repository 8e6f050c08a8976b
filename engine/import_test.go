package engine

import (
	"errors"
	"testing"

	"atomiccounter/tlv"
)

// A key to which others add all the time is dumped as of one flush: that there is more since does not matter.
func TestDumpOfAHotKey(t *testing.T) {
	var e *Engine
	var other *Pipeline
	published := 0
	e = open(t, Options{publish: func([]byte) {
		if published++; published > 3 || e.closed.Load() {
			return // so a Dump that waits until the key is clean ends, too
		}
		if _, err := other.Incr([]byte("hot"), 1); err != nil {
			t.Error(err)
		}
		if err := other.finish(); err != nil {
			t.Error(err)
		}
	}})
	other = e.NewPipeline()
	p := e.NewPipeline()
	_, err := p.Incr([]byte("hot"), 5)
	must(t, nil, err)
	s, ok, err := p.Dump([]byte("hot"))
	if v := s.View(); !ok || err != nil || v.Sum != tlv.FromInt64(5) || published != 1 {
		t.Errorf("Dump = %v, %t, %v after %d flushes; want 5 after one", v.Sum, ok, err, published)
	}
	if c := s.Contribution(e.ReplicaID()); c == nil || c.Rev != e.Vector().Entry(e.ReplicaID()).Stamp {
		t.Errorf("Dump gives the contribution %+v; want that of batch %d", c, e.Vector().Entry(e.ReplicaID()).Stamp)
	}
	commit(t, p)
	look(t, e, "hot", "6")
}

// What a flush is storing is not in the database before it ends, though nothing is pending any more.
func TestDumpDuringAFlush(t *testing.T) {
	var p *Pipeline
	dumped := false
	e := open(t, Options{publish: func([]byte) {
		dumped = true
		begin(t, p, false)
		if _, _, err := p.Dump([]byte("k")); !errors.Is(err, ErrInSection) {
			t.Errorf("Dump while it is flushed = %v; want %v", err, ErrInSection)
		}
		end(t, p)
	}})
	p = e.NewPipeline()
	_, err := p.Incr([]byte("k"), 5)
	must(t, nil, err)
	commit(t, p)
	must(t, nil, e.Flush())
	if s, ok, err := p.Dump([]byte("k")); !dumped || !ok || err != nil || s.View().Sum != tlv.FromInt64(5) {
		t.Errorf("Dump after the flush = %v, %t, %v; want 5", s, ok, err)
	}
	commit(t, p)
}

// Between the flush and the look the cache may drop the key.
func TestDumpOfAKeyThatIsNotCached(t *testing.T) {
	e := open(t, Options{})
	p := e.NewPipeline()
	_, err := p.Incr([]byte("k"), 5)
	must(t, nil, err)
	commit(t, p)
	must(t, nil, e.Flush())
	e.table.clear(e.gen.Load())
	if s, err := e.flushFor("\x00k"); err != nil || s.View().Sum != tlv.FromInt64(5) {
		t.Errorf("what is stored = %v, %v; want 5", s, err)
	}
}
