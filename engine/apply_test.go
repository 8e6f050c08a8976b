package engine

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// foreignAdd is a first batch of another replica that adds 10 to each of the keys.
func foreignAdd(stamp tlv.Stamp, keys ...string) *tlv.Batch {
	b := &tlv.Batch{Replica: 7, Stamp: stamp}
	for _, key := range keys {
		b.Deltas = append(b.Deltas, tlv.Delta{Key: []byte("\x00" + key), State: tlv.State{Contributions: []tlv.Contribution{
			{Replica: 7, Birth: stamp, Rev: stamp, Last: stamp, Total: tlv.FromInt64(10)}}}})
	}
	return b
}

func TestApplyRefuses(t *testing.T) {
	e := open(t, Options{})
	now := tlv.Stamp(e.Now()) << tlv.StampShift
	for _, test := range []struct {
		name  string
		batch *tlv.Batch
		want  error
	}{
		{"the end of time", foreignAdd(math.MaxUint64, "k"), ErrClock},
		{"a repeated key", foreignAdd(now, "k", "k"), tlv.ErrMalformed},
	} {
		if err := e.Apply(test.batch); !errors.Is(err, test.want) {
			t.Errorf("%s: Apply = %v; want %v", test.name, err, test.want)
		}
	}
	if n := e.Stats().Keys[0]; n != 0 {
		t.Errorf("after refused batches DBSIZE = %d; want 0", n)
	}
	if got := e.clock.next(e.Now()); got.Millis() > e.Now()+1000 {
		t.Errorf("a refused batch moved the clock to %d; it is %d", got.Millis(), e.Now())
	}
}

// TestClockFarAhead: what a replica publishes is taken however far its clock is ahead, and moves the own clock by an hour at most.
// A SET and an EXPIRE that have seen it are later all the same, in the store and for every replica.
func TestClockFarAhead(t *testing.T) {
	const day = 24 * 3600 * 1000
	for _, ahead := range []int64{maxAhead + 60_000, 2 * maxAhead, 30 * day, 100 * 365 * day} {
		e := open(t, Options{})
		stamp := tlv.Stamp(e.Now()+ahead) << tlv.StampShift
		b := foreignAdd(stamp, "n", "set", "ttl")
		for i := range b.Deltas[1:] {
			b.Deltas[1+i].State.Contributions[0].HasValue = true
			b.Deltas[1+i].State.Contributions[0].Expiry = tlv.Expiry{Stamp: stamp, At: e.Now() + day}
		}
		if err := e.Apply(b); err != nil {
			t.Fatalf("Apply of a batch from %d ms ahead = %v", ahead, err)
		}
		p := e.NewPipeline()
		if v, err := p.Incr([]byte("n"), 1); v != 11 || err != nil {
			t.Errorf("Incr = %d, %v; want 11", v, err)
		}
		mustCommit(t, p)
		if got := e.clock.next(e.Now()); got.Millis() > e.Now()+maxAhead {
			t.Errorf("%d ms ahead: the own clock is %d ms ahead; want at most an hour", ahead, got.Millis()-e.Now())
		}
		if _, err := p.ExpireAt([]byte("ttl"), e.Now()+2*day, 0); err != nil {
			t.Errorf("ExpireAt = %v", err)
		}
		if _, err := p.Set([]byte("set"), 5, SetOptions{}); err != nil {
			t.Errorf("Set = %v", err)
		}
		mustCommit(t, p)
		if err := e.Flush(); err != nil {
			t.Fatalf("Flush = %v", err)
		}
		for _, key := range []string{"set", "ttl"} {
			s, err := e.readState(e.self.place([]byte("\x00"+key)), "\x00"+key)
			own := s.Contribution(e.self.id)
			if err != nil || own == nil || key == "set" && own.Birth <= stamp || key == "ttl" && own.Expiry.Stamp <= stamp {
				t.Errorf("%d ms ahead: %s is %+v, %v; want the own stamp after %d", ahead, key, own, err, stamp)
			}
		}
		next := foreignAdd(stamp+1, "n")
		next.Prev, next.Deltas[0].State.Contributions[0].Birth = stamp, stamp
		next.Chain = b.Hash
		if err := e.Apply(next); err != nil {
			t.Errorf("Apply of the next batch = %v", err)
		}
	}
}

