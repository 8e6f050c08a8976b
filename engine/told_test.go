package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"atomiccounter/engine/enginetest"
)

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
			saw, told := make(chan int64), make(chan Position, 1)
			go func() {
				saw <- act(second, c.look)
				told <- commit(second)
			}()
			if saw := <-saw; saw < 2 {
				t.Fatalf("%s = %d; want at least 2, the other's increment included", c.name, saw)
			}
			added := first.held[len(first.held)-1].e
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

// TestKeysAreNotToldBeforeTheyAreJournaled: a pipeline has created a key that it has not yet committed. That it exists another one may be
// told, if at all, only after that.
func TestKeysAreNotToldBeforeTheyAreJournaled(t *testing.T) {
	key, field := []byte("k"), []byte("f")
	set := func(p *Pipeline) error { _, err := p.Put(key, IntValue(1), SetOptions{}); return err }
	setField := func(p *Pipeline) error { _, err := p.IncrField(key, field, 1); return err }
	setFields := func(p *Pipeline) error {
		_, err := p.SetFields(key, [][]byte{field}, []Value{IntValue(1)}, Overwrite)
		return err
	}
	section := func(p *Pipeline) error {
		if err := p.Begin(false); err != nil {
			return err
		}
		err := set(p)
		p.Pause() // lets go of the key, but not of the section
		return err
	}
	for name, create := range map[string]func(*Pipeline) error{
		"Put": set, "IncrField": setField, "SetFields": setFields, "section": section,
	} {
		for _, look := range looks(key, field) {
			t.Run(name+", "+look.name, func(t *testing.T) {
				o := disk()
				o.Sync = Always
				e := open(t, o)
				first, second := e.NewPipeline(), e.NewPipeline()
				must(t, nil, create(first))
				type outcome struct {
					saw bool
					pos Position
				}
				told := make(chan outcome, 1)
				go func() {
					saw, err := look.saw(second)
					pos, commitErr := second.Commit()
					if err != nil || commitErr != nil {
						t.Errorf("%s = %v, Commit = %v", look.name, err, commitErr)
					}
					told <- outcome{saw, pos}
				}()
				for i := 0; i < 1000 && len(told) == 0; i++ { // the other waits, now or soon
					runtime.Gosched()
				}
				early := len(told) > 0
				if first.section.open {
					first.End()
				}
				pos, err := first.Commit()
				must(t, nil, err)
				switch o := <-told; {
				case o.saw && early:
					t.Error("a key was told that was in memory only")
				case o.saw && o.pos < pos:
					t.Errorf("Commit = %d; want at least %d, where the key was created", o.pos, pos)
				}
			})
		}
	}
}

// question asks for something, and says whether there was anything.
type question struct {
	name string
	saw  func(*Pipeline) (bool, error)
}

// looks are all ways to ask for a key, or for a hash and one of its fields, or for all keys.
func looks(key, field []byte) []question {
	each := func(ask func(f func([]byte, Value)) error) (some bool, err error) {
		err = ask(func([]byte, Value) { some = true })
		return some, unlessWrong(err)
	}
	return []question{
		{"Get", func(p *Pipeline) (bool, error) { _, ok, err := p.Get(key); return ok, unlessWrong(err) }},
		{"MGet", func(p *Pipeline) (bool, error) {
			list, err := p.MGet([][]byte{key, key}, nil)
			return list[0].OK || list[0].Hash, err
		}},
		{"Exists", func(p *Pipeline) (bool, error) { return p.Exists(key) }},
		{"ExpireTime", func(p *Pipeline) (bool, error) { _, ok, err := p.ExpireTime(key); return ok, err }},
		{"Inspect", func(p *Pipeline) (bool, error) { _, ok, err := p.Inspect(key); return ok, err }},
		{"Size", func(p *Pipeline) (bool, error) { n, err := p.Size(); return n > 0, err }},
		{"Keys", func(p *Pipeline) (some bool, err error) {
			err = p.Keys(func([]byte, Type) error { some = true; return nil })
			return some, err
		}},
		{"RandomKey", func(p *Pipeline) (bool, error) { _, ok, err := p.RandomKey(); return ok, err }},
		{"Len", func(p *Pipeline) (bool, error) { n, err := p.Len(key); return n > 0, unlessWrong(err) }},
		{"Field", func(p *Pipeline) (bool, error) { _, ok, err := p.Field(key, field); return ok, unlessWrong(err) }},
		{"Fields", func(p *Pipeline) (bool, error) {
			list, ok, err := p.Fields(key, [][]byte{field}, nil)
			return ok || len(list) > 0 && list[0].OK, unlessWrong(err)
		}},
		{"EachField", func(p *Pipeline) (bool, error) {
			return each(func(f func([]byte, Value)) error { return p.EachField(key, f) })
		}},
		{"ScanFields", func(p *Pipeline) (bool, error) {
			return each(func(f func([]byte, Value)) error { _, err := p.ScanFields(key, 0, 10, f); return err })
		}},
		{"SampleFields", func(p *Pipeline) (bool, error) {
			return each(func(f func([]byte, Value)) error { return p.SampleFields(key, 1, f) })
		}},
	}
}

