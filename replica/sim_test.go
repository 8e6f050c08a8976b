package replica

import (
	"container/heap"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "replay this world of the simulation alone, with a trace")
	simCount = flag.Int("sim.count", 500, "worlds to simulate")
	simFirst = flag.Uint64("sim.first", 1, "the first of them")
)

// The simulation runs real engines and real Nodes in virtual time, from a seed: two to six replicas as mesh, ring, star or
// chain increment, set, delete, harvest and expire, with clocks that differ; the network delays, loses and repeats, answers
// come in part or once more, links are cut; replicas crash, with the loss of what is not synced, and are rolled back to old
// copies while a peer is there that has what they published; logs are trimmed, states are transferred, and what is dead is
// cleaned up. Nothing happens at the same time, so a seed replays exactly.
//
// After every step the replica concerned is compared with its ghost, no entry of its version vector claims what is not
// there, and no contribution is but what its replica published. At the end all are alike, and dead keys have left nothing.

// failure is what a world panics with when an invariant does not hold.
type failure string

func (f failure) Error() string { return string(f) }

// simBatch is a batch as it was published.
type simBatch struct {
	entry  tlv.VectorEntry
	data   []byte
	events []event
}

// writing names what a replica said of a key at one moment: it says so once.
type writing struct {
	key     string
	replica tlv.ReplicaID
	rev     tlv.Stamp
}

// happening is something that is to happen at a time.
type happening struct {
	at, seq int64
	f       func()
}

// schedule has the next happening first.
type schedule []happening

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at < s[j].at || s[i].at == s[j].at && s[i].seq < s[j].seq
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(happening)) }
func (s *schedule) Pop() any {
	old := *s
	x := old[len(old)-1]
	*s = old[:len(old)-1]
	return x
}

type simWorld struct {
	seed     uint64
	rng      *rand.Rand
	now      int64 // ms
	seq      int64
	schedule schedule
	tracing  func(format string, args ...any)

	ttl, stale bool
	limits     bool // limiters are all that counts: at the end no key may be left
	apart      bool // they set the TTL some time after they have counted; no store is rolled back, which could lose that
	gaps       bool // logs are lost and links cut all the time: much is transferred, in small pages
	forks      bool // stores are rolled back whether a peer is there that knows or not: no ghost can tell what is left
	backlog    int64
	calm       bool // nothing goes wrong any more
	topology   string
	keys       []string
	replicas   []*simReplica

	tokens        []token
	history       map[tlv.ReplicaID][]simBatch
	contributions map[writing]tlv.Contribution
	snapshots     map[string]ghost
	dead          []tlv.ReplicaID        // IDs that nobody has any more
	tails         map[tlv.ReplicaID]bool // IDs of tails
	transfers     int
	relayed       int    // batches of what came of transfers that were given up
	counted       int64  // of healthyKey, where there are forks
	marked        []bool // of each mark, whether it may be lost
	sent, merged  int64  // by a device: what it has counted, and the most of that which was merged
}

func newSimWorld(seed uint64, forks bool, tracing func(string, ...any)) *simWorld {
	w := &simWorld{seed: seed, forks: forks, rng: rand.New(rand.NewPCG(seed, 2)), now: 1_000_000, tracing: tracing, history: map[tlv.ReplicaID][]simBatch{},
		contributions: map[writing]tlv.Contribution{}, tails: map[tlv.ReplicaID]bool{}, snapshots: map[string]ghost{}}
	w.ttl, w.stale, w.gaps = seed%2 == 1, seed%7 == 3, seed%3 == 0
	w.backlog = []int64{1 << 20, 1 << 20, 2000, 1000}[w.rng.IntN(4)] // at least what a page of a state publishes
	keys, replicas := 1+w.rng.IntN(4), 2+w.rng.IntN(5)
	if forks {
		replicas = max(3, replicas)
	}
	if w.gaps {
		keys, replicas = 2, 3+w.rng.IntN(2)
	}
	for i := range keys {
		w.keys = append(w.keys, fmt.Sprintf("k%d", i))
	}
	if w.limits = seed%4 == 1 && !forks; w.limits {
		w.apart = seed%8 == 5
		w.backlog = max(w.backlog, 4000) // a batch with expiries is larger, and the log has to have the one just published
	}
	if seed%4 < 2 && !w.limits {
		w.keys = append(w.keys[1:], "h/f", "h/g")
	}
	if forks {
		w.keys = append(w.keys, marks, "after", healthyKey)
	}
	for i := range replicas {
		r := &simReplica{w: w, name: fmt.Sprintf("r%d", i), disk: enginetest.NewDisk(w.rng.Uint64),
			simStored: simStored{ghost: ghost{}, stored: ghost{}, births: map[string]tlv.Stamp{}}}
		if w.ttl {
			r.skew = []int64{-3, 0, 0, 2}[w.rng.IntN(4)]
		}
		w.replicas = append(w.replicas, r)
	}
	w.connect()
	for _, r := range w.replicas {
		r.open()
	}
	return w
}

