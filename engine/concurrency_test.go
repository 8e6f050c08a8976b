package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atomiccounter/tlv"
)

// TestConcurrentIncrements has eight goroutines on one counter, through two handles and through pipelines, while foreign
// batches arrive, the cache evicts, flushes run and others read, scan and delete other keys. What is stored in the end
// is what was acknowledged, and what was foreign, exactly.
func TestConcurrentIncrements(t *testing.T) {
	for _, period := range []time.Duration{AlwaysFresh, time.Millisecond, time.Second} {
		for name, work := range map[string]func(*testing.T, *crowd, int){"handles": viaHandles, "pipelines": viaPipelines} {
			t.Run(fmt.Sprintf("%s,period=%v", name, max(period, 0)), func(t *testing.T) { newCrowd(t, period).run(work) })
		}
	}
}

const (
	crowdSize    = 8
	crowdRounds  = 300
	crowdBatches = 30
	crowdKeys    = 24
)

// crowd is what goes on at one engine at the same time.
type crowd struct {
	t       *testing.T
	o       Options
	e       *Engine
	handles [2]*Counter
	keys    []string // others, of the hot key's shard: their loads evict it
	acked   atomic.Int64
	foreign int64
	done    atomic.Bool // the increments are
}

func newCrowd(t *testing.T, period time.Duration) *crowd {
	c := &crowd{t: t, o: disk()}
	c.o.CacheSize, c.o.Logger, c.o.UpdatePeriod = 1, quiet, period
	var err error
	if c.e, err = Open("store", c.o); err != nil {
		t.Fatalf("Open = %v", err)
	}
	for i := range c.handles {
		c.handles[i] = c.e.Counter("hot").WithUpdatePeriod(period)
	}
	for i := 0; len(c.keys) < crowdKeys; i++ {
		if key := fmt.Sprintf("k%d", i); c.shard(key) == c.shard("hot") {
			c.keys = append(c.keys, key)
		}
	}
	return c
}

func (c *crowd) shard(key string) *shard { return c.e.table.shard(c.e.self.hash([]byte(key))) }

func (c *crowd) key(i int) string { return c.keys[i%crowdKeys] }

func (c *crowd) run(work func(*testing.T, *crowd, int)) {
	var workers, others sync.WaitGroup
	for i := range crowdSize {
		workers.Go(func() { work(c.t, c, i) })
	}
	others.Go(c.flush)
	others.Go(c.read)
	others.Go(c.scan)
	others.Go(c.remove)
	workers.Go(c.arrive)
	workers.Go(c.churn)
	workers.Wait()
	c.done.Store(true)
	others.Wait()
	c.verify()
}

func viaHandles(t *testing.T, c *crowd, i int) {
	last := int64(0)
	for range crowdRounds {
		v, err := c.handles[i%2].Increment(t.Context(), 2)
		if err != nil || v <= last {
			t.Errorf("Increment = %d, %v; want more than %d", v, err, last)
			return
		}
		last = v
		c.acked.Add(2)
	}
}

