package engine

import (
	"fmt"
	"math"
	"time"

	"atomiccounter/tlv"
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
	// Hasty has commands fail with ErrBusy where they would wait for a section that has raised the alarm (turnstile.go). By
	// default they wait.
	Hasty bool

	e      *Engine
	guard  *guard
	active bool
	aside  bool   // its frames give way to those of others: Counter's
	buf    []byte // records not yet appended
	held   []hold
	pos    Position // of the last frame since Commit

	// What replies tell beside that (untold.go).
	saw    bool     // something that is perhaps not synced
	untold []*entry // read while others had increments there that were not yet journaled
	unheld bool     // something without the lock that is kept until it is journaled

	err   error  // of an append in mid-pipeline; Commit reports it
	wrote uint64 // generation of the last record appended; 0: none
	clock int64  // the wall clock, read at most once until the next pause; 0: not yet

	observer Observer      // of what its commands do; nil: the engine's
	changes  uint64        // counts what commands did, whatever it was
	quiet    bool          // nobody is told of each key
	turn     uint8         // of rounds, for usage
	delay    time.Duration // that commands were held up, since it was last asked for

	update int64  // update period in ms for this pipeline; negative: the engine's
	hint   *entry // perhaps that of the next key; of the last one after a command
	used   *entry // the last that was used since the last Commit
	ahead  ahead
	run    *entry // increments of this entry since the last record, not yet in buf
	runN   int64

	name     []byte               // of the last field asked for, as the table has it
	gathered map[*fields][]*entry // fields that are pinned until the locks are let go of, to be taken away with their hashes

	gatheredBytes int // memory of gathered

	section  section
	watching watching
}

type hold struct {
	e         *entry
	exclusive bool
	adding    bool // counted in e.adding
}

