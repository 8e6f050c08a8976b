package engine

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// fieldDelta is peer.delta for a field.
func (p *peer) fieldDelta(hash, field string, n int64) tlv.Delta {
	d := p.delta(hash+"/"+field, n)
	d.Key = enginetest.Key(hash + "/" + field)
	return d
}

// TestConcurrentHashes increments fields of two hashes from many goroutines, singly and several in a round, while others delete fields and
// a hash of their own, read all of it, flush, evict and bring foreign data. What is counted in the end is what was acknowledged.
func TestConcurrentHashes(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 100
	}
	o := disk()
	o.UpdatePeriod, o.CacheSize = AlwaysFresh, 1
	e := open(t, o)
	var workers, others sync.WaitGroup
	var done atomic.Bool
	for i := range 6 {
		workers.Go(func() { countFields(t, e, i, rounds) })
	}
	workers.Go(func() { arriveFields(t, e, rounds/10) })
	for _, f := range []func(*Pipeline) error{churnHash, readHash, vanishHash} {
		others.Go(func() {
			p := e.NewPipeline()
			for !done.Load() {
				err := f(p)
				if _, commitErr := p.Commit(); err != nil || commitErr != nil {
					t.Errorf("%v, %v", err, commitErr)
					return
				}
			}
		})
	}
	workers.Wait()
	done.Store(true)
	others.Wait()
	foreign := int64(rounds / 10)
	checkFields(t, e, "h", map[string]int64{"hot": int64(6*rounds*2) + foreign, "f0": int64(rounds), "f5": int64(rounds), "far": foreign})
	if err := checkStore(t, e, o); err != nil {
		t.Fatal(err)
	}
	e = open(t, o)
	checkFields(t, e, "h", map[string]int64{"hot": int64(6*rounds*2) + foreign, "f3": int64(rounds)})
	checkSize(t, e)
}