func viaPipelines(t *testing.T, c *crowd, i int) {
	p := c.e.NewPipeline()
	n := int64(0)
	for round := range crowdRounds {
		for _, key := range []string{"hot", c.key(i + round), "hot"} {
			v, err := p.Incr([]byte(key), 1)
			if err != nil || v < 1 {
				t.Errorf("Incr(%q) = %d, %v; want 1 or more", key, v, err)
			}
			if key == "hot" {
				n++
			}
		}
		if round%3 == 0 {
			if _, err := p.Commit(); err != nil {
				t.Errorf("Commit = %v", err)
			}
		}
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
	c.acked.Add(n)
}

// arrive brings foreign increments of the hot key and of another one.
func (c *crowd) arrive() {
	p := newPeer(0xfe)
	for i := range int64(crowdBatches) {
		if err := c.e.Apply(p.batch(p.delta("hot", i), p.delta(c.key(int(i)), 1))); err != nil {
			c.t.Errorf("Apply = %v", err)
			return
		}
		c.foreign += i
	}
}

func (c *crowd) flush() {
	for !c.done.Load() {
		if err := c.e.Flush(); err != nil {
			c.t.Errorf("Flush = %v", err)
			return
		}
	}
}

// churn drops what is clean from the cache.
func (c *crowd) churn() {
	for range crowdBatches {
		if err := c.e.Flush(); err != nil {
			c.t.Errorf("Flush = %v", err)
		}
		evictAll(c.e)
	}
}

func evictAll(e *Engine) {
	for i := range e.table.shards {
		for range 3 {
			e.table.evict(uint64(i)<<(64-shardBits), e.cuts.flushed.Load(), e.forget)
		}
	}
}

// read sees the hot counter never go back.
func (c *crowd) read() {
	p := c.e.NewPipeline()
	last := int64(0)
	for !c.done.Load() {
		values, err := p.MGet([][]byte{[]byte(c.key(1)), []byte("hot"), []byte(c.key(0))}, nil)
		v, _, err2 := p.Get([]byte("hot"))
		if err = errors.Join(err, err2); err != nil || values[1].Int < last || v < values[1].Int {
			c.t.Errorf("MGet = %v, Get = %d, %v; want at least %d", values, v, err, last)
		}
		last = v
		if _, err := p.Commit(); err != nil {
			c.t.Errorf("Commit = %v", err)
		}
	}
}

// scan meets the hot key every time.
func (c *crowd) scan() {
	p := c.e.NewPipeline()
	_, err := p.Incr([]byte("stays"), 1)
	if _, commitErr := p.Commit(); err != nil || commitErr != nil {
		c.t.Errorf("Incr = %v, Commit = %v", err, commitErr)
	}
	for !c.done.Load() {
		met := map[string]bool{}
		if err := p.Keys(func(key []byte, _ Type) error { met[string(key)] = true; return nil }); err != nil || !met["stays"] {
			c.t.Errorf("Keys = %v, %v; want the key that stays", met, err)
		}
	}
}

func (c *crowd) remove() {
	p := c.e.NewPipeline()
	for i := 0; !c.done.Load(); i++ {
		if _, err := p.Del([][]byte{[]byte(c.key(i)), []byte(c.key(i * 7))}); err != nil {
			c.t.Errorf("Del = %v", err)
		}
		if _, err := p.Commit(); err != nil {
			c.t.Errorf("Commit = %v", err)
		}
	}
}

func (c *crowd) verify() {
	want := c.acked.Load() + c.foreign
	if err := c.e.Flush(); err != nil {
		c.t.Fatalf("Flush = %v", err)
	}
	s, err := c.e.readState(c.e.self.place([]byte("\x00hot")), "\x00hot")
	if got := s.View().Sum; err != nil || got != tlv.FromInt64(want) {
		c.t.Errorf("stored: %v, %v; want %d", got, err, want)
	}
	if err := c.e.Close(); err != nil {
		c.t.Fatalf("Close = %v", err)
	}
	e := open(c.t, c.o)
	if got, err := e.Counter("hot").Get(c.t.Context()); got != want || err != nil {
		c.t.Errorf("reopened: Get = %d, %v; want %d", got, err, want)
	}
	checkSize(c.t, e)
}

// checkSize holds the count of keys to a scan.
func checkSize(t *testing.T, e *Engine) {
	t.Helper()
	e.Refresh()
	p := e.NewPipeline()
	met := map[string]bool{}
	if err := p.Keys(func(key []byte, _ Type) error { met[string(key)] = true; return nil }); err != nil || int64(len(met)) != sizeOf(t, p) {
		t.Errorf("Size = %d, Keys met %d, %v", sizeOf(t, p), len(met), err)
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
}

// TestAtomicMSet sets the same keys from many goroutines, in crossing orders; who reads them all at once sees one MSET's
// values and no mixture.
func TestAtomicMSet(t *testing.T) {
	e := open(t, Options{})
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := e.NewPipeline()
			order := [][]byte{keys[i%3], keys[(i+1+i/3%2)%3], keys[(i+2-i/3%2)%3]}
			for round := range int64(150) {
				v := int64(i)<<32 | round
				if _, err := p.MSet(order, []Value{IntValue(v), IntValue(v), IntValue(v)}, Overwrite); err != nil {
					t.Errorf("MSet = %v", err)
				}
				got, err := p.MGet(keys, nil)
				if err != nil || got[0] != got[1] || got[1] != got[2] {
					t.Errorf("MGet = %v, %v; want three alike", got, err)
				}
				if _, err := p.Commit(); err != nil {
					t.Errorf("Commit = %v", err)
				}
			}
		})
	}
	for range 50 {
		if err := e.Flush(); err != nil {
			t.Errorf("Flush = %v", err)
		}
	}
	wg.Wait()
}

// TestIncrementsAgainstClose: an increment that races with Close is stored, or says ErrClosed; in Always too nobody waits
// for ever.
func TestIncrementsAgainstClose(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 6
	}
	for round := range rounds {
		o := disk()
		o.Logger, o.Sync = quiet, []SyncMode{EverySec, Always}[round%2]
		e, err := Open("store", o)
		if err != nil {
			t.Fatalf("Open = %v", err)
		}
		acked := raceClose(t, e)
		if got, err := open(t, o).Counter("k").Get(t.Context()); got != acked || err != nil {
			t.Fatalf("round %d: Get = %d, %v; want %d", round, got, err, acked)
		}
	}
}

