package engine

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"atomiccounter/engine/journal"
	"atomiccounter/tlv"
)

// Disk is a simulated disk with one store on it, for simulations of crashes: what was not synced it may lose.
type Disk struct {
	fs       *vfs.MemFS
	segments *platters
	random   func() uint64
	engine   *Engine // that has it open, or had
	broken   atomic.Bool
	life     uint64 // of the process whose memory it is put back with; 0: it is not
}

// NewDisk gives an empty disk. random decides what the engine draws and what crashes take; it is called by one goroutine at
// a time.
func NewDisk(random func() uint64) *Disk {
	return &Disk{fs: vfs.NewCrashableMem(), segments: newPlatters(), random: random}
}

func (d *Disk) use(o *Options) {
	o.fs, o.segments, o.segment, o.manual, o.random = errorfs.Wrap(d.fs, errorfs.InjectorFunc(d.inject)), d.segments, 1<<16, true, d.random
	o.life = d.life
	o.free = func() (int64, error) { return math.MaxInt64, nil }
}

// Break has all that the database writes fail from now on.
func (d *Disk) Break() { d.broken.Store(true) }

func (d *Disk) inject(op errorfs.Op) error {
	if d.broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
		return syscall.EIO
	}
	return nil
}

// Copy is the disk as the process sees it now: what is left after kill -9, or what cp gives.
func (d *Disk) Copy() *Disk {
	d.rest()
	return &Disk{fs: d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: d.rng()}), segments: d.segments.clone(), random: d.random}
}

// Machine is Copy, of a machine with its memory: whoever opens it goes on in the same life, and asks nobody.
func (d *Disk) Machine() *Disk {
	c := d.Copy()
	c.life = d.engine.Life()
	return c
}

// Crash is what is left of the disk after a power failure now. The engine is to be dropped: see Engine.Abandon.
func (d *Disk) Crash() *Disk {
	d.rest()
	rng := d.rng()
	kept := []int{0, 50, 100}[rng.IntN(3)]
	return &Disk{fs: d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng}), segments: d.segments.lose(rng), random: d.random}
}

func (d *Disk) rng() *rand.Rand { return rand.New(rand.NewPCG(d.random(), 0)) }

// rest waits until nothing changes the disk in the background: the journal prepares its next segment there.
func (d *Disk) rest() {
	if d.engine != nil {
		d.engine.journal.Prepared()
	}
}

// Abandon ends an engine on a Disk as a crash does: nothing is flushed. The disk is not to be used any more.
func (e *Engine) Abandon() error {
	if !e.health.closed.CompareAndSwap(false, true) {
		return ErrClosed
	}
	e.health.refuse.Or(refuseClosed)
	close(e.running.stop)
	e.running.done.Wait()
	e.published.news.announce()
	e.scans.Lock()
	defer e.scans.Unlock()
	return errors.Join(e.journal.Close(), e.closeDB(), e.folder.lock.Close())
}

// Tail is the ID under which what was journaled in a life of the ID that was given up last is published; 0: under none.
func (e *Engine) Tail(life uint64) tlv.ReplicaID {
	c := e.committer.lock()
	defer c.unlock()
	for _, t := range c.tails {
		if t.Life == life {
			return t.Replica
		}
	}
	return 0
}

// SyncJournal syncs what is journaled, which on a Disk nobody else does.
func (e *Engine) SyncJournal() error { return e.journal.Sync() }

const (
	pageSize   = 4096
	sectorSize = 512
)

// platters keeps segments as a disk does that loses power: a page that changed since its last sync may be the old one,
// the new one, or a mixture of sectors.
type platters struct {
	mu    sync.Mutex
	files map[uint64]*platter
	room  int // segments that may be created; negative: any number
}

type platter struct {
	mu       sync.Mutex
	mem      []byte // what the process sees
	synced   []byte
	buffered bool
}

func newPlatters() *platters { return &platters{files: map[uint64]*platter{}, room: -1} }

func (s *platters) Create(number uint64, size int, head []byte, buffered bool) (journal.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room == 0 {
		return nil, syscall.ENOSPC
	}
	s.room--
	f := &platter{mem: make([]byte, size), synced: make([]byte, size), buffered: buffered}
	copy(f.mem, head) // before a loss of power sees it
	copy(f.synced, head)
	s.files[number] = f
	return f, nil
}

func (s *platters) Open(number uint64) (journal.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.files[number]; ok {
		return f, nil
	}
	return nil, journal.ErrMissing
}

func (s *platters) List() (list []uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.files {
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}

func (s *platters) Remove(number uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, number)
	return nil
}

// Lose keeps nothing: nobody looks.
func (s *platters) Lose(number uint64, from, to int) (name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[number]; from > 0 {
		f.mem, f.synced = f.mem[:from], f.synced[:from]
	} else {
		delete(s.files, number)
	}
	if from < to {
		name = "lost"
	}
	return name, nil
}

func (s *platters) limit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = n
}

func (p *platter) Bytes() []byte  { return p.mem }
func (p *platter) Close() error   { return nil }
func (p *platter) Touch(int, int) {}

func (p *platter) Sync(from, to int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	copy(p.synced[from:to], p.mem[from:to])
	return nil
}

// lose is what is left after a loss of power. Nobody appends meanwhile.
func (s *platters) lose(rng *rand.Rand) *platters {
	return s.each(func(p *platter) *platter { return p.lose(rng) })
}

// clone is what the process sees. Nobody appends meanwhile.
func (s *platters) clone() *platters {
	return s.each(func(p *platter) *platter {
		return &platter{mem: slices.Clone(p.mem), synced: slices.Clone(p.mem), buffered: p.buffered}
	})
}

func (s *platters) each(f func(*platter) *platter) *platters {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := newPlatters()
	numbers := make([]uint64, 0, len(s.files))
	for n := range s.files {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers) // a seed is to say all
	for _, n := range numbers {
		left.files[n] = f(s.files[n])
	}
	return left
}

func (p *platter) lose(rng *rand.Rand) *platter {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := slices.Clone(p.synced)
	for at := 0; at < len(kept) && !p.buffered; at += pageSize {
		end := min(at+pageSize, len(kept))
		if bytes.Equal(p.mem[at:end], p.synced[at:end]) {
			continue
		}
		switch rng.IntN(3) {
		case 0:
			copy(kept[at:end], p.mem[at:end])
		case 1:
			for s := at; s < end; s += sectorSize {
				if rng.IntN(2) == 0 {
					copy(kept[s:min(s+sectorSize, end)], p.mem[s:min(s+sectorSize, end)])
				}
			}
		}
	}
	return &platter{mem: slices.Clone(kept), synced: kept, buffered: p.buffered}
}
