package engine

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "replay this world of the simulation alone")
	simCount = flag.Int("sim.count", 300, "worlds to simulate")
)

// The simulation runs real engines on memory file systems, from a seed: they increment, set, delete, expire, sweep,
// flush, apply one another's batches, lose their cache, and crash with the loss of nothing that is journaled. After
// every step each key of each replica must show what a ghost says, which tracks single increments and which of them some
// cancel had observed (it is the ghost of the executable model, tests/model).

type simBatch struct {
	batch  tlv.Batch
	events []enginetest.Event
}

type simWorld struct {
	t        *testing.T
	rng      *rand.Rand
	now      int64
	ttl      bool
	limits   bool // limiters are all that there is: at the end no key may be left
	tokens   []enginetest.Token
	keys     []string
	fields   map[string][]string // of keys that are used as hashes too: their fields, under the names that the ghosts have for them
	replicas []*simReplica
}

func newSimWorld(t *testing.T, seed uint64) *simWorld {
	w := &simWorld{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: 1_000_000, ttl: seed%2 == 1, limits: seed%8 > 4 && seed%2 == 1}
	for i := range 1 + seed%3 {
		w.keys = append(w.keys, fmt.Sprintf("k%d", i))
	}
	w.fields = map[string][]string{}
	if seed%4 > 1 {
		w.fields["k0"] = []string{"k0/f", "k0/g"}
	}
	for i := range 2 + seed%3 {
		r := &simReplica{w: w, name: fmt.Sprintf("r%d", i), ghost: enginetest.Ghost{}, births: map[string]tlv.Stamp{}}
		if w.ttl {
			r.skew = []int64{-3, 0, 0, 2}[w.rng.IntN(4)]
		}
		r.options = disk()
		r.options.Now = func() int64 { return w.now + r.skew }
		r.options.publish = r.published
		r.options.random = w.rng.Uint64
		r.options.UpdatePeriod = AlwaysFresh
		if seed%5 == 0 {
			r.options.UpdatePeriod = 1e9 * 3600
		}
		r.open()
		w.replicas = append(w.replicas, r)
	}
	return w
}

// value is what a SET assigns: a number, or a text.
func (w *simWorld) value() Value {
	if w.rng.IntN(3) == 0 {
		return ParseValue([]byte([]string{"", "a", "b", "01", "x y"}[w.rng.IntN(5)]))
	}
	return IntValue(w.rng.Int64N(105) - 5)
}

// check compares what every key shows with the ghost, and the count of keys.
func (w *simWorld) check(step int) {
	for _, r := range w.replicas {
		keys := int64(0)
		for _, key := range w.keys {
			_, v := r.look(key)
			want := r.ghost.Value(w.tokens, key)
			if enginetest.Shown(&v) != want {
				w.t.Fatalf("step %d, %s: %s shows %+v; want %+v", step, r.name, key, v, want)
			}
			if r.checkFields(step, key) > 0 || want.OK {
				keys++
			}
		}
		if n := r.e.Stats().Keys[0]; n != keys {
			w.t.Fatalf("step %d, %s: DBSIZE = %d; want %d", step, r.name, n, keys)
		}
	}
}

// settle lets everybody hear of everything.
func (w *simWorld) settle() {
	for range 8 {
		for _, r := range w.replicas {
			r.sweep()
			r.flush()
		}
		for _, r := range w.replicas {
			for _, o := range w.replicas {
				r.pull(o, 0)
			}
		}
	}
}

func (w *simWorld) run(steps int) {
	for step := range steps {
		w.now += int64(w.rng.IntN(3) / 2)
		if w.limits {
			w.now += int64(w.rng.IntN(2))
		}
		r := w.replicas[w.rng.IntN(len(w.replicas))]
		r.step(w.keys[w.rng.IntN(len(w.keys))])
		w.check(step)
	}
	for _, r := range w.replicas {
		r.owed.Pay(r.expire)
	}
	w.settle()
	w.now += 100 // every expiry passes
	w.settle()
	w.check(steps)
	for _, key := range w.names() {
		_, first := w.replicas[0].look(key)
		for _, r := range w.replicas {
			if _, v := r.look(key); v.Exists != first.Exists || v.Sum != first.Sum || enginetest.Shown(&v) != enginetest.Shown(&first) || v.Expiry != first.Expiry {
				w.t.Fatalf("%s shows %+v on %s and %+v on r0", key, v, r.name, first)
			}
		}
	}
	if w.limits {
		w.ended()
	}
	w.leftovers()
}

// ended checks that all windows of limiters are over.
func (w *simWorld) ended() {
	for _, r := range w.replicas {
		for _, key := range w.keys {
			if s, v := r.look(key); v.Exists || r.live(key) > 0 {
				w.t.Fatalf("%s: %s is left after its time: %+v", r.name, key, s)
			}
		}
	}
}

// leftovers checks that dead keys have left nothing behind.
func (w *simWorld) leftovers() {
	for _, r := range w.replicas {
		for _, key := range w.names() {
			_, v := r.look(key)
			s, err := r.e.readState(r.e.self.place(enginetest.Key(key)), string(enginetest.Key(key)))
			if err != nil || !v.Exists && r.live(key) == 0 && !s.Empty() { // what is left of a hash's own state may say that it was persisted
				w.t.Fatalf("%s: dead %s left %+v, %v", r.name, key, s, err)
			}
		}
		if page, err := r.e.duePage([]byte{store.IndexPrefix}, math.MaxInt64-1); err != nil || len(page) > 0 {
			w.t.Fatalf("%s: the expiry index has %v, %v; want nothing", r.name, page, err)
		}
	}
}

func TestSimulation(t *testing.T) {
	first, count := uint64(1), *simCount
	if *simSeed != 0 {
		first, count = *simSeed, 1
	} else if testing.Short() {
		count = 30
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newSimWorld(t, seed)
			w.run(60 + int(seed%100))
			for _, r := range w.replicas {
				if err := r.e.Close(); err != nil && !errors.Is(err, ErrClosed) {
					t.Fatalf("Close = %v", err)
				}
			}
		})
	}
}
