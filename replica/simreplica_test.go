package replica

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// simReplica is one replica of the simulation: a real engine on a simulated disk, a real Node that a virtual network drives,
// and the ghost.
type simReplica struct {
	w     *simWorld
	name  string
	skew  int64
	step  int64 // by which its wall clock was put wrong, of the engine alone
	peers []*simReplica
	links []*simLink
	epoch int    // counts the starts
	life  uint64 // the present one has

	disk   *enginetest.Disk
	e      *engine.Engine // nil: the replica is down
	node   *Node
	parked []*request       // that wait for news
	owed   enginetest.Debts // of limiters that have counted 1

	landing bool // a page of a snapshot: what was given up of another may be published

	simStored
	backup  *simBackup
	machine *simBackup // with its memory
	fork    bool       // it was restored: it is to take a new ID
	witness string     // who will tell it
	tail    int        // of pending is from before the restore: the original has published it
	reborn  bool       // the original was started anew since the copy
}

// simStored is what the simulation knows of what a replica's disk has.
type simStored struct {
	id      tlv.ReplicaID
	vector  tlv.Vector           // as last seen
	ghost   enginetest.Ghost     // of what shows
	stored  enginetest.Ghost     // of what is in the database
	pending []enginetest.Event   // of what is in the journal only
	births  map[string]tlv.Stamp // of the contributions last published
	met     map[string]bool      // keys that the transfer under way has brought
	page    string               // the snapshot that they are from
}

func (s *simStored) clone() simStored {
	c := *s
	c.ghost, c.stored = s.ghost.Clone(), s.stored.Clone()
	c.pending, c.vector = slices.Clone(s.pending), slices.Clone(s.vector)
	c.births, c.met = maps.Clone(s.births), maps.Clone(s.met)
	return c
}

// simBackup is a copy of a store.
type simBackup struct {
	disk  *enginetest.Disk
	epoch int
	simStored
}

func (r *simReplica) now() int64 { return r.w.now + r.skew }

// wall is what the engine takes for the time.
func (r *simReplica) wall() int64 { return max(0, r.now()+r.step) }

