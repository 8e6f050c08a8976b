package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/journal"
)

// TestStartWithoutRoom: a store on a full disk is read from, though there is no room for a segment of the journal. It refuses
// writes until there is, and what was acknowledged before counts once, however often it is started meanwhile.
func TestStartWithoutRoom(t *testing.T) {
	for name, left := range map[string]int64{"nothing can be flushed": 2 * roomToOpen, "a flush has room": math.MaxInt64} {
		t.Run(name, func(t *testing.T) {
			s := enginetest.NewSegments()
			s.Most(math.MaxInt)
			free := int64(math.MaxInt64)
			o := disk()
			o.segments, o.segment, o.Reserve = s, 1<<20, 32*roomToOpen
			o.free = func() (int64, error) { return free, nil }
			e := open(t, o)
			increment(t, e, "k", 5)
			crash(t, e)

			s.Most(journal.ScrapSize)
			free = left
			for range 3 {
				e = open(t, o)
				wantFull(t, e)
				checkCounters(t, e, map[string]int64{"k": 5})
				if n := e.Stats().Flushes; left == 2*roomToOpen && n != 0 {
					t.Errorf("%d flushes on a full disk; want 0", n)
				}
				crash(t, e)
			}

			e = open(t, o)
			wantFull(t, e)
			s.Most(math.MaxInt)
			free = math.MaxInt64
			roomAgain(e)
			e.checkSpace()
			increment(t, e, "k", 1)
			crash(t, e)
			e = open(t, o)
			checkCounters(t, e, map[string]int64{"k": 6})
			if err := e.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
			e = open(t, o)
			checkCounters(t, e, map[string]int64{"k": 6})
			if n := e.Stats().Replayed; n != 0 {
				t.Errorf("%d records replayed after Close; want 0", n)
			}
		})
	}
}

func crash(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Abandon(); err != nil {
		t.Fatalf("Abandon = %v", err)
	}
}

func wantFull(t *testing.T, e *Engine) {
	t.Helper()
	if n, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Increment on a full disk = %d, %v; want %v", n, err, ErrNoSpace)
	}
	if err := e.Failed(); err != nil {
		t.Errorf("Failed = %v on a full disk; want nothing", err)
	}
}

// TestNewStoreWithoutRoom: there is nothing to read yet.
func TestNewStoreWithoutRoom(t *testing.T) {
	o := disk()
	s := enginetest.NewSegments()
	s.Most(journal.ScrapSize)
	o.segments, o.Logger, o.manual = s, quiet, true
	if _, err := Open("store", o); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Open = %v; want %v", err, syscall.ENOSPC)
	}
}

