package engine

import "testing"

// TestNothingIsToldBeforeItIsJournaled: a pipeline has increments that it has not yet committed. What another one reads of the key
// includes them, so its Commit must not return before that of the first, and its position covers them.
func TestNothingIsToldBeforeItIsJournaled(t *testing.T) {
	key, field := []byte("id"), []byte("f")
	add := func(p *Pipeline) (int64, error) { return p.Incr(key, 1) }
	addField := func(p *Pipeline) (int64, error) { return p.IncrField([]byte("h"), field, 1) }
	for _, c := range []struct {
		name      string
		add, look func(*Pipeline) (int64, error)
	}{
		{"Incr", add, add},
		{"Get", add, func(p *Pipeline) (int64, error) { v, _, err := p.Get(key); return v, err }},
		{"MGet", add, func(p *Pipeline) (int64, error) {
			list, err := p.MGet([][]byte{key, []byte("none")}, nil)
			return list[0].Int, err
		}},
		{"IncrField", addField, addField},
		{"Field", addField, func(p *Pipeline) (int64, error) { v, _, err := p.Field([]byte("h"), field); return v.Int, err }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := disk()
			o.manual = true // no cut between the two: the short way stays open
			e := open(t, o)
			first, second := e.NewPipeline(), e.NewPipeline()
			commit := func(p *Pipeline) Position {
				pos, err := p.Commit()
				if err != nil {
					t.Errorf("Commit = %v", err)
				}
				return pos
			}
			act := func(p *Pipeline, f func(*Pipeline) (int64, error)) int64 {
				v, err := f(p)
				if err != nil {
					t.Errorf("%s = %v", c.name, err)
				}
				return v
			}
			act(first, c.add) // opens the short way
			commit(first)
			act(first, c.add)
			saw := act(second, c.look)
			if saw < 2 {
				t.Fatalf("%s = %d; want at least 2, the other's increment included", c.name, saw)
			}
			added := first.held[len(first.held)-1].e
			told := make(chan Position, 1)
			go func() { told <- commit(second) }()
			for waits := false; !waits && len(told) == 0; {
				if waits = !added.mu.TryRLock(); !waits { // it passes through the lock
					added.mu.RUnlock()
				}
			}
			if len(told) > 0 {
				t.Error("Commit returned while an increment that was read was in memory only")
			}
			commit(first)
			if pos := <-told; pos < e.Appended() {
				t.Errorf("Commit = %d; want %d, where the other's increment ends", pos, e.Appended())
			}
		})
	}
}