// connect says who pulls from whom.
func (w *simWorld) connect() {
	n := len(w.replicas)
	w.topology = []string{"mesh", "ring", "star", "chain"}[w.rng.IntN(4)]
	if w.gaps {
		w.topology = "mesh"
	}
	for i, r := range w.replicas {
		for j, p := range w.replicas {
			joined := map[string]bool{
				"mesh":  true,
				"ring":  j == (i+1)%n,
				"star":  i == 0 || j == 0,
				"chain": i == j+1 || j == i+1,
			}[w.topology]
			if joined && i != j {
				r.peers = append(r.peers, p)
			}
		}
	}
}

func (w *simWorld) fail(format string, args ...any) {
	panic(failure(fmt.Sprintf(format, args...)))
}

func (w *simWorld) trace(format string, args ...any) {
	if w.tracing != nil {
		w.tracing("%d "+format, append([]any{w.now - 1_000_000}, args...)...)
	}
}

// after has f happen so many ms from now.
func (w *simWorld) after(ms int64, f func()) {
	w.seq++
	heap.Push(&w.schedule, happening{w.now + ms, w.seq, f})
}

// pass lets time pass, and happen what is due.
func (w *simWorld) pass(ms int64) {
	until := w.now + ms
	for len(w.schedule) > 0 && w.schedule[0].at <= until {
		h := heap.Pop(&w.schedule).(happening)
		w.now = max(w.now, h.at)
		h.f()
	}
	w.now = until
}

// skip lets time pass in which nothing happens.
func (w *simWorld) skip(ms int64) {
	w.now += ms
	for i := range w.schedule {
		w.schedule[i].at += ms
	}
}

// few is a limit of bytes that is sometimes very small.
func (w *simWorld) few(usual int64) int64 {
	if !w.gaps && w.rng.IntN(2) == 0 {
		return usual
	}
	return int64(1 + w.rng.IntN(200))
}

func (w *simWorld) batch(e tlv.VectorEntry) simBatch {
	for _, b := range w.history[e.Replica] {
		if b.entry == e {
			return b
		}
	}
	w.fail("batch %+v was never published", e)
	return simBatch{}
}

// ---- invariants

// check compares a replica with its ghost.
func (w *simWorld) check(r *simReplica) {
	if r.e == nil {
		return
	}
	for _, key := range w.keys {
		if w.forks {
			break
		}
		s, v := r.look(key)
		if want := r.ghost.value(w.tokens, key); shown(&v) != want {
			w.fail("%s: %s shows %+v; want %+v: %+v", r.name, key, shown(&v), want, s)
		}
		for _, c := range s.Contributions {
			if c.Replica != r.id && !c.Closed {
				if p, ok := w.contributions[writing{key, c.Replica, c.Rev}]; !ok || p != c {
					w.fail("%s: %s has %+v; its replica published %+v", r.name, key, c, p)
				}
			}
		}
	}
	r.checkSize()
	if !w.forks {
		w.compare(r)
	}
}

// checkNoGap checks that everything is there which the vector claims more than before.
func (w *simWorld) checkNoGap(r *simReplica, was, is tlv.VectorEntry) {
	for _, b := range w.history[is.Replica] {
		if b.entry.Stamp > was.Stamp && b.entry.Stamp <= is.Stamp && !r.stored.has(b.events) {
			w.fail("%s: its vector has %x up to %d, and batch %d is not there", r.name, is.Replica, is.Stamp, b.entry.Stamp)
		}
	}
}

// ---- the run