func raceClose(t *testing.T, e *Engine) (acked int64) {
	var wg sync.WaitGroup
	var n atomic.Int64
	started := make(chan struct{}, 64)
	for range 8 {
		wg.Go(func() {
			for {
				_, err := e.Counter("k").Increment(t.Context(), 1)
				if errors.Is(err, ErrClosed) {
					return
				} else if err != nil {
					t.Errorf("Increment = %v", err)
					return
				}
				n.Add(1)
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 20 {
		<-started
	}
	wg.Go(func() { // these have no business with a closed engine, but must not crash it
		for e.SetSync(EverySec) == nil && e.SetSync(Always) == nil {
		}
	})
	if err := e.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	wg.Wait()
	return n.Load()
}

// TestSyncModesUnderLoad switches the mode while increments run. In Always each is durable when it returns.
func TestSyncModesUnderLoad(t *testing.T) {
	o := disk()
	o.Logger = quiet
	e, err := Open("store", o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	var wg sync.WaitGroup
	var done atomic.Bool
	const each = 1500
	for range 8 {
		wg.Go(func() {
			p := e.NewPipeline()
			for range each {
				always := e.Sync() == Always
				_, err := p.Incr([]byte("k"), 1)
				pos, commitErr := p.Commit()
				if err = errors.Join(err, commitErr); err != nil {
					t.Errorf("Incr = %v", err)
					return
				}
				if !always {
					continue
				}
				if err := e.wait(t.Context(), pos); err != nil || e.Durable() < pos {
					t.Errorf("wait(%d) = %v with Durable() = %d", pos, err, e.Durable())
				}
			}
		})
	}
	var switcher sync.WaitGroup
	switcher.Go(func() {
		for i := 0; !done.Load(); i++ {
			if err := e.SetSync([]SyncMode{Always, EverySec, No}[i%3]); err != nil {
				t.Errorf("SetSync = %v", err)
			}
		}
	})
	wg.Wait()
	done.Store(true)
	switcher.Wait()
	if err := e.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if got, err := open(t, o).Counter("k").Get(t.Context()); got != 8*each || err != nil {
		t.Errorf("Get = %d, %v; want %d", got, err, 8*each)
	}
}

// TestClosedEngine: whatever comes after Close gets an answer.
func TestClosedEngine(t *testing.T) {
	e := open(t, Options{})
	pos := e.Durable()
	if err := e.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if err := e.wait(t.Context(), pos+1); err != nil {
		t.Errorf("wait after Close = %v; want what Close synced to count", err)
	}
	p := e.NewPipeline()
	_, _, getErr := p.Get([]byte("k"))
	_, scanErr := p.Scan(0, 1, func([]byte, Type) {})
	flushErr := p.FlushDB()
	p.Pause()
	for name, err := range map[string]error{"Close": e.Close(), "Flush": e.Flush(), "SetSync": e.SetSync(Always), "Get": getErr,
		"Scan": scanErr, "FlushDB": flushErr, "Sweep": e.Sweep(), "Apply": e.Apply(newPeer(2).batch())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close = %v; want %v", name, err, ErrClosed)
		}
	}
	if s := e.Stats(); s.DiskBytes != 0 {
		t.Errorf("Stats after Close: %d bytes on disk; want none told", s.DiskBytes)
	}
}

// TestManyKeysInSmallCache: a command whose keys do not all fit into the cache gets them nevertheless.
func TestManyKeysInSmallCache(t *testing.T) {
	e := open(t, Options{CacheSize: 1})
	p := e.NewPipeline()
	var keys [][]byte
	for i := range 3000 {
		keys = append(keys, fmt.Appendf(nil, "k%d", i))
	}
	for range 3 {
		if _, err := p.MSet(keys, slices.Repeat([]Value{IntValue(0)}, len(keys)), Overwrite); err != nil {
			t.Fatalf("MSet = %v", err)
		}
		values, err := p.MGet(keys, nil)
		if err != nil || len(values) != len(keys) || !values[len(keys)-1].OK {
			t.Fatalf("MGet = %d values, %v; want %d", len(values), err, len(keys))
		}
		if _, err := p.Commit(); err != nil {
			t.Fatalf("Commit = %v", err)
		}
		if err := e.Flush(); err != nil {
			t.Fatalf("Flush = %v", err)
		}
		evictAll(e) // now each load evicts
	}
	if n, err := p.Del(keys); n != len(keys) || err != nil {
		t.Errorf("Del = %d, %v; want %d", n, err, len(keys))
	}
	if _, err := p.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
	if e.Stats().Evicted == 0 {
		t.Errorf("nothing was evicted; the test is to have that")
	}
}
