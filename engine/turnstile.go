package engine

import (
	"errors"
	"sync"
)

// ErrBusy says that a section takes so long that nobody should wait for it any more; nothing was done, unless it is ErrPartly too.
var ErrBusy = errors.New("a section takes too long")

// turnstile lets one section in at a time, and has those who come meanwhile wait where they can be called away: whoever waits
// for a guard cannot. Only a section and, for a moment, one that has found its guard taken are in it; a cut is not.
type turnstile struct {
	inside latch // locked: somebody is

	mu    sync.Mutex
	away  chan struct{} // closed: do not wait
	count uint64        // of sections, the present one included
}

func newTurnstile() turnstile {
	return turnstile{inside: newLatch(), away: make(chan struct{})}
}

// latch is a mutex for which one may wait until called away.
type latch chan struct{} // full: it is locked

func newLatch() latch { return make(latch, 1) }

func (l latch) Lock() { l <- struct{}{} }

func (l latch) Unlock() { <-l }

func (l latch) TryLock() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// enter waits until nobody is inside, or, if hasty, until it is called away.
func (t *turnstile) enter(hasty bool) error { return t.lock(t.inside, hasty) }

// lock locks a latch whose holder may wait for a section, or, if hasty, is called away from it.
func (t *turnstile) lock(l latch, hasty bool) error {
	if l.TryLock() {
		return nil
	}
	if !hasty {
		l.Lock()
		return nil
	}
	t.mu.Lock()
	away := t.away
	t.mu.Unlock()
	select {
	case l <- struct{}{}:
		return nil
	case <-away:
		return ErrBusy
	}
}

func (t *turnstile) leave() { t.inside.Unlock() }

// open counts a section that has entered.
func (t *turnstile) open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
}

// close ends the section: whoever comes from now on may wait.
func (t *turnstile) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	select {
	case <-t.away:
		t.away = make(chan struct{})
	default:
	}
}

// callAway has those who wait for a section go away, if it is still that one.
func (t *turnstile) callAway(section uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if section != t.count {
		return
	}
	select {
	case <-t.away:
	default:
		close(t.away)
	}
}

// Alarm is for a section that takes too long: called from any goroutine, the function that it gives has hasty pipelines that
// wait for the section, and those that come until its end, get ErrBusy instead.
func (p *Pipeline) Alarm() func() {
	t := &p.e.cuts.turnstile
	t.mu.Lock()
	defer t.mu.Unlock()
	section := t.count
	return func() { t.callAway(section) }
}

// InSection says whether the pipeline is in a section.
func (p *Pipeline) InSection() bool { return p.section.open }

// enter takes the guard for a command. It holds nothing else then, so it may wait, but not for ever.
func (p *Pipeline) enter() error {
	if p.active {
		return nil
	}
	if !p.guard.TryRLock() {
		if err := p.e.cuts.turnstile.enter(p.Hasty); err != nil {
			return err
		}
		p.guard.RLock() // only a cut can have it now, which is short
		p.e.cuts.turnstile.leave()
	}
	p.active = true
	return nil
}
