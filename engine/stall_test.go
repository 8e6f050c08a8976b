package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// gate is a disk on which the creation of tables, once it is shut, waits until it opens, and has an error then, if there is one.
type gate struct {
	vfs.FS
	shut  atomic.Bool
	open  chan struct{}
	errno atomic.Uint64 // syscall.Errno
	tries atomic.Int64
}

func (g *gate) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") && g.shut.Load() {
		g.tries.Add(1)
		<-g.open
		if n := g.errno.Load(); n != 0 {
			return nil, syscall.Errno(n)
		}
	}
	return g.FS.Create(name, c)
}

// opens lets through all that waits, and what comes.
func (g *gate) opens(n syscall.Errno) {
	g.errno.Store(uint64(n))
	close(g.open)
}

// stalledStore is a store whose Pebble has all the memory it may have, and does not get on with its tables.
type stalledStore struct {
	*Engine
	t     *testing.T
	o     Options
	gate  *gate
	mem   *vfs.MemFS
	peer  *peer
	write func(*stalledStore) error // much, until the database has it
	texts int                       // written and acknowledged
}

func newStalledStore(t *testing.T, write func(*stalledStore) error) *stalledStore {
	o := disk()
	mem := o.fs.(*vfs.MemFS)
	g := &gate{FS: mem, open: make(chan struct{})}
	o.fs, o.memTable = g, 1<<20
	s := &stalledStore{Engine: open(t, o), t: t, o: o, gate: g, mem: mem, peer: newPeer(9), write: write}
	increment(t, s.Engine, "old", 1)
	if err := s.Flush(); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	g.shut.Store(true)
	for !store.Behind(s.db, s.options.memTable) {
		if err := write(s); err != nil {
			t.Fatalf("write before the stall = %v", err)
		}
		synctest.Wait() // for Pebble
	}
	return s
}

const stalledText = 64 << 10 // bytes

// flushTexts writes texts and flushes them.
func flushTexts(s *stalledStore) error {
	p := s.NewPipeline()
	for range 16 {
		v := Value{Text: strings.Repeat("x", stalledText), IsText: true, OK: true}
		if _, err := p.Put(fmt.Appendf(nil, "t%d", s.texts), v, SetOptions{}); err != nil {
			return err
		}
		s.texts++
	}
	if err := p.finish(); err != nil {
		return err
	}
	return s.Flush()
}

// applyTexts has them come from a peer.
func applyTexts(s *stalledStore) error {
	var list []tlv.Delta
	for i := range 16 {
		d := s.peer.delta(fmt.Sprintf("t%d", s.texts+i), 0)
		c := &d.State.Contributions[0]
		c.HasValue, c.IsText, c.Text = true, true, strings.Repeat("x", stalledText)
		list = append(list, d)
	}
	err := s.Apply(s.peer.batch(list...))
	if err == nil {
		s.texts += 16
	}
	return err
}

// begin starts another write, which waits for Pebble.
func (s *stalledStore) begin() <-chan error {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.write(s) }()
	synctest.Wait()
	select {
	case err := <-done:
		s.t.Fatalf("write during the stall = %v; want it to wait", err)
	default:
	}
	return done
}

// reads looks at a key that is in the database, but not in the cache.
func (s *stalledStore) reads() {
	s.t.Helper()
	if en := s.table.find(s.name(0, []byte("old"))); en != nil {
		en.mu.Lock()
		s.table.remove(en)
		en.mu.Unlock()
	}
	checkCounters(s.t, s.Engine, map[string]int64{"old": 1, "never seen": 0})
}

// sections runs one.
func (s *stalledStore) sections() {
	s.t.Helper()
	p := s.NewPipeline()
	begin(s.t, p, false)
	end(s.t, p)
}