func (w *simWorld) run(steps int) {
	w.pass(3000) // everybody has found everybody, or has waited long enough
	for range steps {
		w.pass([]int64{0, 0, 0, 0, 0, 1, 1, 2, 20, 400}[w.rng.IntN(10)])
		r := w.replicas[w.rng.IntN(len(w.replicas))]
		if r.e == nil {
			continue
		}
		switch {
		case w.healthy(r) && w.rng.IntN(4) == 0:
			r.incr(healthyKey, 1)
			w.counted++
		case w.forks && r.backup == nil && w.rng.IntN(5) == 0:
			r.save()
		case w.forks && !w.healthy(r) && r.confirmed() && w.rng.IntN(20) == 0:
			r.machine = &simBackup{disk: r.disk.Machine(), simStored: r.simStored.clone()}
		case w.forks && !w.healthy(r) && w.rng.IntN(4) == 0:
			w.mark(r)
		case w.forks && w.rng.IntN(10) == 0:
			w.rollBackLate(r)
		case w.forks && w.rng.IntN(30) == 0:
			w.clone(r)
		case !w.forks && !r.fork && w.backlog > 2000 && r.confirmed() && w.rng.IntN(30) == 0: // the log has room for two batches
			w.mergeOrHarvest(r)
		default:
			w.step(r, w.key())
		}
		w.check(r)
	}
	w.end()
}

// value is what a SET assigns: an integer, or a text in one of three.
func (w *simWorld) value() engine.Value {
	n := w.rng.Int64N(105) - 5
	if n%3 == 0 {
		return engine.ParseValue(fmt.Appendf(nil, "text %d", n))
	}
	return engine.IntValue(n)
}

// hour in ms.
const hour = 3600 * 1000

func (w *simWorld) step(r *simReplica, key string) {
	g := w.rng
	if r.fork && g.IntN(4) > 0 { // what is done now is kept, but who deletes what the copy had not published may leave a 0
		r.count(key, g.Int64N(5))
		return
	} else if r.fork {
		w.killWaiting(r)
		return
	}
	if g.IntN(20) == 0 { // its clock is put wrong, or right again
		r.step = []int64{0, 0, 2 * hour, -2 * hour, 30 * 24 * hour}[g.IntN(5)]
	}
	switch op := g.Float64(); {
	case w.gaps && op < .06:
		r.flicker(key)
	case w.gaps && op < .10:
		w.miss(r)
	case w.limits && op < .40:
		r.limit(key)
	case w.limits && op < .41 && len(w.keys) > 1:
		r.del(key)
	case w.limits && op < .47:
		r.pay()
	case w.limits && op < .56:
		w.pass(int64(g.IntN(2)))
	case op < .32:
		r.incr(key, []int64{1, 1, 5, -2, 0}[g.IntN(5)])
	case op < .39:
		r.del(key)
	case op < .43:
		r.harvest(key)
	case op < .50:
		r.set(key, w.value())
	case op < .56:
		if w.ttl {
			r.expire(key, []int64{0, 1, 3, 8}[g.IntN(4)])
		}
	case op < .60:
		r.sweep()
	case op < .74:
		r.flush()
	case op < .76:
		r.e.Refresh()
	case op < .77:
		w.scrub(r)
	case op < .78:
		w.forget(r)
	case op < .81:
		r.loseLog()
	case op < .85:
		w.cut(r)
	case op < .88:
		w.crash(r)
	case op < .92:
		if !r.fork {
			w.trace("%s is copied with %d events that are not published", r.name, len(r.pending))
			r.save()
		}
	case op < .94 && !w.apart:
		w.rollBack(r)
	case w.gaps:
		r.loseLog()
	default:
		w.pass(int64(g.IntN(30)))
	}
	if r.e != nil {
		r.watch()
	}
}

// marks is a key in which each increment is a digit of its own, to the base of 4: what counts twice shows.
const marks = "marks"

const maxMarks = 30

// mark counts the next digit.
func (w *simWorld) mark(r *simReplica) {
	if n := len(w.marked); n < maxMarks {
		w.marked = append(w.marked, false)
		r.incr(marks, 1<<(2*n))
	}
}

// digits says how often a replica shows each mark: until it has heard of all, some perhaps more than once.
func (w *simWorld) digits(r *simReplica) (list [maxMarks]int64) {
	if r.e == nil {
		return list
	}
	_, v := r.look(marks)
	for i := range w.marked {
		list[i] = v.Sum.Clamp() >> (2 * i) & 3
	}
	return list
}

