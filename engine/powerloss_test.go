package engine

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
)

var (
	powerSeed  = flag.Uint64("power.seed", 0, "replay this world of the power loss test alone")
	powerCount = flag.Int("power.count", 200, "worlds to lose power in")
)

// powerWorld runs one writer through a life of an engine and a loss of power, again and again. It keeps the history of
// each key, and for each the number of operations that no loss may take.
type powerWorld struct {
	t       *testing.T
	rng     *rand.Rand
	o       Options
	e       *Engine
	now     int64
	history map[string][]Value     // what the key shows after each of its operations; the first is before any
	order   []string               // the key of each operation
	inside  []bool                 // for each: others of the same section follow, and no loss may come between
	safe    int                    // operations that are synced
	strike  atomic.Pointer[func()] // called at the next write to the database
}

// powerSnap is what is on the disk at some moment.
type powerSnap struct {
	fs       *vfs.MemFS
	segments *enginetest.Segments
}

func newPowerWorld(t *testing.T, seed uint64) *powerWorld {
	w := &powerWorld{t: t, rng: rand.New(rand.NewPCG(seed, 3)), now: 1_000_000, history: map[string][]Value{}}
	w.o = disk()
	w.o.segments, w.o.segment = enginetest.NewSegments(), 4*enginetest.PageSize
	w.o.Sync = SyncMode(seed % 3)
	w.o.Now = func() int64 { return w.now }
	w.o.random = rand.New(rand.NewPCG(seed, 2)).Uint64 // of its own: the other draws in the background, too
	return w
}

// snapshot is the disk after a loss of power now, with some percent of what the database has not synced.
func (w *powerWorld) snapshot(percent int) *powerSnap {
	return &powerSnap{segments: w.o.segments.(*enginetest.Segments).PowerLoss(w.rng),
		fs: w.o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: w.rng})}
}

func (w *powerWorld) open() {
	o := w.o
	o.fs = hookFS(w.o.fs, func() {
		if f := w.strike.Swap(nil); f != nil {
			(*f)()
		}
	})
	w.e = open(w.t, o)
}

func (w *powerWorld) shows(key string) Value {
	h := w.history[key]
	if len(h) == 0 {
		return Value{}
	}
	return h[len(h)-1]
}

// act does one operation, or some in a section, and commits.
func (w *powerWorld) act() {
	p := w.e.NewPipeline()
	if w.rng.IntN(4) == 0 {
		if err := p.Begin(false); err != nil {
			w.t.Fatalf("Begin = %v", err)
		}
		for range 1 + w.rng.IntN(3) {
			w.op(p)
			w.inside[len(w.inside)-1] = true
		}
		w.inside[len(w.inside)-1] = false
		p.End()
	} else {
		w.op(p)
	}
	pos, err := p.Commit()
	if err != nil {
		w.t.Fatalf("Commit of operation %d = %v", len(w.order), err)
	}
	if w.e.Sync() == Always {
		w.sync()
		if w.e.Durable() < pos {
			w.t.Fatalf("Durable = %d after a sync; want %d", w.e.Durable(), pos)
		}
	}
}

// op does one operation and notes what the key shows after it.
func (w *powerWorld) op(p *Pipeline) {
	key := fmt.Sprintf("k%d", w.rng.IntN(4))
	k := []byte(key)
	v := w.shows(key)
	var err error
	switch n := w.rng.Int64N(1000); w.rng.IntN(9) {
	case 0:
		_, err = p.Del([][]byte{k})
		v = Value{}
	case 1:
		_, err = p.Set(k, n, SetOptions{})
		v = IntValue(n)
	case 2:
		_, err = p.ExpireAt(k, w.now+1_000_000, 0)
	case 3: // a long record now and then, over pages
		_, err = p.Set(bytes.Repeat([]byte("long"), 500), n, SetOptions{})
	case 4: // a text, over pages now and then
		v = ParseValue(bytes.Repeat([]byte("text "), int(n)*w.rng.IntN(2)))
		_, err = p.Put(k, v, SetOptions{})
	default:
		if v.IsText {
			v = Value{OK: true}
			_, err = p.Put(k, IntValue(0), SetOptions{})
			break
		}
		v.Int, err = p.Incr(k, n)
		v.OK = true
	}
	if err != nil {
		w.t.Fatalf("operation %d = %v", len(w.order), err)
	}
	if len(w.history[key]) == 0 {
		w.history[key] = []Value{{}}
	}
	w.history[key] = append(w.history[key], v)
	w.order, w.inside = append(w.order, key), append(w.inside, false)
}

func (w *powerWorld) sync() {
	if err := w.e.journal.Sync(); err != nil {
		w.t.Fatalf("Sync = %v", err)
	}
	w.safe = len(w.order)
}

func (w *powerWorld) step() {
	switch w.now++; w.rng.IntN(40) {
	case 0:
		w.flush()
	case 1:
		if w.o.Sync == EverySec {
			w.sync()
		}
	case 2:
		evictAll(w.e)
	default:
		w.act()
	}
}

func (w *powerWorld) flush() {
	if err := w.e.Flush(); err != nil {
		w.t.Fatalf("Flush = %v", err)
	}
	w.safe = len(w.order)
}

// lose takes the power, and perhaps again in the middle of the recovery, and checks what is left.
func (w *powerWorld) lose() {
	prepared(w.e)
	left, safe := w.snapshot(w.rng.IntN(101)), w.safe
	if w.rng.IntN(3) == 0 { // inside a flush
		f := func() { left = w.snapshot(w.rng.IntN(101)) }
		w.strike.Store(&f)
		w.flush()
		w.strike.Store(nil)
	}
	w.close()
	w.o.fs, w.o.segments = left.fs, left.segments
	for w.rng.IntN(3) == 0 {
		if again := w.interrupt(); again != nil {
			w.o.fs, w.o.segments = again.fs, again.segments
		}
	}
	w.check()
	w.open()
	w.compare(safe)
	w.safe = len(w.order)
}

