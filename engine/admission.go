package engine

import (
	"errors"

	"atomiccounter/engine/lockorder"
)

// ErrBusy says that a section takes too long to wait for it. Nothing was done, unless the error is ErrPartly too.
var ErrBusy = errors.New("a section takes too long")

// admission lets one section in at a time. A pipeline that comes meanwhile waits here, where it can be called away: one that waits for a
// guard cannot. Inside is a section or, for a moment, a pipeline that has found its guard taken. A cut does not enter.
type admission struct {
	inside latch // locked: a pipeline is

	mu    lockorder.Mutex
	away  chan struct{} // closed: a hasty pipeline does not wait
	count uint64        // of sections, the present one included
}

func newAdmission() admission {
	return admission{inside: newLatch(), away: make(chan struct{})}
}

// latch is a mutex for which one may wait until called away.
type latch struct {
	order lockorder.Lock
	full  chan struct{} // full: it is locked
}

func newLatch() latch { return latch{full: make(chan struct{}, 1)} }

// lock gives up, with false, when away is closed.
func (l *latch) lock(away <-chan struct{}) bool {
	lockorder.MayWait(&l.order)
	if l.tryLock() {
		return true
	}
	select {
	case l.full <- struct{}{}:
		lockorder.Taken(&l.order)
		return true
	case <-away:
		return false
	}
}

func (l *latch) tryLock() bool {
	select {
	case l.full <- struct{}{}:
		lockorder.Taken(&l.order)
		return true
	default:
		return false
	}
}

func (l *latch) unlock() {
	lockorder.Freed(&l.order)
	<-l.full
}

// enter waits until no pipeline is inside, or, if hasty, until it is called away.
func (a *admission) enter(hasty bool) error { return a.lock(&a.inside, hasty) }

// lock locks a latch whose holder may wait for a section, or, if hasty, is called away from it.
func (a *admission) lock(l *latch, hasty bool) error {
	var away chan struct{} // never closed
	if hasty {
		a.mu.Lock()
		away = a.away
		a.mu.Unlock()
	}
	if !l.lock(away) {
		return ErrBusy
	}
	return nil
}

func (a *admission) leave() { a.inside.unlock() }

// open counts a section that has entered.
func (a *admission) open() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
}

// close ends the section: a pipeline that comes from now on may wait.
func (a *admission) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	select {
	case <-a.away:
		a.away = make(chan struct{})
	default:
	}
}

// callAway has the pipelines that wait for a section give up, if it is still that one.
func (a *admission) callAway(section uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if section != a.count {
		return
	}
	select {
	case <-a.away:
	default:
		close(a.away)
	}
}

// Alarm is for a section that takes too long: called from any goroutine, the function that it gives has hasty pipelines that
// wait for the section, and those that come until its end, get ErrBusy instead.
func (p *Pipeline) Alarm() func() {
	a := &p.e.cuts.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	section := a.count
	return func() { a.callAway(section) }
}

// InSection says whether the pipeline is in a section.
func (p *Pipeline) InSection() bool { return p.section.open }

// enter takes the guard for a command. It holds nothing else then, so it may wait, but not for ever.
func (p *Pipeline) enter() error {
	if p.active {
		return nil
	}
	lockorder.MayWait(&p.e.cuts.admission.inside.order)
	if !p.guard.TryRLock() {
		if err := p.e.cuts.admission.enter(p.Hasty); err != nil {
			return err
		}
		p.guard.RLock() // only a cut can have it now, which is short
		p.e.cuts.admission.leave()
	}
	p.active = true
	return nil
}
