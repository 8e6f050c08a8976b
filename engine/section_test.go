package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// begin begins a section on p, end ends it and commits.
func begin(t *testing.T, p *Pipeline, wipes bool) {
	t.Helper()
	if err := p.Begin(wipes); err != nil {
		t.Fatalf("Begin = %v", err)
	}
}

func end(t *testing.T, p *Pipeline) {
	t.Helper()
	p.End()
	mustCommit(t, p)
}

// must is for steps of a test that have to succeed.
func must(t *testing.T, _ any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// moveOnce moves from a to b in a section, with a text and a deletion beside it.
func moveOnce(t *testing.T, p *Pipeline) {
	t.Helper()
	const n = 10
	begin(t, p, false)
	for range 3 {
		_, err := p.Incr([]byte("a"), -n)
		must(t, nil, err)
		_, err = p.Incr([]byte("b"), n)
		must(t, nil, err)
	}
	_, err := p.Put([]byte("text"), ParseValue([]byte("it is done")), SetOptions{})
	must(t, nil, err)
	_, err = p.Del([][]byte{[]byte("gone")})
	must(t, nil, err)
	end(t, p)
}

var (
	beforeMove = []string{"a", "100", "b", "(none)", "text", "(none)", "gone", "1"}
	afterMove  = []string{"a", "70", "b", "30", "text", "it is done", "gone", "(none)"}
)

// TestSectionHoldsWholeOrNotAtAll tears the frame of a section at every byte.
func TestSectionHoldsWholeOrNotAtAll(t *testing.T) {
	o := disk()
	e := open(t, o)
	increment(t, e, "a", 100)
	increment(t, e, "gone", 1)
	p := e.NewPipeline()
	from := e.journal.Mark()
	begin(t, p, false)
	must(t, nil, p.takeErr())
	p.End()
	if to := e.journal.Mark(); to != from {
		t.Errorf("a section that does nothing moves the journal from %v to %v", from, to)
	}
	moveOnce(t, p)
	to := e.journal.Mark()
	look(t, e, afterMove...)
	look(t, open(t, crashed(e, o)), afterMove...)
	for at := from.Offset; at < to.Offset; at += 1 + (to.Offset-from.Offset)/40 {
		torn := crashed(e, o)
		clear(torn.segments.(*enginetest.Segments).Mem(to.Segment)[at:to.Offset])
		look(t, open(t, torn), beforeMove...)
	}
}

// TestCrashInSection: before End the journal has nothing of it.
func TestCrashInSection(t *testing.T) {
	o := disk()
	e := open(t, o)
	increment(t, e, "a", 100)
	increment(t, e, "gone", 1)
	p := e.NewPipeline()
	begin(t, p, false)
	for i := range 2000 { // more than a pipeline gathers
		_, err := p.Incr(fmt.Appendf(nil, "k%d", i), 1)
		must(t, nil, err)
	}
	_, err := p.Incr([]byte("a"), 1)
	must(t, nil, err)
	look(t, open(t, crashed(e, o)), append(beforeMove, "k0", "(none)", "k1999", "(none)")...)
	end(t, p)
	look(t, open(t, crashed(e, o)), "a", "101", "k0", "1", "k1999", "1")
}

// TestSectionsAreIsolated moves amounts between counters in sections, on eight goroutines, while the cache evicts, flushes
// run, and batches arrive that leave something to close. Whoever reads all counters at once, or in a section, sees the same sum.
func TestSectionsAreIsolated(t *testing.T) {
	o := disk()
	o.CacheSize, o.Logger = 1, quiet
	e, err := Open("store", o)
	must(t, nil, err)
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d"), []byte("e")}
	const sum, rounds = 5000, 100
	for _, key := range keys {
		increment(t, e, string(key), sum/5)
	}
	var workers, others sync.WaitGroup
	var done atomic.Bool
	for i := range 8 {
		workers.Go(func() { moveAbout(t, e, keys, i, rounds) })
	}
	others.Go(func() {
		for !done.Load() {
			if err := e.Flush(); err != nil {
				t.Errorf("Flush = %v", err)
			}
			evictAll(e)
		}
	})
	others.Go(func() { cancelOwn(t, e, &done) })
	others.Go(func() {
		for !done.Load() {
			increment(t, e, "hot", 1)
		}
	})
	workers.Wait()
	done.Store(true)
	others.Wait()
	must(t, nil, e.Close())
	again := open(t, o)
	p := again.NewPipeline()
	if got := sumOf(t, p, keys); got != sum {
		t.Errorf("after a restart the sum is %d; want %d", got, sum)
	}
	mustCommit(t, p)
	checkSize(t, again)
}

// moveAbout moves, and looks by MGET and by single reads in a section.
func moveAbout(t *testing.T, e *Engine, keys [][]byte, worker, rounds int) {
	rng := rand.New(rand.NewPCG(1, uint64(worker)))
	p := e.NewPipeline()
	for range rounds {
		from, to, n := keys[rng.IntN(5)], keys[rng.IntN(5)], rng.Int64N(9)
		if err := p.Begin(false); err != nil {
			t.Errorf("Begin = %v", err)
			return
		}
		_, err1 := p.Incr(from, -n)
		hot, _, err2 := p.Get([]byte("hot"))
		_, _, err3 := p.RandomKey() // lets go of the locks of keys
		again, _, err4 := p.Get([]byte("hot"))
		if err := errors.Join(err2, err3, err4); err != nil || hot != again {
			t.Errorf("in the section the hot key is %d, then %d, %v; want it to stay", hot, again, err)
		}
		one := int64(0)
		for _, key := range keys {
			v, _, err := p.Get(key)
			err1 = errors.Join(err1, err)
			one += v
		}
		_, err2 = p.Incr(to, n)
		p.End()
		if all := sumOf(t, p, keys); one != 5000-n || all != 5000 || err1 != nil || err2 != nil {
			t.Errorf("in the section the sum is %d, afterwards %d, %v, %v; want %d, 5000", one, all, err1, err2, 5000-n)
			return
		}
		if _, err := p.Commit(); err != nil {
			t.Errorf("Commit = %v", err)
		}
	}
}

func sumOf(t *testing.T, p *Pipeline, keys [][]byte) (sum int64) {
	values, err := p.MGet(keys, nil)
	if err != nil {
		t.Errorf("MGet = %v", err)
	}
	for _, v := range values {
		sum += v.Int
	}
	return sum
}

// cancelOwn has a peer cancel what this replica adds to a key, which this replica then has to close.
func cancelOwn(t *testing.T, e *Engine, done *atomic.Bool) {
	peer, p := newPeer(9), e.NewPipeline()
	for i := 0; !done.Load(); i++ {
		key := fmt.Sprintf("own%d", i)
		if _, err := p.Incr([]byte(key), 1); err != nil {
			t.Errorf("Incr = %v", err)
		}
		if err := errors.Join(p.finish(), e.Flush()); err != nil {
			t.Errorf("Commit and Flush = %v", err)
		}
		rev := e.Vector().Entry(e.self.id).Stamp
		reset := tlv.State{Resets: []tlv.Reset{{Replica: e.self.id, Rev: rev, Base: tlv.FromInt64(1)}}}
		if err := e.Apply(peer.batch(tlv.Delta{Key: []byte("\x00" + key), State: reset})); err != nil {
			t.Errorf("Apply = %v", err)
			return
		}
	}
}

// TestSectionIsPublishedInOneBatch: no cut falls into a section. What it did to two keys is in one batch, or in none yet.
func TestSectionIsPublishedInOneBatch(t *testing.T) {
	totals := map[string]tlv.Int128{}
	batches := 0
	e := open(t, Options{publish: func(data []byte) {
		b, _, err := tlv.ParseBatch(data)
		if err != nil {
			t.Errorf("ParseBatch = %v", err)
			return
		}
		batches++
		for _, d := range b.Deltas {
			totals[string(d.Key[1:])] = d.State.Contributions[0].Total
		}
		if totals["a"] != totals["b"] {
			t.Errorf("batch %d leaves a at %v and b at %v; want them alike", batches, totals["a"], totals["b"])
		}
	}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := e.NewPipeline()
			for range 200 {
				err := p.Begin(false)
				_, err1 := p.Incr([]byte("a"), 1)
				_, err2 := p.Incr([]byte("b"), 1)
				p.End()
				if err = errors.Join(err, err1, err2, p.finish()); err != nil {
					t.Errorf("section = %v", err)
				}
			}
		})
	}
	for batches < 10 {
		must(t, nil, e.Flush())
		increment(t, e, "other", 1)
	}
	wg.Wait()
	must(t, nil, e.Flush())
	look(t, e, "a", "800", "b", "800")
}