// losing has a replica get another store. What it alone had may be lost.
func (w *simWorld) losing(r *simReplica, f func()) {
	before := w.digits(r)
	f()
	have := w.digits(r)
	for _, o := range w.replicas {
		if o.e == nil || !o.confirmed() { // it may yet rely on what was lost here
			continue
		}
		for i, n := range w.digits(o) {
			have[i] += n
		}
	}
	for i := range w.marked {
		w.marked[i] = w.marked[i] || before[i] > 0 && have[i] == 0
	}
}

// half says whether all that a replica has of some ID's last batches is what half of a state transfer brought: nobody knows of them, and what
// they say may count twice, or be replaced.
func (w *simWorld) half(r *simReplica) bool {
	s, _ := r.look(marks)
	v := r.e.Vector()
	return slices.ContainsFunc(s.Contributions, func(c tlv.Contribution) bool {
		return !w.tails[c.Replica] && c.Rev > v.Entry(c.Replica).Stamp
	})
}

// clone has a replica go on with a copy of the store of another, which goes on too.
func (w *simWorld) clone(r *simReplica) {
	o := w.replicas[w.rng.IntN(2)]
	if w.healthy(r) || o.e == nil || !slices.Contains(r.peers, o) {
		return // a copy that reaches nobody who knows of the original publishes under the same ID
	}
	w.between(r, o, false)
	mine, theirs := r.backup, o.backup
	o.backup = nil
	o.save()
	r.backup, o.backup = o.backup, theirs
	if r.backup == nil { // it waits for its peers
		r.backup = mine
		return
	}
	w.trace("%s gets a copy of the store of %s", r.name, o.name)
	w.losing(r, func() { r.restore("") })
	r.fork, r.backup = false, mine
}

// healthyKey is one that only healthy replicas increment, and that nobody deletes.
const healthyKey = "healthy"

// key is one to do something with.
func (w *simWorld) key() string {
	n := len(w.keys)
	if w.forks {
		n -= 3
	}
	return w.keys[w.rng.IntN(n)]
}

// healthy says whether a replica never loses anything, in a world of forks.
func (w *simWorld) healthy(r *simReplica) bool { return w.forks && r.name >= "r2" }

// cut cuts a link of a replica, or mends it.
func (w *simWorld) cut(r *simReplica) {
	l := r.links[w.rng.IntN(len(r.links))]
	l.cut = !l.cut
	w.trace("%s<-%s: cut: %v", r.name, l.to.name, l.cut)
}

// miss has a replica miss much of what the others do, some of which then have no log of it any more.
func (w *simWorld) miss(r *simReplica) {
	w.trace("%s is isolated", r.name)
	for _, l := range r.links {
		l.cut = true
	}
	for range 6 {
		o := w.replicas[w.rng.IntN(len(w.replicas))]
		key := w.key()
		switch {
		case o == r || o.e == nil:
		case w.rng.IntN(2) == 0:
			o.flicker(key)
		default:
			o.count(key, 1)
			o.flush()
		}
		w.pass(int64(w.rng.IntN(100)))
	}
	for _, l := range r.links {
		l.cut = false
		if l.to.e != nil && w.rng.IntN(2) == 0 {
			l.to.loseLog()
		}
	}
}

// forget has a replica drop what is cancelled of another one, which may well be there.
func (w *simWorld) forget(r *simReplica) {
	id := w.replicas[w.rng.IntN(len(w.replicas))].id
	select {
	case <-r.e.Confirmed():
	default:
		return
	}
	if _, err := r.node.Forget(id, true); err != nil && !errors.Is(err, engine.ErrForgetsItself) {
		w.fail("%s: Forget(%x) = %v", r.name, id, err)
	}
	w.trace("%s forgets %x", r.name, id)
}

func (w *simWorld) scrub(r *simReplica) {
	if err := r.e.Scrub(); err != nil {
		w.fail("%s: Scrub = %v", r.name, err)
	}
}

// witnessed says that a restored replica still has to hear that it has forked: nobody it needs for that may go now.
func (w *simWorld) witnessed() bool {
	return slices.ContainsFunc(w.replicas, func(r *simReplica) bool { return r.fork })
}

