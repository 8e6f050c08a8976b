package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
)

// crashed is what the next start finds after the death of the process: nothing that is journaled is lost.
func crashed(e *Engine, o Options) Options {
	prepared(e)
	o.fs = o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	o.segments = o.segments.(*enginetest.Segments).Clone()
	return o
}

func flushDB(t *testing.T, e *Engine) {
	t.Helper()
	p := e.NewPipeline()
	if err := p.FlushDB(); err != nil {
		t.Fatalf("FlushDB = %v", err)
	}
	if _, err := p.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
}

// TestFlushDBThenForeign: replaying a FLUSHDB must not take what arrived after it.
func TestFlushDBThenForeign(t *testing.T) {
	o := disk()
	e := open(t, o)
	increment(t, e, "k", 7)
	flushDB(t, e)
	newPeer(9).add(t, e, "k", 5)
	checkCounters(t, open(t, crashed(e, o)), map[string]int64{"k": 5})
}

// TestFlushDBCrash empties a database with and without foreign data in it, and dies right after or after more writes.
func TestFlushDBCrash(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		for _, more := range []int64{0, 3} {
			for _, flushed := range []bool{false, true} {
				o := disk()
				o.UpdatePeriod = AlwaysFresh
				e := open(t, o)
				increment(t, e, "k", 7)
				increment(t, e, "gone", 1)
				if foreign {
					newPeer(9).add(t, e, "k", 5)
				}
				if flushed {
					if err := e.Flush(); err != nil {
						t.Fatalf("Flush = %v", err)
					}
				}
				flushDB(t, e)
				if n := e.Stats().Keys[0]; n != 0 {
					t.Errorf("foreign %t: %d keys after FLUSHDB; want none", foreign, n)
				}
				if more > 0 {
					increment(t, e, "k", more)
				}
				again := open(t, crashed(e, o))
				checkCounters(t, again, map[string]int64{"k": more, "gone": 0})
				if n := again.Stats().Keys[0]; n != min(more, 1) {
					t.Errorf("foreign %t, more %d: %d keys after a crash; want %d", foreign, more, n, min(more, 1))
				}
				checkSize(t, again)
			}
		}
	}
}