// TestSectionSeesItsOwn: all that looks at many keys sees what the section did, though none of it is journaled.
func TestSectionSeesItsOwn(t *testing.T) {
	e := open(t, Options{})
	increment(t, e, "old", 1)
	increment(t, e, "gone", 1)
	must(t, nil, e.Flush())
	dropCache(e)
	p := e.NewPipeline()
	begin(t, p, false)
	_, err := p.Incr([]byte("new"), 1)
	must(t, nil, err)
	v, err := p.GetDel([]byte("gone"))
	if v != IntValue(1) || err != nil {
		t.Errorf("GetDel = %v, %v; want 1", v, err)
	}
	if got := keysOf(t, p); !slices.Equal(got, []string{"new", "old"}) || sizeOf(t, p) != 2 {
		t.Errorf("Keys = %v, Size = %d; want new and old", got, sizeOf(t, p))
	}
	if key, ok, err := p.RandomKey(); string(key) == "gone" || !ok || err != nil {
		t.Errorf("RandomKey = %q, %t, %v; want new or old", key, ok, err)
	}
	if n, err := p.Del([][]byte{[]byte("new"), []byte("old"), []byte("gone")}); n != 2 || err != nil {
		t.Errorf("Del = %d, %v; want 2", n, err)
	}
	if _, _, err := p.Dump([]byte("old")); err != nil {
		t.Errorf("Dump of no key = %v", err)
	}
	_, err = p.Incr([]byte("new"), 5)
	must(t, nil, err)
	if _, _, err := p.Dump([]byte("new")); !errors.Is(err, ErrInSection) {
		t.Errorf("Dump of what is pending = %v; want %v", err, ErrInSection)
	}
	end(t, p)
	look(t, e, "new", "5", "old", "(none)", "gone", "(none)")
}