func (w *simWorld) crash(r *simReplica) {
	if w.witnessed() {
		return
	}
	power := w.rng.IntN(2) == 0
	w.trace("%s crashes, power %v", r.name, power)
	r.stop(power)
	down := []int64{0, 0, 10, 1000}[w.rng.IntN(4)]
	w.after(down, func() {
		if r.e == nil {
			r.open()
		}
	})
}

// killWaiting ends a restored replica with kill -9 before it has heard that it has forked.
func (w *simWorld) killWaiting(r *simReplica) {
	w.trace("%s is killed while it waits", r.name)
	r.stop(false)
	r.open()
	for _, l := range r.links {
		l.perfect = l.to.name == r.witness
	}
}

func (w *simWorld) rollBack(r *simReplica) {
	if w.forks {
		w.rollBackLate(r)
		return
	}
	if w.witnessed() {
		return
	}
	if l := r.restorable(); l != nil {
		w.trace("%s is rolled back; %s knows all", r.name, l.to.name)
		r.restore(l.to.name)
	}
}

// rollBackLate rolls a replica back that reaches nobody for so long that it goes on under its old ID, and then one other,
// which has not heard what the others had of it before.
func (w *simWorld) rollBackLate(r *simReplica) {
	if r.backup == nil || w.healthy(r) {
		return
	}
	o := w.replicas[w.rng.IntN(len(w.replicas))]
	for o == r {
		o = w.replicas[w.rng.IntN(len(w.replicas))]
	}
	w.trace("%s hears nobody", o.name)
	w.between(o, nil, true)
	w.busy(r)
	w.trace("%s is rolled back", r.name)
	w.losing(r, func() { r.restore("") })
	r.fork = false
	w.between(r, nil, true)
	w.pass(2500)
	w.busy(r)
	w.trace("%s meets %s", r.name, o.name)
	w.between(r, o, false)
	w.pass(500)
	w.busy(r)
	if w.rng.IntN(2) == 0 {
		w.between(r, o, true)
	}
}

// busy has a replica do this and that, and publish it.
func (w *simWorld) busy(r *simReplica) {
	for range 1 + w.rng.IntN(3) {
		key := w.key()
		switch w.rng.IntN(5) {
		case 0:
			r.del(key)
		case 1:
			r.set(key, w.value())
		default:
			r.count(key, 1)
		}
		r.flush()
		w.pass(int64(w.rng.IntN(300)))
	}
}

// between cuts the links between two replicas, or mends them; o nil: those between r and all others.
func (w *simWorld) between(r, o *simReplica, cut bool) {
	for _, p := range w.replicas {
		for _, l := range p.links {
			if l.r == r && (o == nil || l.to == o) || l.to == r && (o == nil || l.r == o) {
				l.cut = cut
			}
		}
	}
}

// end lets everybody hear of everything, then every expiry pass, and looks at what is left.
func (w *simWorld) end() {
	w.calm = true
	for _, r := range w.replicas {
		r.step = 0
	}
	if r := w.replicas[0]; w.merged > 0 && r.e != nil && !r.fork && r.confirmed() {
		w.merge(r, w.merged) // who merged it first may have been rolled back
		w.merge(r, 1)
	}
	w.settle("first")
	for _, r := range w.replicas {
		r.pay()
	}
	w.settle("when all TTLs are set")
	w.skip(100 + 30*24*hour) // also those of a clock that was wrong
	w.settle("after the expiries")
	for _, r := range w.replicas {
		for _, id := range append(slices.Clone(w.dead), device) {
			if slices.ContainsFunc(w.replicas, func(o *simReplica) bool { return o.id == id }) {
				continue // by an old backup it came to life again
			}
			if _, err := r.node.Forget(id, true); err != nil {
				w.fail("%s: Forget(%x) = %v", r.name, id, err)
			}
		}
	}
	w.settle("after forgetting")
	first := w.replicas[0]
	for _, r := range w.replicas {
		w.check(r)
		w.scrub(r)
		for _, key := range w.keys {
			x, a := first.look(key)
			if y, b := r.look(key); shown(&a) != shown(&b) || a.Sum != b.Sum || a.Expiry != b.Expiry {
				w.fail("%s of %s shows %+v; %s shows %+v: %+v and %+v", key, first.name, a, r.name, b, x, y)
			}
		}
		if _, v := r.look(healthyKey); v.Sum != tlv.FromInt64(w.counted) {
			w.fail("%s: %d was counted by those who never lost anything, and %+v shows", r.name, w.counted, v)
		}
		w.leftovers(r)
		half := w.half(r)
		for i, n := range w.digits(r) {
			if i < len(w.marked) && (n > 1 && !half || n < 1 && !w.marked[i]) {
				w.fail("%s: mark %d was counted once, and shows %d times, may be lost: %v", r.name, i, n, w.marked[i])
			}
		}
	}
	w.checkMerged()
	if w.limits {
		w.ended()
	}
	if r := w.replicas[w.rng.IntN(2)]; r.machine != nil && !w.half(first) {
		w.putBack(r)
	}
}