func (w *powerWorld) close() {
	if err := w.e.Close(); err != nil {
		w.t.Fatalf("Close = %v", err)
	}
}

// interrupt recovers, and loses power at one of the writes of that. All that is not synced goes, or nothing does: when it
// opens, Pebble counts on the names in a directory reaching the disk in their order, as they do on real file systems.
func (w *powerWorld) interrupt() (snap *powerSnap) {
	at := w.rng.IntN(60)
	w.o.segments.(*enginetest.Segments).Limit(1) // no segment is prepared, and none changes while the power goes
	var mu sync.Mutex
	o := w.o
	o.fs = hookFS(w.o.fs, func() {
		mu.Lock()
		defer mu.Unlock()
		if at--; at == 0 {
			snap = w.snapshot(100 * w.rng.IntN(2))
		}
	})
	e := open(w.t, o)
	mu.Lock()
	at = 0 // Close changes the segment
	mu.Unlock()
	if err := e.Close(); err != nil {
		w.t.Fatalf("Close = %v", err)
	}
	w.o.segments.(*enginetest.Segments).Limit(-1)
	return snap
}

// check verifies the store as the power loss has left it, and changes nothing.
func (w *powerWorld) check() {
	var out bytes.Buffer
	if err := Check("store", w.o, &out); err != nil {
		w.t.Fatalf("Check = %v\n%s", err, out.String())
	}
}

// compare finds the number of operations that survived: all keys must be as they were after those, and no fewer than safe.
func (w *powerWorld) compare(safe int) {
	got := map[string]Value{}
	for key := range w.history {
		v, err := w.value(key)
		if err != nil {
			w.t.Fatalf("Get(%q) = %v", key, err)
		}
		got[key] = v
	}
	for n := len(w.order); n >= safe; n-- {
		if (n == 0 || !w.inside[n-1]) && w.matches(n, got) {
			w.forget(n)
			return
		}
	}
	w.t.Fatalf("after a power loss: %v; want the state after %d to %d operations, %v", got, safe, len(w.order), w.history)
}

func (w *powerWorld) value(key string) (v Value, err error) {
	p := w.e.NewPipeline()
	v, err = p.Value([]byte(key))
	_, commitErr := p.Commit()
	return v, errors.Join(err, commitErr)
}

// matches says whether every key is as it was after n operations.
func (w *powerWorld) matches(n int, got map[string]Value) bool {
	count := w.counts(n)
	for key, h := range w.history {
		if h[count[key]] != got[key] {
			return false
		}
	}
	return true
}

func (w *powerWorld) counts(n int) map[string]int {
	count := map[string]int{}
	for _, key := range w.order[:n] {
		count[key]++
	}
	return count
}

// forget drops the operations that were lost.
func (w *powerWorld) forget(n int) {
	count := w.counts(n)
	w.order, w.inside = w.order[:n], w.inside[:n]
	for key, h := range w.history {
		w.history[key] = h[:count[key]+1]
	}
}

// TestPowerLoss: in Always nothing acknowledged is lost; in the other modes a suffix is, of what came after the last sync.
func TestPowerLoss(t *testing.T) {
	first, count := uint64(1), *powerCount
	if *powerSeed != 0 {
		first, count = *powerSeed, 1
	} else if testing.Short() {
		count = 40
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newPowerWorld(t, seed)
			w.open()
			for range 1 + seed%4 {
				for range 20 + w.rng.IntN(100) {
					w.step()
				}
				w.lose()
			}
			w.close()
		})
	}
}

// TestSeenIsDurable: what a token speaks of survives a loss of power where replies do not wait for a sync, and only a batch that has it covers the token.
func TestSeenIsDurable(t *testing.T) {
	for seed := range uint64(30) {
		mode := []SyncMode{EverySec, No}[seed%2]
		m := newMember(t, seed, Options{Sync: mode})
		m.add("k", 1)
		m.flush()
		m.add("k", 10)
		seen := m.Seen()
		m.add("later", 1) // may be lost
		m.restart(m.disk.Crash(), false)
		m.shows("k", 11)
		m.add("other", 1)
		m.flush()
		if !m.Vector().Covers(seen) {
			t.Errorf("seed %d: %v does not cover %v", seed, m.Vector(), seen)
		}
	}
}

// TestReplayedIsDurable: what a process that was killed had not synced is durable before anything is acknowledged on top of it, though no
// flush has it yet.
func TestReplayedIsDurable(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 5))
		o := disk()
		segments := enginetest.NewSegments()
		o.segments, o.segment, o.AwaitPeers = segments, 4*enginetest.PageSize, true
		e := open(t, o)
		increment(t, e, "k", 5)
		prepared(e)
		o.fs = o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
		killed := segments.Kill()
		o.segments, o.Sync = killed, Always
		e = open(t, o)
		p := e.NewPipeline()
		if _, err := p.Incr([]byte("k"), 1); err != nil {
			t.Fatalf("Incr = %v", err)
		}
		if _, err := p.Commit(); err != nil {
			t.Fatalf("Commit = %v", err)
		}
		if err := e.SyncJournal(); err != nil {
			t.Fatalf("SyncJournal = %v", err)
		}
		prepared(e)
		o.fs = o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{RNG: rng})
		o.segments, o.Sync = killed.PowerLoss(rng), EverySec
		e = open(t, o)
		checkCounters(t, e, map[string]int64{"k": 6})
	}
}
