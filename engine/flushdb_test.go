package engine

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashed is what the next start finds after the death of the process: nothing that is journaled is lost.
func crashed(e *Engine, o Options) Options {
	prepared(e)
	o.fs = o.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	o.segments = o.segments.(*memorySegments).clone()
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