// putBack puts a machine back together with its memory. It goes on under the ID that it had, without asking: where the others have
// anything else of that they take none of it, and it goes on under another ID. All of them are alike still, and have what it counts then.
func (w *simWorld) putBack(r *simReplica) {
	others := slices.DeleteFunc(slices.Clone(w.replicas), func(o *simReplica) bool { return o == r })
	theirs, was := others[0].e.Vector(), r.machine.vector.Entry(r.machine.id)
	ended := slices.ContainsFunc(theirs, func(e tlv.VectorEntry) bool { return e.Of == r.machine.id })
	if ended && theirs.Entry(r.machine.id).Stamp <= was.Stamp {
		return // it has been given up since at the very batch: all take its next for one of before that
	}
	have := w.digits(others[0])
	w.trace("the machine of %s is put back", r.name)
	r.drop()
	r.disk, r.simStored = r.machine.disk, r.machine.simStored.clone()
	r.open()
	w.busy(r)
	w.pass(30_000)
	r.incr("after", 1)
	r.flush()
	w.pass(30_000)
	for _, o := range others {
		if _, v := o.look("after"); v.Sum != tlv.FromInt64(1) {
			w.fail("%s: of the machine that was put back and is now %x shows %+v: %s", o.name, r.id, v, w.describe())
		}
		for i, n := range w.digits(o) {
			if n < have[i] {
				w.fail("%s: mark %d is lost", o.name, i)
			}
		}
		for _, key := range w.keys {
			_, a := others[0].look(key)
			if _, b := o.look(key); shown(&a) != shown(&b) {
				w.fail("%s of %s shows %+v; %s shows %+v", key, others[0].name, a, o.name, b)
			}
		}
	}
}

// ended checks that all windows of limiters are over.
func (w *simWorld) ended() {
	for _, r := range w.replicas {
		for _, key := range w.keys {
			if s, v := r.look(key); v.Exists {
				w.fail("%s: %s is left after its time: %+v", r.name, key, s)
			}
		}
	}
}

// settle runs until nothing changes any more.
func (w *simWorld) settle(what string) {
	limit := w.now + 30*60*1000
	for quiet := 0; quiet < 3; {
		if w.now > limit {
			w.fail("%s: they do not agree: %s", what, w.describe())
		}
		w.pass(w.schedule[0].at - w.now + 5)
		for _, r := range w.replicas {
			if r.e != nil {
				r.sweep()
				r.flush()
				w.check(r)
			}
		}
		if quiet++; !w.agree() {
			quiet = 0
		}
	}
}

// agree says whether all have all batches. Who fetches a state hears of tails, and need not tell others.
func (w *simWorld) agree() bool {
	for _, r := range w.replicas {
		if r.e == nil || r.fork || len(r.pending) > 0 {
			return false
		}
		mine, theirs := r.e.Vector(), w.replicas[0].e.Vector()
		if _, forked := mine.Conflict(theirs); forked || !mine.Covers(theirs) || !theirs.Covers(mine) {
			return false
		}
		if _, unfinished := r.e.Transfer(); unfinished {
			return false
		}
	}
	return true
}

func (w *simWorld) describe() string {
	var b strings.Builder
	for _, r := range w.replicas {
		fmt.Fprintf(&b, "\n%s %x ", r.name, r.id)
		if r.e == nil {
			b.WriteString("down")
			continue
		}
		t, unfinished := r.e.Transfer()
		fmt.Fprintf(&b, "vector %v, transfer %+v %v, pending %v;", r.e.Vector(), t, unfinished, r.pending)
		for _, l := range r.links {
			s := l.link.puller.Status()
			fmt.Fprintf(&b, " %s %s %s;", l.to.name, s.State, s.Error)
		}
	}
	return b.String()
}