// fillDB makes keys, a hash and a token.
func fillDB(t *testing.T, e *Engine, keys int) {
	t.Helper()
	p := e.NewPipeline()
	for i := range keys {
		if _, err := p.Incr(fmt.Appendf(nil, "k%d", i), 1); err != nil {
			t.Fatalf("Incr = %v", err)
		}
	}
	_, _, err := p.IncrOnce([]byte("k0"), []byte("token"), 1, 1e6)
	if err := errors.Join(err, setOne(p, "hash", "f", 1), setOne(p, "hash", "g", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(); err != nil {
		t.Fatalf("Commit = %v", err)
	}
}

// TestFlushDBForgets counts what a FLUSHALL would have to visit after others, and what memory that takes: nothing.
func TestFlushDBForgets(t *testing.T) {
	ways := map[string]func(p *Pipeline) error{
		"alone":        (*Pipeline).FlushAll,
		"in a section": wipeInSection,
	}
	for name, empty := range ways {
		for _, foreign := range []bool{false, true} {
			e := open(t, Options{})
			if foreign {
				newPeer(9).add(t, e, "k1", 5)
			}
			for range 2 {
				fillDB(t, e, 3000)
				p := e.NewPipeline()
				if err := empty(p); err != nil {
					t.Fatalf("%s: FlushAll = %v", name, err)
				}
				if _, err := p.Commit(); err != nil {
					t.Fatalf("Commit = %v", err)
				}
				if err := e.Flush(); err != nil {
					t.Fatalf("Flush = %v", err)
				}
				slots := 0
				for i := range e.table.shards {
					slots += len(e.table.shards[i].slots.Load().list)
				}
				left := 0 // the peer's key: what is cancelled of it is stored
				if foreign {
					left = 1
				}
				if n := len(e.table.all()); n != left || slots != 8<<shardBits || e.table.bytes.Load() > int64(left)<<10 {
					t.Errorf("%s, foreign %t: %d entries are cached in %d slots and %d bytes after FLUSHALL; want %d in %d", name, foreign, n, slots,
						e.table.bytes.Load(), left, 8<<shardBits)
				}
				checkSize(t, e)
			}
		}
	}
}

func wipeInSection(p *Pipeline) error {
	if err := p.Begin(true); err != nil {
		return err
	}
	defer p.End()
	return p.FlushAll()
}

// TestFlushDBAtOnce: other sections see all keys of a database that has a peer's, or none.
func TestFlushDBAtOnce(t *testing.T) {
	const keys = 5000
	e := open(t, Options{})
	newPeer(9).add(t, e, "k1", 5)
	fillDB(t, e, keys)
	done := make(chan error, 1)
	go func() {
		p := e.NewPipeline()
		err := p.FlushAll()
		_, failed := p.Commit()
		done <- errors.Join(err, failed)
	}()
	p := e.NewPipeline()
	for n := int64(keys + 1); n != 0; {
		if err := p.Begin(false); err != nil {
			t.Fatalf("Begin = %v", err)
		}
		n = sizeOf(t, p)
		end(t, p)
		if n != 0 && n != keys+1 {
			t.Errorf("a section sees %d keys of %d", n, keys+1)
			break
		}
	}
	if err := <-done; err != nil {
		t.Errorf("FlushAll = %v", err)
	}
}

// TestSizeOutsideSection: the number of keys is that before a section, or after it.
func TestSizeOutsideSection(t *testing.T) {
	e := open(t, Options{})
	section, other := e.NewPipeline(), e.NewPipeline()
	if err := section.Begin(false); err != nil {
		t.Fatalf("Begin = %v", err)
	}
	const keys = 1000
	asked, size := make(chan bool), make(chan int64)
	for i := range keys {
		if _, err := section.Incr(fmt.Appendf(nil, "k%d", i), 1); err != nil {
			t.Fatalf("Incr = %v", err)
		}
		if i == 0 {
			go func() {
				close(asked)
				size <- sizeOf(t, other)
			}()
			<-asked
		}
	}
	end(t, section)
	if n := <-size; n != keys {
		t.Errorf("Size = %d; want %d", n, keys)
	}
	mustCommit(t, other)
}

// TestFlushAllAfterTheStateWasGiven: what somebody has of the store is cancelled there too, though no peer is known yet, or was when the
// store was last open.
func TestFlushAllAfterTheStateWasGiven(t *testing.T) {
	for name, reopen := range map[string]bool{"at once": false, "after a loss of power": true} {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		a.committer.only.flags &^= metaLogging
		a.add("k", 5)
		a.flush()
		s, err := a.Snapshot()
		if err != nil {
			t.Fatalf("Snapshot = %v", err)
		}
		b.fetch(s, a.ReplicaID(), 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if reopen {
			a.restart(a.disk.Crash(), false)
			a.committer.only.flags &^= metaLogging
		}
		p := a.NewPipeline()
		err = p.FlushAll()
		if _, commitErr := p.Commit(); err != nil || commitErr != nil {
			t.Fatalf("FlushAll = %v, %v", err, commitErr)
		}
		a.flush()
		if err := a.KeepLog(); err != nil {
			t.Fatalf("KeepLog = %v", err)
		}
		b.fetch(a.snapshot(), a.ReplicaID(), 0)
		a.shows("k", 0)
		b.shows("k", 0)
		if !b.Vector().Covers(a.Vector()) {
			t.Errorf("%s: vector %v; want all of %v", name, b.Vector(), a.Vector())
		}
	}
}

// TestFlushAllAgainstLoads: a key that is loaded while its database is emptied is not kept as it was.
func TestFlushAllAgainstLoads(t *testing.T) {
	o := disk()
	mem := o.fs
	e := open(t, o)
	increment(t, e, "k", 5)
	if err := e.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	var armed atomic.Bool
	o.fs = hookFS(mem, func() {
		if !armed.Load() || !e.cuts.guards[0].TryRLock() { // nobody may look
			return
		}
		e.cuts.guards[0].RUnlock()
		armed.Store(false)
		if _, err := e.Counter("k").Get(t.Context()); err != nil {
			t.Errorf("Get meanwhile = %v", err)
		}
	})
	e = open(t, o)
	armed.Store(true)
	p := e.NewPipeline()
	if err := errors.Join(p.FlushAll(), p.finish()); err != nil {
		t.Fatalf("FlushAll = %v", err)
	}
	armed.Store(false)
	checkCounters(t, e, map[string]int64{"k": 0})
}

// TestFlushAllAfterDump: a dump is a state that was given, also for a start after a loss of power.
func TestFlushAllAfterDump(t *testing.T) {
	a := newMember(t, 1, Options{})
	a.committer.only.flags &^= metaLogging
	a.add("k", 5)
	if _, ok, err := a.NewPipeline().Dump([]byte("k")); !ok || err != nil {
		t.Fatalf("Dump = %t, %v", ok, err)
	}
	a.restart(a.disk.Crash(), false)
	a.committer.only.flags &^= metaLogging
	c := a.committer.lock()
	defer c.unlock()
	if c.alone() {
		t.Error("after a dump the store may still forget what it deletes")
	}
}

// TestFlushAllDuringFlush: where peers have a part in the store, FLUSHALL needs nothing that a flush holds, which may be that of all the
// keys that the last one took away.
func TestFlushAllDuringFlush(t *testing.T) {
	e := open(t, disk())
	increment(t, e, "k", 7)
	newPeer(9).add(t, e, "k", 5)
	p := e.NewPipeline()
	if err := p.FlushAll(); err != nil {
		t.Fatalf("FlushAll = %v", err)
	}
	c := e.committer.lock()
	done := make(chan error, 1)
	go func() { done <- p.FlushAll() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("FlushAll = %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("FlushAll waits for a flush")
	}
	c.unlock()
}

// TestFlushDBInSection empties a database in the middle of a section: prepared for or not, alone or with a peer, of keys that
// are cached or cold, pending or stored. Then foreign data arrives, and the process dies.
func TestFlushDBInSection(t *testing.T) {
	for _, prepared := range []bool{true, false} {
		for _, peered := range []bool{true, false} {
			for _, cold := range []bool{true, false} {
				name := fmt.Sprintf("prepared=%t,peered=%t,cold=%t", prepared, peered, cold)
				t.Run(name, func(t *testing.T) { flushInSection(t, prepared, peered, cold) })
			}
		}
	}
}

func flushInSection(t *testing.T, prepared, peered, cold bool) {
	o := disk()
	e := open(t, o)
	peer := newPeer(9)
	increment(t, e, "old", 7)
	increment(t, e, "more", 7)
	if peered {
		peer.add(t, e, "old", 5)
	}
	if cold {
		must(t, nil, e.Flush())
		dropCache(e)
	}
	p := e.NewPipeline()
	begin(t, p, prepared)
	for _, key := range []string{"first", "more"} {
		_, err := p.Incr([]byte(key), 1)
		must(t, nil, err)
	}
	must(t, nil, p.FlushDB())
	if got := keysOf(t, p); len(got) > 0 || sizeOf(t, p) != 0 {
		t.Errorf("after FLUSHDB Keys = %v, Size = %d; want none", got, sizeOf(t, p))
	}
	for _, key := range []string{"old", "new"} {
		v, err := p.Incr([]byte(key), 2)
		if v != 2 || err != nil {
			t.Errorf("Incr(%q) = %d, %v; want 2", key, v, err)
		}
	}
	want := []string{"first", "(none)", "more", "(none)", "old", "2", "new", "2"}
	unfinished := crashed(e, o)
	end(t, p)
	look(t, e, want...)
	look(t, open(t, crashed(e, o)), want...)
	look(t, open(t, unfinished), "first", "(none)", "more", "7", "new", "(none)")
	peer.add(t, e, "more", 3)
	again := open(t, crashed(e, o))
	look(t, again, "more", "3", "old", "2", "new", "2")
	checkSize(t, again)
	must(t, nil, e.Flush())
	dropCache(e)
	look(t, e, "more", "3", "old", "2", "new", "2")
}
