package engine

import (
	"fmt"
	"slices"
	"testing"
)

// TestWatchHash: who watches a hash hears of each of its fields, and of nothing else.
func TestWatchHash(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(e *Engine, p *Pipeline) error
		quiet bool
	}{
		"increment":      {do: func(_ *Engine, p *Pipeline) error { _, err := p.IncrField([]byte("h"), []byte("f"), 1); return err }},
		"of zero":        {do: func(_ *Engine, p *Pipeline) error { _, err := p.IncrField([]byte("h"), []byte("f"), 0); return err }},
		"new field":      {do: func(_ *Engine, p *Pipeline) error { _, err := p.IncrField([]byte("h"), []byte("new"), 1); return err }},
		"set":            {do: func(_ *Engine, p *Pipeline) error { return setOne(p, "h", "f", 1) }},
		"new hash":       {do: func(_ *Engine, p *Pipeline) error { return setOne(p, "none", "f", 1) }},
		"delete a field": {do: func(_ *Engine, p *Pipeline) error { _, err := p.DelFields([]byte("h"), fieldNames("f")); return err }},
		"delete":         {do: func(_ *Engine, p *Pipeline) error { _, err := p.Del(fieldNames("h")); return err }},
		"expire":         {do: func(_ *Engine, p *Pipeline) error { _, err := p.ExpireAt([]byte("h"), p.Now()+1000, 0); return err }},
		"flush":          {do: func(_ *Engine, p *Pipeline) error { return p.FlushDB() }},
		"foreign": {do: func(e *Engine, _ *Pipeline) error {
			q := newPeer(7)
			return e.Apply(q.batch(q.fieldDelta("h", "f", 1)))
		}},
		"foreign new hash": {do: func(e *Engine, _ *Pipeline) error {
			q := newPeer(7)
			return e.Apply(q.batch(q.fieldDelta("none", "f", 1)))
		}},

		"another hash":  {quiet: true, do: func(_ *Engine, p *Pipeline) error { return setOne(p, "other", "f", 1) }},
		"no such field": {quiet: true, do: func(_ *Engine, p *Pipeline) error { _, err := p.DelFields([]byte("h"), fieldNames("no")); return err }},
		"reads": {quiet: true, do: func(e *Engine, p *Pipeline) error {
			_, _, err := p.Field([]byte("h"), []byte("cold"))
			_, _ = p.Len([]byte("none"))
			p.Pause()
			evictAll(e)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, Options{})
			p, watcher := e.NewPipeline(), e.NewPipeline()
			for _, f := range []string{"f", "cold"} {
				if err := setOne(p, "h", f, 1); err != nil {
					t.Fatal(err)
				}
			}
			mustCommit(t, p)
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			evictAll(e)
			if err := watcher.Watch(fieldNames("h", "none")); err != nil {
				t.Fatal(err)
			}
			mustCommit(t, watcher)
			if err := c.do(e, p); err != nil {
				t.Fatal(err)
			}
			mustCommit(t, p)
			if broken := watcher.Broken(); broken == c.quiet {
				t.Errorf("Broken = %v; want %v", broken, !c.quiet)
			}
			watcher.Unwatch()
			mustCommit(t, watcher)
		})
	}
}

func fieldNames(names ...string) (list [][]byte) {
	for _, name := range names {
		list = append(list, []byte(name))
	}
	return list
}

func setOne(p *Pipeline, hash, field string, n int64) error {
	_, err := p.SetFields([]byte(hash), fieldNames(field), []Value{IntValue(n)}, Overwrite)
	return err
}

// TestHashSection: in a section everything can be done with hashes, at one moment and in one frame, and a crash leaves all of it.
func TestHashSection(t *testing.T) {
	o := disk()
	e := open(t, o)
	p := e.NewPipeline()
	const n = 3 * maxWhole
	names := make([][]byte, n)
	for i := range names {
		names[i] = fmt.Appendf(nil, "f%d", i)
	}
	values := slices.Repeat([]Value{IntValue(2)}, n)
	if created, err := p.SetFields([]byte("big"), names, values, Overwrite); created != n || err != nil {
		t.Fatalf("SetFields = %d, %v; want %d", created, err, n)
	}
	mustCommit(t, p)
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	e.SetCacheSize(0)
	evictAll(e)
	if err := p.Begin(false); err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	err := p.EachField([]byte("big"), func(_ []byte, v Value) { sum += v.Int })
	if v, incrErr := p.IncrField([]byte("h"), []byte("f"), 7); err != nil || incrErr != nil || v != 7 || sum != 2*n {
		t.Errorf("EachField: sum %d, %v, IncrField = %d, %v; want %d and 7", sum, err, v, incrErr, 2*n)
	}
	if v, err := p.IncrField([]byte("h"), []byte("f"), 1); v != 8 || err != nil {
		t.Errorf("IncrField = %d, %v; want 8", v, err)
	}
	if v, _, err := p.Field([]byte("h"), []byte("f")); v.Int != 8 || err != nil {
		t.Errorf("Field = %d, %v; want 8", v.Int, err)
	}
	if n, err := p.Del(fieldNames("big", "none")); n != 1 || err != nil {
		t.Errorf("Del = %d, %v; want 1", n, err)
	}
	if n, err := p.Len([]byte("big")); n != 0 || err != nil {
		t.Errorf("Len = %d, %v; want 0", n, err)
	}
	p.End()
	mustCommit(t, p)
	if got := e.Stats().Keys[0]; got != 1 {
		t.Errorf("%d keys; want 1", got)
	}
	prepared(e)
	w := hashWorld{t: t, o: o, e: e, p: p}
	w.rng = newHashWorld(t, 1).rng
	w.crash()
	checkFields(t, w.e, "h", map[string]int64{"f": 8})
	if got := w.e.Stats().Keys[0]; got != 1 {
		t.Errorf("after a crash %d keys; want 1", got)
	}
}

// TestWipeHashInSection: after FlushDB a section finds nothing, and what it makes anew is new.
func TestWipeHashInSection(t *testing.T) {
	e := open(t, Options{})
	p := e.NewPipeline()
	for _, f := range []string{"a", "b"} {
		if err := setOne(p, "h", f, 5); err != nil {
			t.Fatal(err)
		}
	}
	mustCommit(t, p)
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	evictAll(e)
	if err := p.Begin(true); err != nil {
		t.Fatal(err)
	}
	if err := p.FlushDB(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Len([]byte("h")); n != 0 || err != nil {
		t.Errorf("Len = %d, %v; want 0", n, err)
	}
	if v, err := p.IncrField([]byte("h"), []byte("a"), 1); v != 1 || err != nil {
		t.Errorf("IncrField = %d, %v; want 1", v, err)
	}
	all := 0
	if err := p.EachField([]byte("h"), func([]byte, Value) { all++ }); all != 1 || err != nil {
		t.Errorf("EachField met %d fields, %v; want 1", all, err)
	}
	p.End()
	mustCommit(t, p)
	for range 2 {
		checkFields(t, e, "h", map[string]int64{"a": 1, "b": 0})
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		evictAll(e)
	}
	if got := e.Stats().Keys[0]; got != 1 {
		t.Errorf("%d keys; want 1", got)
	}
}