// forgotten says whether a contribution is the rest that is kept of a replica that nobody is any more.
func (w *simWorld) forgotten(s tlv.State, c tlv.Contribution) bool {
	return slices.Contains(w.dead, c.Replica) && c.Closed && (s.Forgotten(&c) || w.replicas[0].e.Vector().Entry(c.Replica).Stamp < c.Rev)
}

// leftovers checks that dead keys have left nothing behind.
func (w *simWorld) leftovers(r *simReplica) {
	s, err := r.e.Snapshot()
	if err != nil {
		w.fail("%s: Snapshot = %v", r.name, err)
	}
	defer s.Close()
	page, next, _, err := s.Page(nil, 1<<20)
	if err != nil || len(next) > 0 {
		w.fail("%s: Page = %v, next %x", r.name, err, next)
	}
	deltas, err := tlv.ParseDeltas(page)
	if err != nil {
		w.fail("%s: ParseDeltas = %v", r.name, err)
	}
	hashes := map[string]bool{}
	for _, d := range deltas {
		if name, _, ok := tlv.SplitFieldName(d.Key[1:]); ok && tlv.Space(d.Key[0]) == tlv.FieldSpace && d.State.View().Exists {
			hashes[string(name)] = true
		}
	}
	for _, d := range deltas {
		if v := d.State.View(); !v.Exists && !hashes[string(d.Key[1:])] && slices.ContainsFunc(d.State.Contributions, func(c tlv.Contribution) bool { return !w.forgotten(d.State, c) }) {
			w.fail("%s: dead %s left %+v; vector %v, dead replicas %d", r.name, d.Key[1:], d.State, r.e.Vector(), w.dead)
		}
	}
}

// simulate runs the world of a seed to its end.
func simulate(seed uint64, forks bool, tracing func(string, ...any)) (w *simWorld, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p
		default:
			panic(p)
		}
	}()
	w = newSimWorld(seed, forks, tracing)
	w.run(120 + int(seed%100))
	for _, r := range w.replicas {
		r.drop()
	}
	return w, nil
}

// describe names an event or action in a trace.
func describe(x any) string {
	switch x := x.(type) {
	case AskSync:
		return fmt.Sprintf("CSYNC %v except %x block %v bytes %d", x.Vector, x.Except, x.Block, x.Bytes)
	case AskSnap:
		return fmt.Sprintf("CSNAP %q %x", x.Snapshot, x.Cursor)
	case AskDigest:
		return fmt.Sprintf("CDIGEST %q", x.Keys)
	case Take:
		var b strings.Builder
		for i := range x.Batches {
			fmt.Fprintf(&b, "take %d..%d of %x, ", x.Batches[i].Prev, x.Batches[i].Stamp, x.Batches[i].Replica)
		}
		return b.String()
	case Synced:
		return fmt.Sprintf("%d batches of %x, left %d, state %v, vector %v", len(x.Batches), x.Answer.ID, x.Answer.Left, x.Answer.NeedState, x.Answer.Vector)
	case Snapped:
		return fmt.Sprintf("page of %q, done %d of %d, next %x", x.Answer.Snapshot, x.Answer.Done, x.Answer.Keys, x.Answer.Next)
	}
	return fmt.Sprintf("%T%+v", x, x)
}

func TestSimulation(t *testing.T) { testWorlds(t, *simCount, false) }

// TestSimulationOfForks: stores are rolled back that find out late, so that others have taken in each of their histories. All
// end alike, and what the others counted is all there.
func TestSimulationOfForks(t *testing.T) {
	testWorlds(t, *simCount/5, true, 3123, 3248, 3292, 3297, 3390, 3432, 3711, 3847)
}

// testWorlds runs the first worlds, and some in which a fault was found.
func testWorlds(t *testing.T, count int, forks bool, found ...uint64) {
	if *simSeed != 0 {
		if _, err := simulate(*simSeed, forks, t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	if testing.Short() {
		count = min(count, 60)
	}
	for i := range uint64(count) {
		found = append(found, *simFirst+i)
	}
	for _, seed := range found {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			if _, err := simulate(seed, forks, nil); err != nil {
				name, _, _ := strings.Cut(t.Name(), "/")
				t.Fatalf("%v\nreplay: go test ./replica -run %s$ -sim.seed %d", err, name, seed)
			}
		})
	}
}
