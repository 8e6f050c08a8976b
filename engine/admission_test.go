package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
)

// Those who wait for a section that takes too long are told, and those who come later; after it all is as before.
func TestAlarmOfASection(t *testing.T) {
	e := open(t, Options{})
	long := e.NewPipeline()
	if err := long.Begin(false); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	hasty := func() *Pipeline {
		p := e.NewPipeline()
		p.Hasty = true
		return p
	}
	get := func() {
		_, _, err := hasty().Get([]byte("k"))
		errs <- err
	}
	go get()
	go func() {
		_, err := hasty().Incr([]byte("k"), 1)
		errs <- err
	}()
	go func() { errs <- hasty().Begin(true) }()
	patient := make(chan error)
	go func() {
		_, err := e.Counter("patient").Increment(t.Context(), 1)
		patient <- err
	}()
	if _, err := long.Incr([]byte("k"), 5); err != nil {
		t.Fatal(err)
	}
	alarm := long.Alarm()
	alarm()
	for range 3 {
		if err := <-errs; !errors.Is(err, ErrBusy) {
			t.Errorf("who waited for the section got %v; want ErrBusy", err)
		}
	}
	go get()
	if err := <-errs; !errors.Is(err, ErrBusy) {
		t.Errorf("who came later got %v; want ErrBusy", err)
	}
	long.End()
	if _, err := long.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-patient; err != nil {
		t.Errorf("who waits for as long as it takes got %v", err)
	}
	alarm() // too late: it concerns nobody
	p := e.NewPipeline()
	if err := p.Begin(false); err != nil {
		t.Fatalf("Begin after the section = %v", err)
	}
	alarm()
	go func() {
		waits := hasty()
		_, _, err := waits.Get([]byte("k"))
		_, failed := waits.Commit()
		errs <- errors.Join(err, failed)
	}()
	end(t, p)
	if err := <-errs; err != nil {
		t.Errorf("Get beside another section = %v; want that it waits", err)
	}
	if v, _, err := p.Get([]byte("k")); v != 5 || err != nil {
		t.Errorf("Get = %d, %v; want 5", v, err)
	}
	if _, err := p.Commit(); err != nil {
		t.Fatal(err)
	}
}

// overtake has a section begin as soon as p, which is in the middle of something, lets go of its guard, and raises the alarm then.
// What it returns ends the section.
func overtake(t *testing.T, p *Pipeline) func() {
	t.Helper()
	over, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		s := p.e.NewPipeline()
		err := s.Begin(false)
		if err == nil {
			s.Alarm()()
			<-over
			s.End()
		}
		ended <- errors.Join(err, s.finish())
	}()
	for p.guard.TryRLock() { // until it is the section's turn
		p.guard.RUnlock()
		runtime.Gosched()
	}
	return func() {
		t.Helper()
		close(over)
		if err := <-ended; err != nil {
			t.Errorf("the section: %v", err)
		}
	}
}

// hastyAtHash makes a hash of n fields in a store of its own, and gives a hasty pipeline that is in the middle of something.
func hastyAtHash(t *testing.T, n int) *Pipeline {
	t.Helper()
	p := open(t, Options{}).NewPipeline()
	p.Hasty = true
	var names [][]byte
	for i := range n {
		names = append(names, fmt.Appendf(nil, "f%d", i))
	}
	_, err := p.SetFields([]byte("h"), names, slices.Repeat([]Value{IntValue(1)}, n), Overwrite)
	must(t, nil, err)
	mustCommit(t, p)
	_, err = p.Incr([]byte("k"), 1)
	must(t, nil, err)
	return p
}

// A command that lets go of everything to gather the fields of a hash is called away like any other, and has done nothing then.
func TestAlarmWhileAHashIsGathered(t *testing.T) {
	for name, take := range map[string]func(*Pipeline) error{
		"DEL": func(p *Pipeline) error {
			_, err := p.Del([][]byte{[]byte("k"), []byte("h")})
			return err
		},
		"SET": func(p *Pipeline) error {
			_, err := p.Set([]byte("h"), 5, SetOptions{})
			return err
		},
		"MSET": func(p *Pipeline) error {
			_, err := p.MSet([][]byte{[]byte("k"), []byte("h")}, []Value{IntValue(5), IntValue(5)}, Overwrite)
			return err
		},
	} {
		p := hastyAtHash(t, 3)
		end := overtake(t, p)
		if err := take(p); !errors.Is(err, ErrBusy) || errors.Is(err, ErrPartly) {
			t.Errorf("%s beside a section that takes too long = %v; want ErrBusy, and nothing done", name, err)
		}
		end()
		if n, err := p.Len([]byte("h")); n != 3 || err != nil {
			t.Errorf("after %s: %d fields, %v; want 3", name, n, err)
		}
		if v, _, err := p.Get([]byte("k")); v != 1 || err != nil {
			t.Errorf("after %s: what was done before it = %d, %v; want 1", name, v, err)
		}
		if err := take(p); err != nil {
			t.Errorf("%s again = %v", name, err)
		}
		mustCommit(t, p)
	}
}

// So is who asks, for WAIT or CTOKEN, which stamp covers what was done.
func TestAlarmWhileAStampIsAskedFor(t *testing.T) {
	for name, ask := range map[string]func(*Pipeline) error{
		"Written": func(p *Pipeline) error {
			_, err := p.Written()
			return err
		},
		"Seen": func(p *Pipeline) error {
			_, err := p.Seen()
			return err
		},
	} {
		p := hastyAtHash(t, 1)
		end := overtake(t, p)
		if err := ask(p); !errors.Is(err, ErrBusy) {
			t.Errorf("%s beside a section that takes too long = %v; want ErrBusy", name, err)
		}
		end()
		if err := ask(p); err != nil {
			t.Errorf("%s after it = %v", name, err)
		}
		mustCommit(t, p)
	}
}

// Of a hash so large that it goes in pages a part may be gone by then: the error says so.
func TestAlarmWhileALargeHashGoes(t *testing.T) {
	const n = 2*maxWhole + 10
	p := hastyAtHash(t, n)
	end := overtake(t, p)
	if _, err := p.Del([][]byte{[]byte("h")}); !errors.Is(err, ErrBusy) || !errors.Is(err, ErrPartly) {
		t.Errorf("Del after one page = %v; want ErrBusy, and ErrPartly", err)
	}
	end()
	left, err := p.Len([]byte("h"))
	if left == 0 || left >= n || err != nil {
		t.Errorf("%d fields are left, %v; want a part of %d", left, err, n)
	}
	if n, err := p.Del([][]byte{[]byte("h")}); n != 1 || err != nil {
		t.Errorf("Del again = %d, %v; want 1", n, err)
	}
	mustCommit(t, p)
}

// FlushDB and FlushAll in a section need what foreign data that arrives holds, and that may wait for another section.
func TestAlarmWhileASectionWaitsToWipe(t *testing.T) {
	e := open(t, Options{})
	long, p := e.NewPipeline(), e.NewPipeline()
	c := e.committer.lock()
	begin(t, long, false)
	errs := make(chan error)
	go func() {
		p.Hasty = true
		errs <- p.Begin(true)
	}()
	long.Alarm()()
	if err := <-errs; !errors.Is(err, ErrBusy) {
		t.Errorf("Begin to wipe = %v; want ErrBusy", err)
	}
	c.unlock()
	end(t, long)
	begin(t, p, true)
	end(t, p)
}