// TestClockBefore1970: a wall clock before 1970 is 0.
func TestClockBefore1970(t *testing.T) {
	var c hlc
	if got := c.next(-5); got != 1 {
		t.Errorf("next(-5) = %d; want 1", got)
	}
	c.hear(tlv.Stamp(7)<<tlv.StampShift, -10*maxAhead)
	if got := c.next(-5); got != 7<<tlv.StampShift+1 {
		t.Errorf("next = %d; want just after 7 ms", got)
	}
}

// TestStaleKeysAreListedOnce: a key that is asked for with a period of 0 is taken in at each, and goes stale again.
func TestStaleKeysAreListedOnce(t *testing.T) {
	e := open(t, Options{UpdatePeriod: 1e9 * 3600})
	p := e.NewPipeline()
	p.update = 0
	stamp := tlv.Stamp(e.Now()) << tlv.StampShift
	prev := tlv.Stamp(0)
	for range 100 {
		b := foreignAdd(stamp, "k")
		b.Prev, prev = prev, stamp
		stamp++
		if err := e.Apply(b); err != nil {
			t.Fatalf("Apply = %v", err)
		}
		if v, _, err := p.Get([]byte("k")); v != 10 || err != nil {
			t.Fatalf("Get = %d, %v; want 10", v, err)
		}
		if _, err := p.Commit(); err != nil {
			t.Fatalf("Commit = %v", err)
		}
	}
	if n := len(e.stale.keys); n > 1 {
		t.Errorf("one key is listed %d times; want at most once", n)
	}
}

func TestArrivalsAreInTheOrderOfTheStore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, make := range map[string]func() store.Place{
		"keys":                     func() store.Place { return store.Place{First: 3, Hash: r.Uint64()} },
		"keys of like hashes":      func() store.Place { return store.Place{First: 3, Hash: r.Uint64N(50)} },
		"keys of some databases":   func() store.Place { return store.Place{First: byte(r.IntN(3)), Hash: r.Uint64()} },
		"fields, and keys, of all": func() store.Place { return store.Place{First: byte(r.IntN(3)), Group: r.Uint64N(3), Hash: r.Uint64()} },
	} {
		for n := range 70 {
			var list []placed
			for i := range n {
				list = append(list, placed{make(), int32(i)})
			}
			want := slices.SortedStableFunc(slices.Values(list), func(a, b placed) int { return a.Compare(b.Place) })
			if got := sortPlaced(slices.Clone(list)); !slices.EqualFunc(got, want, func(a, b placed) bool { return a.Place == b.Place }) {
				t.Fatalf("%s: %d are sorted as %v; want %v", name, n, got, want)
			}
		}
	}
}

// TestLoadDuringAnArrival: a key comes into the cache, and is added to, after it was worked out what a batch makes of it.
func TestLoadDuringAnArrival(t *testing.T) {
	e := open(t, Options{UpdatePeriod: 1e9 * 3600})
	p := e.Counter("k")
	stamp := tlv.Stamp(e.Now()) << tlv.StampShift
	b := foreignAdd(stamp, "k")
	c := e.committer.lock()
	k, err := c.merge(b.Deltas, func(a *merging) { c.mergeDelta(a, b) })
	must(t, nil, err)
	if v, err := p.Increment(t.Context(), 1); v != 1 || err != nil {
		t.Errorf("Increment before the commit = %d, %v; want 1", v, err)
	}
	k.onCommit(func() { c.vector.Put(b.Entry()) })
	err = k.showSynced()
	c.unlock()
	if err != nil {
		t.Fatalf("land = %v", err)
	}
	for range 2 {
		if v, err := p.Get(t.Context()); v != 11 || err != nil {
			t.Errorf("Get = %d, %v; want 11", v, err)
		}
		if err := e.Flush(); err != nil {
			t.Fatalf("Flush = %v", err)
		}
	}
	if s, err := e.readState(e.self.place([]byte("\x00k")), "\x00k"); err != nil || s.View().Sum != tlv.FromInt64(11) {
		t.Errorf("stored = %+v, %v; want a sum of 11", s, err)
	}
}