// reopens looks for all that was acknowledged after a loss of power.
func (s *stalledStore) reopens() {
	s.t.Helper()
	o := s.o
	o.fs = s.mem.CrashClone(vfs.CrashCloneCfg{RNG: rand.New(rand.NewPCG(1, 2))})
	o.segments = s.o.segments.(*enginetest.Segments).Clone()
	e := open(s.t, o)
	checkCounters(s.t, e, map[string]int64{"old": 1})
	p := e.NewPipeline()
	for i := range s.texts {
		if v, err := p.Value(fmt.Appendf(nil, "t%d", i)); len(v.Text) != stalledText || err != nil {
			s.t.Fatalf("Value(t%d) = %d bytes, %v; want %d", i, len(v.Text), err, stalledText)
		}
	}
	if err := errors.Join(p.finish(), e.Close()); err != nil {
		s.t.Fatalf("Close = %v", err)
	}
}

// eachWrite runs a test for what waits for Pebble.
func eachWrite(t *testing.T, test func(*testing.T, *stalledStore)) {
	for _, write := range []struct {
		name string
		run  func(*stalledStore) error
	}{{"flush", flushTexts}, {"apply", applyTexts}} {
		t.Run(write.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newStalledStore(t, write.run)) })
		})
	}
}

// TestStall: while Pebble has no room for a commit, reads and sections go on, and whoever waits for room gets an error when
// there is no hope of it. Then the engine closes.
func TestStall(t *testing.T) {
	for _, end := range []struct {
		name  string
		errno syscall.Errno
		want  error // that the write gets
	}{{"room", 0, nil}, {"failed", syscall.EIO, ErrFailed}, {"full", syscall.ENOSPC, ErrNoSpace}} {
		t.Run(end.name, func(t *testing.T) {
			eachWrite(t, func(t *testing.T, s *stalledStore) {
				done := s.begin()
				s.reads()
				s.sections()
				s.gate.opens(end.errno)
				if err := <-done; !errors.Is(err, end.want) {
					t.Fatalf("write = %v; want %v", err, end.want)
				}
				s.reads()
				s.sections()
				begin := time.Now()
				if err := s.Close(); err != nil {
					t.Errorf("Close = %v", err)
				}
				if took := time.Since(begin); took > store.FencePause {
					t.Errorf("Close waited for %v; want at most one pause", took)
				}
				s.reopens()
			})
		})
	}
}

// TestCloseDuringStall: who waits is told, and what the database has not got yet is in it when Close returns.
func TestCloseDuringStall(t *testing.T) {
	eachWrite(t, func(t *testing.T, s *stalledStore) {
		done, closed := s.begin(), make(chan error, 1)
		go func() { closed <- s.Close() }()
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("write = %v; want %v", err, ErrClosed)
		}
		s.gate.opens(0)
		if err := <-closed; err != nil {
			t.Errorf("Close = %v", err)
		}
		s.reopens()
	})
}

// TestRetriesWhileClosing: Pebble, which tries again what the fence has refused, does not do so at full speed while Close waits
// for others.
func TestRetriesWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStalledStore(t, flushTexts)
		s.gate.opens(syscall.ENOSPC)
		s.running.done.Add(1) // background work that takes its time
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		tries := s.gate.tries.Load()
		<-time.After(10 * store.FencePause)
		if tries = s.gate.tries.Load() - tries; tries > 20 {
			t.Errorf("Pebble began %d tables in ten pauses", tries)
		}
		s.running.done.Done()
		if err := <-closed; err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// TestFlusherAfterFullDisk: the flusher waits where the disk is full, and goes on when it is not.
func TestFlusherAfterFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStalledStore(t, flushTexts)
		increment(t, s.Engine, "late", 1)
		s.gate.opens(syscall.ENOSPC)
		news := s.News()
		s.running.done.Add(1)
		go s.flusher()
		select {
		case <-news:
			t.Fatalf("it flushed, or failed: %v", s.Failed())
		case <-time.After(time.Minute):
		}
		s.gate.errno.Store(0)
		<-news
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		s.reopens()
	})
}