func keysOf(t *testing.T, p *Pipeline) (list []string) {
	t.Helper()
	if err := p.Keys(func(key []byte, _ Type) error { list = append(list, string(key)); return nil }); err != nil {
		t.Fatalf("Keys = %v", err)
	}
	slices.Sort(list)
	return list
}

// TestSectionAgainstClose: Close waits for a section, which goes on as if nothing were; later there is none.
func TestSectionAgainstClose(t *testing.T) {
	o := disk()
	e := open(t, o)
	p := e.NewPipeline()
	begin(t, p, false)
	_, err := p.Incr([]byte("a"), 1)
	must(t, nil, err)
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	<-e.running.stop
	_, err = p.Incr([]byte("b"), 1)
	must(t, nil, err)
	end(t, p)
	must(t, nil, <-closed)
	if err := p.Begin(true); !errors.Is(err, ErrClosed) {
		t.Errorf("Begin on a closed engine = %v; want %v", err, ErrClosed)
	}
	o.fs = o.fs.(*vfs.MemFS)
	look(t, open(t, o), "a", "1", "b", "1")
}

// TestReadErrorInSection: what cannot be read fails the command that wants it, and no other.
func TestReadErrorInSection(t *testing.T) {
	var broken atomic.Bool
	o := disk()
	o.fs = errorfs.Wrap(o.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") {
			return syscall.EIO
		}
		return nil
	}))
	e := open(t, o)
	for i := range 8 { // one of them may lie in a block that the start reads
		increment(t, e, fmt.Sprint("cold ", i), 5)
	}
	p := e.NewPipeline()
	for i := range 256 { // so that the start does not read all
		if _, err := p.Put(fmt.Appendf(nil, "text %d", i), ParseValue(make([]byte, 4<<10)), SetOptions{}); err != nil {
			t.Fatalf("Put = %v", err)
		}
	}
	if err := errors.Join(p.finish(), e.Flush(), e.db.Flush(), e.Close()); err != nil {
		t.Fatalf("Close = %v", err)
	}
	e = open(t, o)
	broken.Store(true)
	p = e.NewPipeline()
	if err := p.Begin(false); err != nil {
		t.Fatalf("Begin = %v", err)
	}
	p.DB = 1 // of which the table's filter knows nothing
	if n, err := p.Incr([]byte("first"), 1); n != 1 || err != nil {
		t.Errorf("Incr = %d, %v; want 1", n, err)
	}
	p.DB = 0
	var cold []byte
	for i := 0; cold == nil && i < 8; i++ {
		key := fmt.Append(nil, "cold ", i)
		if n, err := p.Incr(key, 1); errors.Is(err, syscall.EIO) {
			cold = key
		} else if n != 6 || err != nil {
			t.Errorf("Incr = %d, %v; want 6 or %v", n, err, syscall.EIO)
		}
	}
	if cold == nil {
		t.Fatal("no Incr of what cannot be read fails")
	}
	p.DB = 1
	if n, err := p.Incr([]byte("last"), 1); n != 1 || err != nil {
		t.Errorf("Incr = %d, %v; want 1", n, err)
	}
	p.End()
	if err := p.finish(); err != nil || e.Failed() != nil {
		t.Errorf("Commit = %v, and the engine has failed with %v; want nothing", err, e.Failed())
	}
	broken.Store(false)
	p.DB = 0
	if n, err := p.Incr(cold, 1); n != 6 || err != nil {
		t.Errorf("Incr when it can be read = %d, %v; want 6", n, err)
	}
	if err := p.finish(); err != nil {
		t.Error(err)
	}
}