// sums are batches of a peer, each of which adds 1 to one key.
func sums(p *peer, n int) (list []tlv.Batch) {
	for range n {
		list = append(list, *p.batch(p.delta("k", 1)))
	}
	return list
}

// TestApplyAll: batches that are taken in together are stored up to the first that is refused, and what is stored is durable.
func TestApplyAll(t *testing.T) {
	o := disk()
	e := open(t, o)
	other, all := newPeer(8), sums(newPeer(7), 4)
	list := []tlv.Batch{all[0], *other.batch(other.delta("other", 5)), all[1], all[0], all[3], all[2]}
	if n, err := e.ApplyAll(list); n != 4 || !errors.Is(err, ErrGap) {
		t.Errorf("ApplyAll with a gap before the fifth = %d, %v; want 4, %v", n, err, ErrGap)
	}
	if n, err := e.ApplyAll(nil); n != 0 || err != nil {
		t.Errorf("ApplyAll of nothing = %d, %v", n, err)
	}
	o.fs = o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	e = open(t, o)
	for key, want := range map[string]int64{"k": 2, "other": 5} {
		if v, err := e.Counter(key).Get(t.Context()); v != want || err != nil {
			t.Errorf("after a loss of power %s = %d, %v; want %d", key, v, err, want)
		}
	}
	if n, err := e.ApplyAll(sums(newPeer(7), MaxApply+1)); n != MaxApply || err != nil {
		t.Errorf("ApplyAll of one too many = %d, %v; want %d", n, err, MaxApply)
	}
}

// TestPowerLossInApplyAll loses power at every write to the disk while batches are taken in together: the store then has some of
// them, from the first on, and all that its vector had said to others.
func TestPowerLossInApplyAll(t *testing.T) {
	type loss struct {
		powerSnap
		said tlv.Stamp
	}
	var losses []loss
	o := disk()
	o.segments, o.segment, o.UpdatePeriod = enginetest.NewSegments(), 4*enginetest.PageSize, AlwaysFresh
	journal, mem := o.segments.(*enginetest.Segments), o.fs.(*vfs.MemFS)
	rng := rand.New(rand.NewPCG(1, 1))
	var e *Engine
	var mu sync.Mutex // Pebble writes in the background, too
	armed := false
	o.fs = hookFS(mem, func() {
		mu.Lock()
		defer mu.Unlock()
		if armed {
			percent := 100 * (len(losses) % 2)
			fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			losses = append(losses, loss{powerSnap{fs, journal.PowerLoss(rng)}, e.Vector().Entry(7).Stamp})
		}
	})
	arm := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		armed = on
	}
	e = open(t, o)
	if err := e.KeepLog(); err != nil {
		t.Fatalf("KeepLog = %v", err)
	}
	prepared(e)
	list := sums(newPeer(7), 20)
	arm(true)
	for part := range slices.Chunk(list, 10) {
		if n, err := e.ApplyAll(part); n != len(part) || err != nil {
			t.Fatalf("ApplyAll = %d, %v", n, err)
		}
	}
	arm(false)
	if len(losses) < 4 {
		t.Fatalf("%d writes to the disk; want several", len(losses))
	}
	for i, l := range losses {
		o.fs, o.segments = l.fs, l.segments
		lost := open(t, o)
		stamp := lost.Vector().Entry(7).Stamp
		stored := slices.IndexFunc(list, func(b tlv.Batch) bool { return b.Stamp == stamp }) + 1
		if v, _ := lost.Counter("k").Get(t.Context()); v != int64(stored) || stamp < l.said {
			t.Errorf("loss %d: %d, and a vector of batch %d; it had said %d", i, v, stored, l.said)
		}
		b, err := lost.Batches(nil, lost.ReplicaID(), 1<<20)
		if err != nil || len(b.Batches) != stored {
			t.Errorf("loss %d: the log has %d batches, %v; want %d", i, len(b.Batches), err, stored)
		}
		if n, err := lost.ApplyAll(list); n != len(list) || err != nil {
			t.Errorf("loss %d: ApplyAll of all = %d, %v", i, n, err)
		}
		if v, err := lost.Counter("k").Get(t.Context()); v != int64(len(list)) || err != nil {
			t.Errorf("loss %d, in the end: %d, %v; want %d", i, v, err, len(list))
		}
		if err := lost.Close(); err != nil {
			t.Errorf("loss %d: Close = %v", i, err)
		}
	}
}

