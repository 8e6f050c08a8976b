package lua

import "time"

// patrol finds scripts that have run for a while. It goes round as long as scripts are run, and begins again with the next: a short script
// costs no timer. All its fields are under VM.mu.
type patrol struct {
	timer *time.Timer // nil: no script has been run yet
	on    bool        // the timer will fire
	seen  uint64      // VM.runs, when it last did
}

// patrolInterval is also how long a script may run before anybody looks after it, if not twice that.
const patrolInterval = 2 * time.Millisecond

// alert has the patrol go round. Called under mu.
func (vm *VM) alert() {
	switch p := &vm.patrol; {
	case p.on:
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(patrolInterval, vm.goRound)
	default:
		p.timer.Reset(patrolInterval)
	}
	vm.patrol.on = true
}

// goRound has scripts that were there at the last round, too, looked after until their end.
func (vm *VM) goRound() {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	p := &vm.patrol
	for _, s := range vm.running {
		if s.nth <= p.seen && s.over == nil {
			s.over = make(chan struct{})
			go vm.lookAfter(*s.call, &s.watch, s.over) // a copy: the caller may use the call again
		}
	}
	p.on = false
	if len(vm.running) > 0 || vm.runs != p.seen {
		p.seen = vm.runs
		vm.alert()
	}
}

// lookAfter says that a script has run for a while, raises the alarm when the time has come, and stops a script that has made the heap grow
// by more than it may.
func (vm *VM) lookAfter(c Call, w *watch, over <-chan struct{}) {
	limit := uint64(vm.options.Memory)
	base, alarm, late := heap(), c.Alarm, time.Now().Add(c.Busy)
	weighAt := base + limit // to weigh is a garbage collection: seldom, even if much is kept
	vm.unlessOver(over, c.Slow)
	tick := time.NewTicker(patrolInterval)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case now := <-tick.C:
			if c.Busy > 0 && alarm != nil && now.After(late) {
				vm.unlessOver(over, alarm)
				alarm = nil
			}
			if heap() > weighAt {
				kept := w.weigh()
				if kept > base+limit {
					vm.unlessOver(over, func() { w.stop(errMemory) })
				}
				weighAt = kept + limit/2
			}
		}
	}
}

// unlessOver calls f, unless the script has ended.
func (vm *VM) unlessOver(over <-chan struct{}, f func()) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	select {
	case <-over:
	default:
		if f != nil {
			f()
		}
	}
}
