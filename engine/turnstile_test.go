package engine

import (
	"errors"
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
	go func() {
		_, _, err := hasty().Get([]byte("k"))
		errs <- err
	}()
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
	if _, _, err := hasty().Get([]byte("k")); !errors.Is(err, ErrBusy) {
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
	p.End()
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