func unlessWrong(err error) error {
	if errors.Is(err, ErrWrongType) {
		return nil
	}
	return err
}

// TestReadsGoOnAfterAFailedSync: what is in the database is told for ever, and waits for no sync; what will never be synced is not told.
func TestReadsGoOnAfterAFailedSync(t *testing.T) {
	o := disk()
	s := enginetest.NewSegments()
	o.segments, o.Sync, o.Logger, o.manual = s, Always, quiet, true
	e, err := Open("store", o)
	must(t, nil, err)
	p := e.NewPipeline()
	field := []byte("f")
	for i := range 4 {
		_, err := p.Incr(fmt.Appendf(nil, "k%d", i), 1)
		must(t, nil, err)
		_, err = p.IncrField(fmt.Appendf(nil, "h%d", i), field, 1)
		must(t, nil, err)
	}
	must(t, nil, p.finish())
	must(t, nil, e.Flush())
	dirty := func() {
		for _, key := range []string{"k0", "new"} {
			_, err := p.Incr([]byte(key), 1)
			must(t, nil, err)
		}
		for _, name := range []string{"f", "g"} {
			_, err := p.IncrField([]byte("h0"), []byte(name), 1)
			must(t, nil, err)
		}
		_, err = p.IncrField([]byte("h2"), []byte("g"), 1)
		must(t, nil, err)
		_, err = p.DelFields([]byte("h3"), [][]byte{field})
		must(t, nil, err)
		must(t, nil, p.finish())
	}
	ask := func(key string, l question) Position {
		t.Helper()
		_, err := l.saw(p)
		pos, commitErr := p.Commit()
		if err != nil || commitErr != nil {
			t.Errorf("%s of %s = %v, Commit = %v", l.name, key, err, commitErr)
		}
		return pos
	}
	dirty()
	for _, key := range []string{"k1", "none", "h1"} {
		for _, l := range looks([]byte(key), field) {
			switch pos := ask(key, l); l.name {
			case "RandomKey": // it may be the new one
			case "Size", "Keys":
				if pos < e.Appended() {
					t.Errorf("%s does not wait for a sync of the new key", l.name)
				}
			default:
				if pos > e.Durable() {
					t.Errorf("%s of %s waits for a sync", l.name, key)
				}
			}
		}
	}
	s.Fail(nil, syscall.EIO)
	if err := e.journal.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync = %v; want %v", err, syscall.EIO)
	}
	e.fail(e.journal.Failed())
	for _, key := range []string{"k1", "none", "h1"} {
		for _, l := range looks([]byte(key), field) {
			if pos := ask(key, l); pos > e.Durable() {
				t.Errorf("after a failed sync %s of %s waits for another", l.name, key)
			}
		}
	}
	for _, key := range []string{"k0", "new", "h0"} {
		for _, l := range looks([]byte(key), field)[:5] {
			if pos := ask(key, l); pos <= e.Durable() {
				t.Errorf("after a failed sync %s of %s, which has changed, is told", l.name, key)
			}
		}
	}
	for _, key := range []string{"h0", "h3"} {
		for _, l := range looks([]byte(key), field)[8:] {
			if pos := ask(key, l); pos <= e.Durable() {
				t.Errorf("after a failed sync %s of %s, which has changed, is told", l.name, key)
			}
		}
	}
	if v, _, err := p.Field([]byte("h2"), field); v != IntValue(1) || err != nil {
		t.Errorf("Field = %v, %v; want 1", v, err)
	}
	if pos, err := p.Commit(); pos > e.Durable() || err != nil {
		t.Errorf("Commit after Field of a clean field of a hash that has changed = %d, %v; want %d or less", pos, err, e.Durable())
	}
	if n := sizeOf(t, p); n != 8 {
		t.Errorf("after a failed sync Size = %d; want 8, what is stored", n)
	}
	if got, want := keysOf(t, p), []string{"h0", "h1", "h2", "h3", "k0", "k1", "k2", "k3"}; !slices.Equal(got, want) {
		t.Errorf("after a failed sync Keys = %v; want %v, what is stored", got, want)
	}
	must(t, nil, p.finish())
	if err := e.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close = %v; want %v", err, syscall.EIO)
	}
}