func countFields(t *testing.T, e *Engine, i, rounds int) {
	p := e.NewPipeline()
	own := fmt.Appendf(nil, "f%d", i)
	for round := range rounds {
		for _, f := range [][]byte{[]byte("hot"), own, []byte("hot")} {
			if _, err := p.IncrField([]byte("h"), f, 1); err != nil {
				t.Errorf("IncrField = %v", err)
			}
		}
		if round%3 != 0 {
			continue
		}
		if _, err := p.SetFields([]byte("other"), [][]byte{own, []byte("last")}, []Value{IntValue(int64(round)), IntValue(int64(i))}, Overwrite); err != nil {
			t.Errorf("SetFields = %v", err)
		}
		if _, err := p.Commit(); err != nil {
			t.Errorf("Commit = %v", err)
		}
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
}

func arriveFields(t *testing.T, e *Engine, batches int) {
	p := newPeer(0xfe)
	for range batches {
		if err := e.Apply(p.batch(p.fieldDelta("h", "hot", 1), p.fieldDelta("h", "far", 1), p.fieldDelta("gone", "x", 1))); err != nil {
			t.Errorf("Apply = %v", err)
			return
		}
		runtime.Gosched()
	}
}

func churnHash(p *Pipeline) error {
	p.pause()
	err := p.e.Flush()
	evictAll(p.e)
	return err
}

// readHash reads all of a hash in every way.
func readHash(p *Pipeline) error {
	n, err := p.Len([]byte("h"))
	all := int64(0)
	eachErr := p.EachField([]byte("h"), func([]byte, Value) { all++ })
	if all < n {
		err = errors.Join(err, fmt.Errorf("%d fields; Len said %d before", all, n))
	}
	next, scanErr := p.ScanFields([]byte("h"), 0, 3, func([]byte, Value) {})
	_, scanErr2 := p.ScanFields([]byte("h"), next, 3, func([]byte, Value) {})
	_, _, getErr := p.Fields([]byte("h"), [][]byte{[]byte("hot"), []byte("none")}, nil)
	_, _, oneErr := p.Field([]byte("h"), []byte("f1"))
	return errors.Join(err, eachErr, scanErr, scanErr2, getErr, oneErr)
}

// vanishHash takes hashes away in every way.
func vanishHash(p *Pipeline) error {
	_, delErr := p.DelFields([]byte("other"), [][]byte{[]byte("f0"), []byte("f1"), []byte("last")})
	_, allErr := p.Del([][]byte{[]byte("other"), []byte("gone"), []byte("none")})
	_, setErr := p.Put([]byte("gone"), IntValue(1), SetOptions{})
	_, del2Err := p.Del([][]byte{[]byte("gone")})
	_, incrErr := p.IncrField([]byte("gone"), []byte("y"), 1)
	if errors.Is(incrErr, ErrWrongType) {
		incrErr = nil
	}
	_, expireErr := p.ExpireAt([]byte("gone"), p.Now()-1, 0)
	return errors.Join(delErr, allErr, setErr, del2Err, incrErr, expireErr)
}

func checkFields(t *testing.T, e *Engine, hash string, want map[string]int64) {
	t.Helper()
	p := e.NewPipeline()
	for f, n := range want {
		if v, _, err := p.Field([]byte(hash), []byte(f)); v.Int != n || err != nil {
			t.Errorf("%s %s = %d, %v; want %d", hash, f, v.Int, err, n)
		}
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
}

var hugeHash = flag.Int("hash.fields", 250_000, "fields of the huge hash")

// TestHugeHash: a hash that does not fit into the cache is counted, incremented, scanned and deleted all the same.
func TestHugeHash(t *testing.T) {
	n, o := *hugeHash, Options{CacheSize: 8 << 20}
	if testing.Short() {
		n, o.CacheSize = 20_000, 1<<20
	}
	e := open(t, o)
	p := e.NewPipeline()
	name := func(i int) []byte { return fmt.Appendf(nil, "field:%07d", i) }
	for i := 0; i < n; i += 1000 {
		names, values := make([][]byte, 1000), slices.Repeat([]Value{IntValue(1)}, 1000)
		for j := range names {
			names[j] = name(i + j)
		}
		if created, err := p.SetFields([]byte("h"), names, values, Overwrite); created != 1000 || err != nil {
			t.Fatalf("SetFields = %d, %v", created, err)
		}
		if _, err := p.Commit(); err != nil {
			t.Fatal(err)
		}
		if i%20_000 == 0 {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := p.Len([]byte("h")); got != int64(n) || err != nil {
		t.Fatalf("Len = %d, %v; want %d", got, err, n)
	}
	for i := 0; i < n; i += n / 100 {
		if v, err := p.IncrField([]byte("h"), name(i), 5); v != 6 || err != nil {
			t.Fatalf("IncrField(%d) = %d, %v; want 6", i, v, err)
		}
	}
	seen, sum := 0, int64(0)
	for cursor := uint64(0); ; {
		next, err := p.ScanFields([]byte("h"), cursor, 1000, func(_ []byte, v Value) { seen++; sum += v.Int })
		if err != nil {
			t.Fatal(err)
		}
		p.Pause()
		if cursor = next; next == 0 {
			break
		}
	}
	if seen != n || sum != int64(n)+500 {
		t.Errorf("a scan found %d fields of the sum %d; want %d, %d", seen, sum, n, n+500)
	}
	if s := e.Stats(); s.CacheBytes > 2*o.CacheSize+(40<<20) {
		t.Errorf("%d bytes are cached", s.CacheBytes)
	}
	if got, err := p.Del([][]byte{[]byte("h")}); got != 1 || err != nil {
		t.Errorf("Del = %d, %v; want 1", got, err)
	}
	if _, err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Keys[0] != 0 || s.CacheBytes > 80<<20 {
		t.Errorf("afterwards there are %d keys, %d bytes cached", s.Keys[0], s.CacheBytes)
	}
}

// TestLongFields: a hash whose texts do not fit into one page is read and taken away all the same.
func TestLongFields(t *testing.T) {
	e := open(t, Options{CacheSize: 4 << 20})
	p := e.NewPipeline()
	text := strings.Repeat("x", MaxText-1)
	n := 40
	if shortRace() {
		n = 10
	}
	for i := range n {
		name := fieldNames(fmt.Sprint(i))
		if _, err := p.SetFields([]byte("h"), name, []Value{ParseValue([]byte(text))}, Overwrite); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, p)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	evictAll(e)
	seen := 0
	err := p.EachField([]byte("h"), func(_ []byte, v Value) { seen += v.Len() })
	if seen != n*len(text) || err != nil {
		t.Errorf("EachField met %d bytes, %v; want %d", seen, err, n*len(text))
	}
	mustCommit(t, p)
	if n, err := p.Del(fieldNames("h")); n != 1 || err != nil {
		t.Errorf("Del = %d, %v; want 1", n, err)
	}
	if n, err := p.Len([]byte("h")); n != 0 || err != nil {
		t.Errorf("Len = %d, %v; want 0", n, err)
	}
	mustCommit(t, p)
}

// TestFieldsDirtyWhileFlushEnds has fields become dirty, each the first of its hash in a generation, at the very time at which a
// flush ends: both lock the hash's fields and the shard of its head.
func TestFieldsDirtyWhileFlushEnds(t *testing.T) {
	tab := newTable(1 << 20)
	e := &Engine{table: tab}
	var list []*entry
	for i := range 64 { // of one shard
		head := newEntry(name{0, fmt.Appendf(nil, "h%d", i), uint64(i)}, nil)
		head.rare = &rare{fields: e.newFields(head, 0)}
		list = append(list, newEntry(name{tlv.FieldByte(0), []byte("f"), 0}, head.fields()))
	}
	const generations = 2000
	var flusher sync.WaitGroup
	flusher.Go(func() {
		for gen := range uint64(generations) {
			tab.cut()
			tab.forgetFlight(gen)
		}
	})
	for gen := range uint64(generations) {
		for _, f := range list {
			f.gen = gen + 1
			tab.addDirtyField(f)
		}
	}
	flusher.Wait()
}

// TestCommandsWhileTheIDChanges: a store takes another ID, for which it begins with an empty cache, while commands are in the middle of
// something for which they let go of it. None goes on with what was cached before.
func TestCommandsWhileTheIDChanges(t *testing.T) {
	step := 1
	if shortRace() {
		step = 4
	}
	for round := 0; round < 100; round += step {
		o := disk()
		var now atomic.Int64
		now.Store(1_700_000_000_000)
		o.manual, o.AwaitPeers, o.Now = true, true, now.Load
		e := open(t, o)
		begun := make(chan struct{})
		var done atomic.Bool
		var worker sync.WaitGroup
		worker.Go(func() {
			p := e.NewPipeline()
			for i := 0; !done.Load() || i <= round; i++ {
				if i == round {
					close(begun)
				}
				changeHashes(t, p, i, &now)
			}
		})
		<-begun
		if err := e.Rename(tlv.VectorEntry{Replica: e.ReplicaID(), Stamp: 1 << 60, Life: 77}); err != nil {
			t.Errorf("Rename = %v", err)
		}
		done.Store(true)
		worker.Wait()
		checkCounters(t, e, map[string]int64{"once": 1, "s": 0})
		checkFields(t, e, "h", nil)
		checkFields(t, e, "kept", map[string]int64{"f": 1})
		checkSize(t, e)
		if err := checkStore(t, e, o); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// changeHashes makes hashes and takes them away in several ways.
func changeHashes(t *testing.T, p *Pipeline, i int, now *atomic.Int64) {
	h, once, kept, f := []byte("h"), []byte("once"), []byte("kept"), [][]byte{[]byte("f")}
	set := func(key []byte) error {
		_, err := p.SetFields(key, f, []Value{IntValue(1)}, Overwrite)
		if err = errors.Join(err, p.finish()); err != nil {
			return err
		}
		v, _, err := p.Field(key, f[0])
		if v.Int != 1 {
			err = errors.Join(err, fmt.Errorf("after HSET: HGET %d", v.Int))
		}
		return err
	}
	count := func(first bool) error {
		v, counted, err := p.IncrOnce(once, fmt.Append(nil, i), 1, TokenLife)
		if v != 1 || counted != first {
			err = errors.Join(err, fmt.Errorf("IncrOnce = %d, counted %t", v, counted))
		}
		return err
	}
	expire := func(key []byte) error {
		_, err := p.ExpireAt(key, p.Now()+1, 0)
		now.Add(2)
		return err
	}
	for step, f := range []func() error{
		func() error { return set(h) },
		func() error { _, err := p.Incr([]byte("s"), 1); return err },
		func() error { _, err := p.Del([][]byte{h, []byte("s")}); return err },
		func() error { return set(kept) },
		func() error { return expire(kept) },
		func() error { return set(kept) },
		func() error { _, err := p.Del([][]byte{once}); return err },
		func() error { return set(once) },
		func() error { return expire(once) },
		func() error { return count(true) },
		func() error { return count(false) },
	} {
		if err := errors.Join(f(), p.finish()); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
	}
	n, err := p.Len(h)
	if err = errors.Join(err, p.finish()); n != 0 || err != nil {
		t.Errorf("after DEL: HLEN %d, %v", n, err)
	}
}

// TestStaleKeysBecomeHashes: while keys with something that has arrived become hashes, what has arrived is taken in.
func TestStaleKeysBecomeHashes(t *testing.T) {
	const keys = 100
	o := disk()
	o.UpdatePeriod = time.Hour
	e := open(t, o)
	remote := newPeer(99)
	name := func(i int) string { return fmt.Sprint("k", i) }
	for i := range keys {
		increment(t, e, name(i), 1)
		remote.add(t, e, name(i), 1)
	}
	if n := len(e.stale.keys); n != keys {
		t.Fatalf("%d keys are stale; want %d", n, keys)
	}
	var workers sync.WaitGroup
	workers.Go(func() {
		p := e.NewPipeline()
		for i := range keys {
			key := []byte(name(i))
			_, delErr := p.Del([][]byte{key})
			_, incrErr := p.IncrField(key, []byte("f"), 1)
			if _, err := p.Commit(); err != nil || delErr != nil || incrErr != nil {
				t.Errorf("%s: %v, %v, %v", key, delErr, incrErr, err)
			}
		}
	})
	workers.Go(func() {
		for range keys {
			e.Refresh()
		}
	})
	workers.Wait()
}