// TestFrameWithoutRoom: a frame greater than a segment, for which the disk has no room, is refused before anything is changed.
func TestFrameWithoutRoom(t *testing.T) {
	const many = 5000
	var names, great [][]byte
	var texts []Value
	for i := range many {
		names = append(names, fmt.Appendf(nil, "name %d", i))
	}
	for i := range MaxSection/2/MaxText + 1 {
		great, texts = append(great, fmt.Appendf(nil, "great %d", i)), append(texts, ParseValue(make([]byte, MaxText)))
	}
	numbers := slices.Repeat([]Value{{Int: 7, OK: true}}, many)
	one, hash := names[many-1], []byte("hash")
	each := func(p *Pipeline, write func(name []byte) error) error { // in frames that are small
		for _, name := range names {
			if err := errors.Join(write(name), p.finish()); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range []struct {
		name   string
		before func(p *Pipeline) error
		run    func(p *Pipeline) error
		shows  func(p *Pipeline) (before, after bool, err error)
	}{
		{"MSET", func(*Pipeline) error { return nil },
			func(p *Pipeline) error { _, err := p.MSet(names, numbers, Overwrite); return err },
			func(p *Pipeline) (bool, bool, error) { v, err := p.Value(one); return !v.OK, v.Int == 7, err }},
		{"MSET of more than a transaction may write in one", func(*Pipeline) error { return nil },
			func(p *Pipeline) error { _, err := p.MSet(great, texts, Overwrite); return err },
			func(p *Pipeline) (bool, bool, error) {
				v, err := p.Value(great[len(great)-1])
				return !v.OK, len(v.Text) == MaxText, err
			}},
		{"DEL", func(p *Pipeline) error {
			return each(p, func(name []byte) error { _, err := p.Incr(name, 7); return err })
		},
			func(p *Pipeline) error { _, err := p.Del(names); return err },
			func(p *Pipeline) (bool, bool, error) { v, err := p.Value(one); return v.OK, !v.OK, err }},
		{"HSET", func(*Pipeline) error { return nil },
			func(p *Pipeline) error { _, err := p.SetFields(hash, names, numbers, Overwrite); return err },
			func(p *Pipeline) (bool, bool, error) { v, _, err := p.Field(hash, one); return !v.OK, v.Int == 7, err }},
		{"HDEL", func(p *Pipeline) error {
			return each(p, func(name []byte) error { _, err := p.IncrField(hash, name, 7); return err })
		},
			func(p *Pipeline) error { _, err := p.DelFields(hash, names); return err },
			func(p *Pipeline) (bool, bool, error) {
				v, _, err := p.Field(hash, one)
				return v.OK, !v.OK, err
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if shortRace() && strings.Contains(c.name, "transaction") {
				t.Skip("32 MiB that one pipeline writes")
			}
			s := enginetest.NewSegments()
			s.Most(math.MaxInt)
			o := disk()
			o.segments = s
			e := open(t, o)
			p := e.NewPipeline()
			if err := errors.Join(c.before(p), p.finish(), e.Flush()); err != nil {
				t.Fatalf("before = %v", err)
			}
			s.Most(o.segment)
			for range 2 {
				if err := c.run(p); !errors.Is(err, ErrNoSpace) {
					t.Errorf("run = %v; want %v", err, ErrNoSpace)
				}
				if err := p.finish(); err != nil || e.Failed() != nil {
					t.Fatalf("Commit = %v, Failed = %v; want nothing", err, e.Failed())
				}
				if same, _, err := c.shows(p); !same || err != nil {
					t.Errorf("as before: %t, %v; want that", same, err)
				}
			}
			s.Most(math.MaxInt)
			if err := errors.Join(c.run(p), p.finish()); err != nil {
				t.Errorf("with room = %v", err)
			}
			crash(t, e)
			p = open(t, o).NewPipeline()
			if _, done, err := c.shows(p); !done || err != nil {
				t.Errorf("done: %t, %v; want that", done, err)
			}
			if err := p.finish(); err != nil {
				t.Errorf("Commit = %v", err)
			}
		})
	}
}

// TestStartOnFullDisk: while the database cannot be opened for want of room the start waits, and can be given up.
func TestStartOnFullDisk(t *testing.T) {
	var free atomic.Int64
	free.Store(math.MaxInt64)
	o := disk()
	o.free = func() (int64, error) { return free.Load(), nil }
	e := open(t, o)
	increment(t, e, "k", 5)
	crash(t, e)
	free.Store(0)
	o.Logger, o.manual = quiet, true
	ctx, giveUp := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := OpenContext(ctx, "store", o)
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("OpenContext on a full disk = %v; want it to wait", err)
	case <-time.After(10 * time.Millisecond):
	}
	giveUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("OpenContext that was given up = %v; want %v", err, context.Canceled)
	}
	go func() {
		e, err := OpenContext(t.Context(), "store", o)
		if err == nil {
			checkCounters(t, e, map[string]int64{"k": 5})
			err = e.Close()
		}
		ended <- err
	}()
	free.Store(math.MaxInt64)
	if err := <-ended; err != nil {
		t.Errorf("with room = %v", err)
	}
}

// TestFlushWithoutRoom: what would not fit onto the disk is not flushed, not by Close either, and is there after it.
func TestFlushWithoutRoom(t *testing.T) {
	free := int64(math.MaxInt64)
	o := disk()
	o.Reserve = 32 * roomToOpen
	o.free = func() (int64, error) { return free, nil }
	e := open(t, o)
	p := e.NewPipeline()
	if _, err := p.Put([]byte("text"), ParseValue(make([]byte, MaxText)), SetOptions{}); err != nil {
		t.Fatalf("Put = %v", err)
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	free = o.Reserve/8 + MaxText/2
	flushes := e.Stats().Flushes
	if !e.tight() {
		t.Error("there is room for half of what is to be flushed, and the disk is not tight")
	}
	if err := e.Close(); err != nil || e.Stats().Flushes != flushes {
		t.Errorf("Close = %v after %d flushes; want none", err, e.Stats().Flushes-flushes)
	}
	e = open(t, o)
	wantFull(t, e)
	p = e.NewPipeline()
	if v, err := p.Value([]byte("text")); err != nil || len(v.Text) != MaxText {
		t.Errorf("Value = %d bytes, %v; want %d", len(v.Text), err, MaxText)
	}
	if err := p.finish(); err != nil {
		t.Error(err)
	}
	free = math.MaxInt64
}
