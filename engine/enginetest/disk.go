// Package enginetest has what simulations of the engine need: a disk that loses what was not synced, and ghosts, which know what a key has to
// show. Only tests import it. It does not import the engine, whose own tests use it too.
package enginetest

import (
	"io"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"atomiccounter/engine/journal"
	"atomiccounter/tlv"
)

// Disk is a simulated disk with one store on it: what was not synced a crash may take. It is an engine.Disk.
type Disk struct {
	fs       *vfs.MemFS
	segments *Segments
	random   func() uint64
	broken   atomic.Bool
	full     atomic.Bool
	resumes  bool

	State func(key []byte) (tlv.State, error)  // of the store that is open
	Tail  func(life uint64) (of tlv.ReplicaID) // of the same
}

// NewDisk gives an empty disk. random decides what the engine draws and what crashes take; it is called by one goroutine at
// a time.
func NewDisk(random func() uint64) *Disk {
	return &Disk{fs: vfs.NewCrashableMem(), segments: NewSegments(), random: random}
}

// FS holds the database.
func (d *Disk) FS() vfs.FS { return diskFS{errorfs.Wrap(d.fs, errorfs.InjectorFunc(d.inject)), d} }

// Journal holds the segments of the journal.
func (d *Disk) Journal() journal.Store { return d.segments }

// Random is what the engine draws next.
func (d *Disk) Random() uint64 { return d.random() }

// Resumes says whether the store goes on with the memory of its process.
func (d *Disk) Resumes() bool { return d.resumes }

// Opened keeps what the store that is being opened gives a simulation to look at.
func (d *Disk) Opened(state func(key []byte) (tlv.State, error), tail func(life uint64) tlv.ReplicaID) {
	d.State, d.Tail = state, tail
}

// Break has all that the database writes fail from now on.
func (d *Disk) Break() { d.broken.Store(true) }

func (d *Disk) inject(op errorfs.Op) error {
	if d.broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
		return syscall.EIO
	}
	return nil
}

// diskFS says how large its disk is.
type diskFS struct {
	vfs.FS
	d *Disk
}

func (f diskFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	u := vfs.DiskUsage{TotalBytes: math.MaxInt64, AvailBytes: math.MaxInt64}
	if f.d.full.Load() {
		u.AvailBytes, u.UsedBytes = 0, u.TotalBytes
	}
	return u, nil
}

// Abandon ends an engine on the disk as a crash does: nothing is flushed, for the disk is full. The disk is not to be used any more.
func (d *Disk) Abandon(engine io.Closer) error {
	d.full.Store(true)
	return engine.Close()
}

// Copy is the disk as the process sees it now: what is left after kill -9, or what cp gives.
func (d *Disk) Copy() *Disk {
	return &Disk{fs: d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: d.rng()}), segments: d.segments.Clone(), random: d.random}
}

// WithJournalOf is the disk with the journal of an earlier copy: what a loss of power leaves of one that was not synced since.
func (d *Disk) WithJournalOf(earlier *Disk) *Disk {
	return &Disk{fs: d.fs, segments: earlier.segments, random: d.random}
}

// Machine is Copy, of a machine with its memory: the store goes on in the same life, and asks no peer.
func (d *Disk) Machine() *Disk {
	c := d.Copy()
	c.resumes = true
	return c
}

// Crash is what is left of the disk after a power failure now. The engine is to be abandoned.
func (d *Disk) Crash() *Disk {
	rng := d.rng()
	kept := []int{0, 50, 100}[rng.IntN(3)]
	return &Disk{fs: d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng}), segments: d.segments.PowerLoss(rng), random: d.random}
}

func (d *Disk) rng() *rand.Rand { return rand.New(rand.NewPCG(d.random(), 0)) }