// TestStaleKeysBounded: within an update period that does not end, what is noted to be taken in is cached still, about.
func TestStaleKeysBounded(t *testing.T) {
	e := open(t, Options{CacheSize: 1, UpdatePeriod: time.Hour})
	other := newPeer(9)
	for i := range 2000 {
		key := fmt.Sprintf("k%d", i)
		increment(t, e, key, 1)
		if err := e.Flush(); err != nil {
			t.Fatalf("Flush = %v", err)
		}
		other.add(t, e, key, 1)
		if i > 0 { // it is in the cache, and gone when others have come
			other.add(t, e, key, 1)
		}
	}
	if listed, cached := len(e.stale.keys), int(e.table.entries.Load()); listed > 2*cached {
		t.Errorf("%d keys are listed, %d are cached", listed, cached)
	}
}

// TestArrivalAtOnce: with update period 0 a command on several keys, or fields, sees all of a batch of a peer or nothing of it.
func TestArrivalAtOnce(t *testing.T) {
	many, batches := 48, 120
	if shortRace() {
		batches = 30
	}
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	var keys, names [][]byte
	for i := range many {
		keys, names = append(keys, fmt.Appendf(nil, "k%d", i)), append(names, fmt.Appendf(nil, "f%d", i))
	}
	count := func() {
		p := a.NewPipeline()
		must(t, nil, p.Begin(false))
		for i := range many {
			_, err := p.Incr(keys[i], 1)
			_, err2 := p.IncrField([]byte("h"), names[i], 1)
			must(t, nil, errors.Join(err, err2))
		}
		p.End()
		mustCommit(t, p)
	}
	read := map[string]func(p *Pipeline) ([]Value, error){
		"MGet":   func(p *Pipeline) ([]Value, error) { return p.MGet(keys, nil) },
		"Fields": func(p *Pipeline) ([]Value, error) { v, _, err := p.Fields([]byte("h"), names, nil); return v, err },
		"EachField": func(p *Pipeline) (list []Value, err error) {
			err = p.EachField([]byte("h"), func(_ []byte, v Value) { list = append(list, v) })
			return list, err
		},
	}
	var ended atomic.Bool
	var readers sync.WaitGroup
	halves, reads := map[string]int{}, map[string]int{}
	var mu sync.Mutex
	for name, f := range read {
		readers.Go(func() {
			p := b.NewPipeline()
			for !ended.Load() {
				list, err := f(p)
				if _, commitErr := p.Commit(); err != nil || commitErr != nil {
					t.Errorf("%s = %v, %v", name, err, commitErr)
					return
				}
				mu.Lock()
				reads[name]++
				if slices.ContainsFunc(list, func(v Value) bool { return v != list[0] }) {
					halves[name]++
				}
				mu.Unlock()
			}
		})
	}
	for range batches {
		count()
		b.pull(a)
	}
	ended.Store(true)
	readers.Wait()
	t.Logf("reads: %v", reads)
	if len(halves) > 0 {
		t.Errorf("reads that saw half of a batch: %v, of %v", halves, reads)
	}
}