// open starts the replica with what its disk has.
func (r *simReplica) open() {
	w := r.w
	o := engine.Options{Disk: r.disk, Sync: engine.Always, AwaitPeers: true, Now: r.wall, Backlog: w.backlog,
		UpdatePeriod: engine.AlwaysFresh, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if w.stale {
		o.UpdatePeriod = time.Hour
	}
	var err error
	if r.e, err = engine.Open("store", o); err != nil {
		w.fail("%s: Open = %v", r.name, err)
	}
	if r.id != 0 && r.e.ReplicaID() != r.id {
		w.fail("%s: replica %x after a start; want %x", r.name, r.e.ReplicaID(), r.id)
	}
	r.id, r.life = r.e.ReplicaID(), r.e.Life()
	r.epoch++
	var addrs []string
	for _, p := range r.peers {
		addrs = append(addrs, p.name)
	}
	r.node, err = New(r.e, Options{Peers: addrs, Log: o.Logger, random: w.rng.Uint64,
		now: func() time.Time { return time.UnixMilli(r.now()) }})
	if err != nil {
		w.fail("%s: New = %v", r.name, err)
	}
	r.links = nil
	for _, p := range r.peers {
		l := &simLink{r: r, to: p, link: r.node.links[p.name], epoch: r.epoch}
		r.links = append(r.links, l)
		w.after(0, l.alive(func() { l.drive(Woken{}) }))
	}
	w.after(0, r.alive(r.maintenance))
	w.trace("%s starts as %x life %x with %v", r.name, r.id, r.e.Life(), r.e.Vector())
	r.watch()
}

// alive has f run only if the replica was not started anew meanwhile.
func (r *simReplica) alive(f func()) func() {
	epoch := r.epoch
	return func() {
		if r.epoch == epoch && r.e != nil {
			f()
			r.w.check(r)
		}
	}
}

func (r *simReplica) maintenance() {
	if err := r.node.maintain(); err != nil {
		r.w.fail("%s: maintenance: %v", r.name, err)
	}
	r.watch()
	r.w.after(maintainEvery.Milliseconds(), r.alive(r.maintenance))
}

// stop ends the process: by kill -9, or by the loss of power.
func (r *simReplica) stop(power bool) {
	left := r.disk.Copy
	if power {
		left = r.disk.Crash
	}
	next := left()
	r.drop()
	r.disk = next
}

func (r *simReplica) drop() {
	if err := closeAll(r.node.snapshots.take(r.node.snapshots.leases.All())); err != nil {
		r.w.fail("%s: close snapshots: %v", r.name, err)
	}
	if err := r.disk.Abandon(r.e); err != nil {
		r.w.fail("%s: Abandon = %v", r.name, err)
	}
	r.e, r.node = nil, nil
	r.epoch++
	parked := r.parked
	r.parked = nil
	for _, q := range parked {
		q.lose()
	}
}

// confirmed says whether the store awaits its peers no more.
func (r *simReplica) confirmed() bool {
	select {
	case <-r.e.Confirmed():
		return true
	default:
		return false
	}
}

// save keeps a copy of the store.
func (r *simReplica) save() {
	if !r.confirmed() {
		return
	}
	r.backup = &simBackup{disk: r.disk.Copy(), epoch: r.epoch, simStored: r.simStored.clone()}
}

// restorable says whether the backup can be put back so that nothing is lost that a peer has: one that this replica asks
// has all that it ever published.
func (r *simReplica) restorable() *simLink {
	if r.backup == nil || r.e == nil || r.backup.id != r.id || r.fork {
		return nil
	}
	own := r.e.Vector().Entry(r.id)
	if own == r.backup.vector.Entry(r.id) {
		return nil // nothing was published since: no fork
	}
	for _, l := range r.links {
		if l.to.e != nil && !l.to.fork && l.to.e.Vector().Entry(r.id) == own {
			return l
		}
	}
	return nil
}

// restore puts the backup back.
func (r *simReplica) restore(witness string) {
	r.fork, r.witness, r.reborn, r.tail = true, witness, r.epoch != r.backup.epoch, len(r.backup.pending)
	if r.id != r.backup.id {
		r.w.dead = append(r.w.dead, r.id)
	}
	r.drop()
	r.disk = r.backup.disk.Copy()
	r.simStored = r.backup.simStored.clone()
	r.open()
	for _, l := range r.links {
		l.perfect = l.to.name == witness
	}
}

// watch notes what the store has done: a batch published, a new ID taken, its vector grown.
func (r *simReplica) watch() {
	w := r.w
	if id := r.e.ReplicaID(); id != r.id {
		r.renamed(id)
	}
	v := r.e.Vector()
	if v.Entry(r.id) != r.vector.Entry(r.id) && !w.forks {
		r.publishes()
	}
	for _, e := range v {
		if w.forks {
			break
		}
		w.checkNoGap(r, r.vector.Entry(e.Replica), e)
	}
	if !slices.Equal(v, r.vector) {
		r.vector = v
		r.announce()
	}
	select {
	case <-r.node.wake:
		w.after(0, r.alive(func() {
			if err := r.node.maintain(); err != nil {
				w.fail("%s: maintenance: %v", r.name, err)
			}
			r.watch()
		}))
	default:
	}
}

// renamed: what was not published goes on under the new ID. What of it is from before the restore the original has
// published, and it will come from a peer; only what that cancelled of others is cancelled already.
func (r *simReplica) renamed(id tlv.ReplicaID) {
	if r.w.forks {
		r.w.trace("%s is %x from now on", r.name, id)
		r.dies()
		r.id = id
		return
	}
	if !r.fork { // not all who know it were heard in time
		r.tail = 0
	}
	r.w.trace("%s is %x from now on", r.name, id)
	r.dies()
	r.fork = false
	for _, l := range r.links {
		l.perfect = false
	}
	r.pending = append(r.cancelsOfOthers(r.pending[:r.tail]), r.pending[r.tail:]...)
	r.ghost = r.stored.Clone()
	r.ghost.Apply(r.pending...)
	for _, ev := range r.pending {
		if ev.Add >= 0 {
			r.w.tokens[ev.Add].Origin = id
			if t := r.disk.Tail(ev.Life); t != 0 {
				r.w.tokens[ev.Add].Origin = t
			}
		}
	}
	r.id, r.life, r.births = id, r.e.Life(), map[string]tlv.Stamp{}
}

// dies notes which IDs nobody has any more.
func (r *simReplica) dies() {
	for _, e := range r.e.Vector() {
		r.w.tails[e.Replica] = r.w.tails[e.Replica] || e.End != 0
	}
	for _, id := range r.e.Former() {
		if !slices.Contains(r.w.dead, id) {
			r.w.dead = append(r.w.dead, id)
		}
	}
}

// cancelsOfOthers is what of the events concerns tokens that are not this replica's own.
func (r *simReplica) cancelsOfOthers(events []enginetest.Event) (list []enginetest.Event) {
	for _, ev := range events {
		theirs := slices.DeleteFunc(slices.Clone(ev.Gone), func(t int) bool { return r.w.tokens[t].Origin == r.id })
		if len(theirs) > 0 {
			list = append(list, enginetest.Event{Key: ev.Key, Add: -1, Gone: theirs})
		}
	}
	return list
}

// publishes notes a new batch of this replica, with what it does to the ghost: own tokens that were cancelled are gone for
// others as soon as a contribution with a new birth takes the place of the one they were in.
func (r *simReplica) publishes() {
	var since tlv.Vector
	since = append(since, r.e.Vector()...)
	since.Remove(r.id)
	if e := r.vector.Entry(r.id); e.Stamp != 0 {
		since.Put(e)
	}
	log, err := r.e.Batches(since, 0, 1<<30)
	if n := len(log.Batches); err != nil || n < 1 || n > 1 && !r.landing {
		r.w.fail("%s: Batches = %+v, %v; want the one that was just published", r.name, log, err)
	}
	for i, data := range log.Batches {
		b, _, err := tlv.ParseBatch(data)
		if err != nil {
			r.w.fail("%s: ParseBatch = %v", r.name, err)
		}
		if own := slices.ContainsFunc(b.Deltas, func(d tlv.Delta) bool { return d.State.Contribution(r.id) != nil }); r.landing && !own && (i > 0 || len(r.pending) == 0) {
			r.w.relayed++
			r.pending = r.stored.All(b.Deltas)
		}
		r.published(&b, data)
	}
}

func (r *simReplica) published(b *tlv.Batch, data []byte) {
	for i := range b.Deltas {
		key := enginetest.Name(b.Deltas[i].Key)
		for _, c := range b.Deltas[i].State.Contributions {
			what := writing{key, c.Replica, c.Rev}
			if _, known := r.w.contributions[what]; !known { // one that is passed on may be forgotten here
				r.w.contributions[what] = c
			}
		}
		own := b.Deltas[i].State.Contribution(r.id)
		if own == nil {
			continue
		}
		if r.births[key] != own.Birth {
			r.does(enginetest.Event{Key: key, Add: -1, Gone: r.ghost.OwnGone(r.w.tokens, key, r.id)})
		}
		r.births[key] = own.Birth
	}
	r.w.trace("%s publishes %x %d life %x after %d: %+v", r.name, r.id, b.Stamp, b.Life, b.Prev, b.Deltas)
	r.w.history[r.id] = append(r.w.history[r.id], simBatch{entry: b.Entry(), data: data, events: r.pending})
	r.stored.Apply(r.pending...)
	r.pending = nil
}

// ---- what links do to the store

// took notes that a batch was taken in.
func (r *simReplica) took(b *tlv.Batch, before tlv.Vector) {
	if before.Entry(b.Replica).Stamp >= b.Stamp || r.w.forks {
		return
	}
	published := r.w.batch(b.Entry())
	if !bytes.Equal(published.data, tlv.AppendBatch(nil, b)) {
		r.w.fail("%s: batch %d of %x is not as it was published", r.name, b.Stamp, b.Replica)
	}
	r.ghost.Apply(published.events...)
	r.stored.Apply(published.events...)
}

// merged notes that a page of a snapshot was merged: each key that it has now knows what the source knew of it.
func (r *simReplica) merged(page []byte) {
	deltas, err := tlv.ParseDeltas(page)
	if err != nil {
		r.w.fail("%s: ParseDeltas = %v", r.name, err)
	}
	for i := range deltas {
		r.learn(enginetest.Name(deltas[i].Key))
	}
}

// finished notes the end of a transfer: the keys that it did not bring are dead at its source, or unknown.
func (r *simReplica) finished() {
	for _, key := range r.w.keys {
		if !r.met[key] {
			r.learn(key)
		}
	}
	r.met, r.page = nil, ""
}

func (r *simReplica) learn(key string) {
	if r.w.forks {
		return
	}
	source := r.w.snapshots[r.page]
	r.ghost.Merge(source, key)
	r.stored.Merge(source, key)
	r.met[key] = true
}

// ---- what clients do

func (r *simReplica) look(key string) (tlv.State, tlv.View) {
	s, err := r.disk.State(enginetest.Key(key))
	if err != nil {
		r.w.fail("%s: State(%s) = %v", r.name, key, err)
	}
	return s, s.View()
}

func (r *simReplica) flush() {
	if err := r.e.Flush(); err != nil {
		r.w.fail("%s: Flush = %v", r.name, err)
	}
	r.watch()
}

// loseLog drops the whole replication log, as a small one does under load.
func (r *simReplica) loseLog() {
	r.w.trace("%s loses its log", r.name)
	if err := r.e.TrimLog(r.e.Vector()); err != nil {
		r.w.fail("%s: TrimLog = %v", r.name, err)
	}
}