func (h hold) unlock() {
	if h.exclusive {
		h.e.mu.Unlock()
	} else {
		h.e.mu.RUnlock()
	}
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
func (p *Pipeline) Join(e *Engine) { p.e, p.guard, p.update = e, e.nextGuard(), -1 }

// Joined says whether it has an engine.
func (p *Pipeline) Joined() bool { return p.e != nil }

func (p *Pipeline) begin() {
	if !p.active {
		if !p.guard.TryRLock() {
			p.delayedBy(p.guard.RLock)
		}
		p.active = true
	}
}

// writable begins a write, or says why there can be none.
func (p *Pipeline) writable() error { return p.writableSize(0) }

// writableSize is writable for a write of about n bytes beside a key and numbers.
func (p *Pipeline) writableSize(n int) error {
	if p.section.open {
		return p.admit(n)
	}
	if p.active {
		if len(p.buf) > maxGathered {
			p.publish()
		}
		return p.e.refusal()
	}
	if p.e.table.over() {
		p.delayedBy(p.e.relieve)
	}
	if err := p.enter(); err != nil {
		return err
	}
	return p.e.refusal()
}

// Commit journals what the commands since the last Commit did and lets go of all locks. pos is what their replies depend
// on, reads of data that is not yet synced included. After an error none of those replies may be sent as they are.
func (p *Pipeline) Commit() (pos Position, err error) {
	if p.used != nil {
		p.turn++
		p.used.use.touch(p.e.table.seconds.Load(), p.turn)
		p.used = nil
	}
	p.pause()
	if len(p.untold) > 0 || p.unheld {
		p.awaitUntold()
	}
	pos = p.pos
	if p.saw {
		pos = max(pos, p.e.Appended())
	}
	p.pos, p.saw = 0, false
	if p.ahead.to > 0 {
		p.ahead = ahead{}
	}
	return pos, p.takeErr()
}

// DependOn has the next Commit give at least pos.
func (p *Pipeline) DependOn(pos Position) { p.pos = max(p.pos, pos) }

// pause journals what is done so far and lets go of all locks, the guard included, in mid-pipeline.
func (p *Pipeline) pause() {
	if p.section.open {
		p.publish() // only End lets others run
		return
	}
	p.clock = 0
	if p.active {
		p.publish()
		p.guard.RUnlock()
		p.active = false
	}
}

// Pause journals what the commands so far did and lets go of all locks, for one that goes on to call the engine itself or
// waits. What Commit gives later includes it.
func (p *Pipeline) Pause() { p.pause() }

func (p *Pipeline) takeErr() error {
	err := p.err
	p.err = nil
	return err
}

// publish appends what is gathered and lets go of the keys, not of the guard. In a section, where nobody else could lock
// them, it leaves the first to End.
func (p *Pipeline) publish() {
	p.endRun()
	if len(p.buf) > 0 && !p.section.open {
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
	p.pos, p.wrote = max(p.pos, pos), p.e.cuts.gen.Load()
	p.buf = p.buf[:0]
	if cap(p.buf) > 1<<20 {
		p.buf = nil
	}
	return err
}

func (p *Pipeline) release() {
	for i := range p.held {
		if p.held[i].adding {
			p.held[i].e.adding.Add(-1)
			p.saw = true
		}
	}
	for i := range p.held { // after those: it may hold an entry twice
		h := &p.held[i]
		p.tells(h.e)
		h.unlock()
		h.e = nil
	}
	p.held = p.held[:0]
	p.letGo()
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

// lock gives the key's entry, loaded, locked at least as asked.
func (p *Pipeline) lock(key []byte, exclusive bool) (*entry, error) {
	return p.lockIn(p.DB, key, exclusive)
}

// lockIn is lock for a key that begins with the byte first, which says its space and database.
func (p *Pipeline) lockIn(first byte, key []byte, exclusive bool) (*entry, error) {
	if len(key) > MaxKey {
		return nil, ErrKeyTooLong
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	if p.e.health.closed.Load() && !p.section.open { // a section is waited for
		return nil, ErrClosed
	}
	for {
		e := p.expected(first, key)
		p.hint = nil
		if e == nil {
			hash := p.e.hash(key)
			if e = p.e.table.find(hash, first, key); e == nil {
				e, err := p.load(hash, first, key)
				if e != nil || err != nil {
					return e, err
				}
				continue
			}
		}
		if n := len(p.held); n > 0 && p.held[n-1].e == e && (p.held[n-1].exclusive || !exclusive) && !e.gone {
			p.hint, p.used = e, e
			return e, nil
		}
		p.lockEntry(e, exclusive)
		if !e.gone {
			e.use.note()
			p.hint, p.used = e, e
			return e, nil
		}
		p.unlockLast()
	}
}

func (p *Pipeline) lockEntry(e *entry, exclusive bool) {
	if len(p.held) > 0 {
		if p.tryEntry(e, exclusive) {
			return
		}
		p.publish()
	}
	p.wait(e, exclusive)
}

func (p *Pipeline) wait(e *entry, exclusive bool) {
	switch {
	case exclusive:
		if !e.mu.TryLock() {
			p.delayedBy(e.mu.Lock)
		}
	case !e.mu.TryRLock():
		p.delayedBy(e.mu.RLock)
	}
	p.held = append(p.held, hold{e: e, exclusive: exclusive})
}

func (p *Pipeline) unlockLast() {
	h := p.held[len(p.held)-1]
	p.held = p.held[:len(p.held)-1]
	h.unlock()
}

// load brings a key into the table. A placeholder, locked, goes in before the database is read: whoever else wants the
// key waits for it, and foreign data that arrives meanwhile marks it stale. It returns nil, nil if another was faster.
func (p *Pipeline) load(hash uint64, first byte, key []byte) (*entry, error) {
	defer p.delayed(time.Now())
	p.publish() // a read of the disk holds up nobody else's keys
	e := newEntry(hash, first, key)
	e.use.begin(inSeconds(p.now()))
	e.mu.Lock()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	if p.e.table.insert(e) != e {
		e.mu.Unlock()
		return nil, nil
	}
	p.e.table.misses.Add(1)
	if err := p.fill(e); err != nil {
		p.e.table.remove(e)
		e.mu.Unlock()
		return nil, err
	}
	p.held = append(p.held, hold{e: e, exclusive: true})
	p.e.table.evict(hash, p.e.cuts.flushed.Load(), p.e.forget)
	return e, nil
}

// fill reads what is stored of a placeholder, which is nothing if a section has wiped its database.
func (p *Pipeline) fill(e *entry) error {
	if p.isWiped(database(e.key)) {
		e.refreshed = p.e.Now()
		p.e.show(e)
	} else if err := p.e.read(e); err != nil {
		return err
	}
	switch {
	case isField(e.key):
		e.watched = true // its hash may be: see touch
	default:
		e.watched = p.e.watches.has(e.key)
		if e.fields != nil {
			e.fields.watched.Store(e.watched)
		}
	}
	return nil
}

// exclusive gives the key's entry locked exclusively, rolled into the present generation and settled, with all that has
// arrived if fresh is asked or its period is over.
func (p *Pipeline) exclusive(key []byte, fresh bool) (*entry, error) {
	e, err := p.lock(key, true)
	if err != nil {
		return nil, err
	}
	p.ready(e, fresh)
	return e, nil
}

func (p *Pipeline) ready(e *entry, fresh bool) {
	if e.gen != 0 && e.gen != p.e.cuts.gen.Load() {
		p.e.roll(e)
	}
	e.settle()
	if e.incoming() != nil && (fresh || !e.exists || e.due(p.now()) || p.periodOver(e)) {
		p.e.takeIn(e)
	}
}

// shared gives the key's entry for reading, with all that has arrived if fresh is asked or its period is over.
func (p *Pipeline) shared(key []byte, fresh bool) (*entry, error) {
	e, err := p.lock(key, false)
	if err != nil {
		return nil, err
	}
	if e.stale.Load() && (fresh || p.periodOver(e)) {
		if e, err = p.exclusive(key, true); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (p *Pipeline) periodOver(e *entry) bool {
	period := p.update
	if period < 0 {
		period = p.e.stale.period.Load()
	}
	return period == 0 || p.now()-e.refreshed >= period || p.now() < e.refreshed
}

// showsAll says that all that has arrived shows at the next access, and may come at any time: a section keeps it out.
func (p *Pipeline) showsAll() bool {
	return (p.update == 0 || p.update < 0 && p.e.stale.period.Load() == 0) && !p.section.open
}

// keepsOut takes loads, so that nothing arrives until the caller gives that back. false: something is just arriving. Then all locks of keys
// are let go of, which that may need, and it has come.
func (p *Pipeline) keepsOut() bool {
	if p.e.loads.TryRLock() {
		return true
	}
	p.publish()
	p.e.loads.RLock()
	defer p.e.loads.RUnlock()
	return false
}

// prepare is what comes before every write (design, section 2): an expired key, or one of which only leftovers are
// stored, is cancelled first.
func (p *Pipeline) prepare(e *entry) {
	if !e.shown() || e.due(p.now()) {
		p.cancelAll(e)
	}
}

// cancel takes away all that is observed of the key, fields apart. What tend has begun is journaled here: from now on the
// key may come to life again, and a replay must not find what was left over.
func (p *Pipeline) cancel(e *entry) {
	resets, own := e.observed(p.e.self.id)
	own = own || e.pend != nil && e.pend.tended
	if !own && len(resets) == 0 {
		return
	}
	p.changes++
	expired := e.exists && e.due(p.now()) && !isToken(e.key)
	p.e.markDirty(e)
	p.endRun()
	ended := e.latest(p.e.self.id)
	p.e.clock.pass(ended.Stamp) // see setExpiry
	p.buf = appendCancel(p.buf, e.key, own, resets, ended)
	e.cancel(own, resets, ended)
	p.e.show(e)
	if expired {
		p.e.sweeps.expired.Add(1)
		p.report(e, Expired)
	}
}

func (p *Pipeline) add(e *entry, n int64, kind tlv.Kind) {
	p.changes++
	p.e.markDirty(e)
	joined := e.joins()
	p.carry(e)
	stamp := tlv.Stamp(0)
	if !e.pend.add {
		stamp = p.e.clock.next(p.now())
	}
	p.endRun()
	p.buf = appendAdd(p.buf, e.key, n, stamp, kind, joined)
	created := !e.exists && (e.fields == nil || e.fields.head.size() == 0)
	e.add(n, stamp, kind, joined)
	p.e.show(e)
	if created {
		p.report(e, Created)
	}
}

func (p *Pipeline) assign(e *entry, v Value, kind tlv.Kind) {
	p.changes++
	since := p.since(e)
	p.cancelAll(e)
	p.e.markDirty(e)
	p.endRun()
	none := e.under(p.e.self.id)
	p.e.clock.pass(e.foreign.latest())
	stamp := p.e.clock.next(p.now())
	if v.IsText {
		p.buf = appendText(p.buf, e.key, v.Text, stamp, since)
		p.e.pace.texts.Add(int64(len(v.Text)))
	} else {
		p.buf = appendAssign(p.buf, e.key, v.Int, stamp, since, kind)
	}
	e.assign(v, stamp, since, kind)
	p.e.show(e)
	if none.Stamp != 0 {
		p.setExpiry(e, none)
	}
	if v.IsText {
		p.e.shrink(e.hash)
	}
}

// since is what a SET has to name of a field that is there already: it keeps its place in a small hash.
func (p *Pipeline) since(e *entry) tlv.Stamp {
	if !e.exists || !isField(e.key) || e.fields.head.size() > SmallHash {
		return 0
	}
	return e.began(p.e.self.id)
}

func (p *Pipeline) expireAt(e *entry, at int64) {
	p.e.clock.pass(e.foreign.latest())
	p.setExpiry(e, tlv.Expiry{Stamp: p.e.clock.next(p.now()), At: at})
}

// addFast is an increment of the short way; those of one key in a row share one record. ErrOverflow changes nothing.
func (p *Pipeline) addFast(e *entry, n int64) (int64, error) {
	if p.aside && p.run == nil {
		return p.addAside(e, n)
	}
	if p.run != e || n >= 0 && p.runN > math.MaxInt64-n || n < 0 && p.runN < math.MinInt64-n {
		p.endRun()
		p.announce(e)
		p.run, p.runN = e, 0
	}
	v, ok := e.addFast(n)
	if !ok {
		return 0, ErrOverflow
	}
	p.changes++
	p.runN += n
	return v, nil
}

func (p *Pipeline) endRun() {
	if p.run != nil {
		p.buf = appendAdd(p.buf, p.run.key, p.runN, 0, tlv.ZCounter, false)
		p.run = nil
	}
}

// refusal says why there can be no writes at present, or nil.
func (e *Engine) refusal() error {
	if e.health.refuse.Load() == 0 {
		return nil
	}
	switch {
	case e.health.closed.Load():
		return ErrClosed
	case e.Failed() != nil:
		return e.failure()
	}
	if tooManyFiles(e.journal.NoRoom()) {
		return ErrNoFiles
	}
	return ErrNoSpace
}
