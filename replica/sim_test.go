package replica

import (
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
	events []enginetest.Event
}

// writing names what a replica said of a key at one moment: it says so once.
type writing struct {
	key     string
	replica tlv.ReplicaID
	rev     tlv.Stamp
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

	tokens        []enginetest.Token
	history       map[tlv.ReplicaID][]simBatch
	contributions map[writing]tlv.Contribution
	snapshots     map[string]enginetest.Ghost
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
		contributions: map[writing]tlv.Contribution{}, tails: map[tlv.ReplicaID]bool{}, snapshots: map[string]enginetest.Ghost{}}
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
			simStored: simStored{ghost: enginetest.Ghost{}, stored: enginetest.Ghost{}, births: map[string]tlv.Stamp{}}}
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
		r.owed.Pay(r.expire)
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
		r.owed.Pay(r.expire)
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
			if y, b := r.look(key); enginetest.Shown(&a) != enginetest.Shown(&b) || a.Sum != b.Sum || a.Expiry != b.Expiry {
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
