package engine

import (
	"fmt"
	"time"

	"atomiccounter/engine/lockorder"
)

// Pipeline is one connection's way into the engine; one goroutine at a time may use it.
//
// Commands act at once and in order. Their journal records are gathered and appended by Commit as one frame, after which,
// and only then, their replies may be sent. From the first command to Commit a pipeline holds locks: it must not block on
// anything else, a socket least of all. Keys are only read during the call; what is returned is the caller's.
//
// Locks. A key stays locked until its records are journaled, so that the journal has them in the order in which they
// acted. While it holds any lock a pipeline only ever tries for another; if that fails it journals and lets go of
// everything first. So pipelines cannot wait for one another in a circle.
//
// Nothing is told before it is journaled. Increments of the short way share a key's lock, so another pipeline may read one
// before its record is appended. The entry counts the pipelines in that state (entry.adding); a pipeline that has shared an
// entry with one of them waits for it in Commit, when it holds nothing itself. What replies tell of entries is noted where
// their locks are let go of, so that no command has to (tells).
type Pipeline struct {
	// DB is the selected database, 0 to Databases-1. Set it freely between commands.
	DB uint8
	// Hasty has commands fail with ErrBusy where they would wait for a section that has raised the alarm (admission.go). By
	// default they wait.
	Hasty bool

	e      *Engine
	guard  *guard
	active bool
	aside  bool   // its frames give way to those of others: Counter's
	buf    []byte // records not yet appended
	held   []hold
	run    run
	told   told
	err    error  // of an append in mid-pipeline; Commit reports it
	wrote  uint64 // generation of the last record appended; 0: none
	clock  int64  // the wall clock, read at most once until the next pause; 0: not yet

	observer Observer      // of what its commands do; nil: the engine's
	changes  uint64        // counts what commands did, whatever it was
	quiet    bool          // the observer is not told of each key
	delay    time.Duration // that commands were held up, since it was last asked for

	update int64  // update period in ms for this pipeline; negative: the engine's
	hint   *entry // perhaps that of the next key; of the last one after a command
	ahead  ahead
	use    lastUse

	name     []byte // of the last field asked for, as the table has it
	gathered gathered
	section  section
	watching watching
}

// maxGathered bounds the records a pipeline gathers before it appends them: commands in flight must fit into what the
// journal has left when it stops taking new ones.
const maxGathered = 4 << 10

// NewPipeline gives a connection its way in.
func (e *Engine) NewPipeline() *Pipeline {
	p := new(Pipeline)
	p.Join(e)
	return p
}

// Join makes e the engine of a Pipeline that has none: new(Pipeline) is one for the time before the engine is open. It says of
// itself what holds, and keeps DB and what it depends on. Expect, Commit, Pause, Unwatch, Begin and End do nothing then, and what Watch
// watches counts as changed; no other method may be called.
func (p *Pipeline) Join(e *Engine) { p.e, p.guard, p.update = e, e.cuts.guard(), -1 }

// Joined says whether it has an engine.
func (p *Pipeline) Joined() bool { return p.e != nil }

func (p *Pipeline) begin() {
	if !p.active {
		lockorder.MayWait(&p.guard.RWMutex)
		if !p.guard.TryRLock() {
			p.delayedBy(p.guard.RLock)
		}
		p.active = true
	}
}

// Commit journals what the commands since the last Commit did and lets go of all locks. pos is what their replies depend
// on, reads of data that is not yet synced included. After an error none of those replies may be sent as they are.
func (p *Pipeline) Commit() (pos Position, err error) {
	if p.use.last != nil {
		p.use.round++
		p.use.last.use.count(p.e.table.seconds.Load(), p.use.round)
		p.use.last = nil
	}
	p.pause()
	if len(p.told.unjournaled) > 0 || p.told.unlocked {
		p.awaitJournaled()
	}
	pos = p.told.pos
	if p.told.saw {
		pos = max(pos, p.e.Appended())
	}
	p.told.pos, p.told.saw = 0, false
	if p.ahead.to > 0 {
		p.ahead = ahead{}
	}
	return pos, p.takeErr()
}

// DependOn has the next Commit give at least pos.
func (p *Pipeline) DependOn(pos Position) { p.told.pos = max(p.told.pos, pos) }

// pause journals what is done so far and lets go of all locks, the guard included, in mid-pipeline.
func (p *Pipeline) pause() {
	if p.section.open {
		p.publish() // others do not run before its end
		return
	}
	p.clock = 0
	if !p.active {
		return
	}
	alone := p.section.alone
	p.section.alone = false // so it is journaled
	p.publish()
	if alone {
		p.resume()
		p.e.cuts.admission.leave()
		return
	}
	p.guard.RUnlock()
	p.active = false
}

// Pause journals what the commands so far did and lets go of all locks, for one that goes on to call the engine itself or
// waits. What Commit gives later includes it.
func (p *Pipeline) Pause() { p.pause() }

func (p *Pipeline) takeErr() error {
	err := p.err
	p.err = nil
	return err
}

// publish appends what is gathered and lets go of the keys, not of the guard. Alone, where no other pipeline could lock them, it
// leaves the first to pause, or a section to its end, if it is little.
func (p *Pipeline) publish() {
	p.endRun()
	if s := &p.section; len(p.buf) > 0 && !s.open && (!s.alone || len(p.buf) > maxGathered) {
		if err := p.append(); err != nil {
			p.err = err
		}
	}
	p.release()
}

func (p *Pipeline) append() error {
	if len(p.buf) == 0 {
		return nil
	}
	return p.appended(p.e.journal.Append(p.buf))
}

// appended notes the outcome of an append of what is gathered.
func (p *Pipeline) appended(pos Position, err error) error {
	if err != nil {
		// Space for commands in flight is kept back, so this is no full disk but a fault: memory is ahead of the journal.
		err = p.e.fail(fmt.Errorf("append to the journal: %w", err))
	}
	p.told.pos, p.wrote = max(p.told.pos, pos), p.e.cuts.gen.Load()
	p.buf, p.section.room = p.buf[:0], 0
	if cap(p.buf) > 1<<20 {
		p.buf = nil
	}
	return err
}

func (p *Pipeline) release() {
	for i := range p.held {
		if p.held[i].adding {
			p.held[i].e.adding.Add(-1)
			p.told.saw = true
		}
	}
	for i := range p.held { // after those: it may hold an entry twice
		h := &p.held[i]
		p.tells(h.e)
		p.unlock(h)
		h.e = nil
	}
	p.held = p.held[:0]
	p.unpinGathered()
}

// Now is the time in ms since the Unix epoch that the commands up to the next Commit go by. To compute their expiries from
// another clock could put an expiry that is over into their future.
func (p *Pipeline) Now() int64 { return p.now() }

func (p *Pipeline) now() int64 {
	if p.clock == 0 {
		p.clock = p.e.Now()
	}
	return p.clock
}
