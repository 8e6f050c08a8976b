package journal

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Position is a place in the journal; 0 depends on nothing.
type Position uint64

// Mark is a place in the journal, and the checksum that a frame there continues from.
type Mark struct {
	Segment uint64
	Offset  uint64
	Sum     uint32
}

// Options of Create.
type Options struct {
	Size     int  // of a segment, in bytes; a greater frame gets a segment of its own size
	Buffered bool // see SetBuffered
	// Scrap has the journal begin in a segment of ScrapSize, where there is no room for another: NoRoom tells of that until it has a
	// next one.
	Scrap bool
	Log   *slog.Logger
}

// DefaultSize is the usual size of a segment in bytes. What is mapped counts as memory of the process, so segments are small.
const DefaultSize = 16 << 20

// ScrapSize is enough for what is noted though writes are refused.
const ScrapSize = 16 << 10

// Journal appends frames and syncs them.
type Journal struct {
	store Store
	log   *slog.Logger
	size  int

	mu       sync.Mutex // short: appends copy under it
	cur      *segment
	off      int // next frame in cur
	sum      uint32
	end      atomic.Uint64 // Position after the last frame; written under mu
	old      []*segment    // full segments, some perhaps not synced; removed by Release
	next     *segment      // prepared; nil while the preparer works
	growing  bool          // grow makes a segment for a great frame: no other append rotates, and the preparer waits
	buffered bool          // form of the segments to come
	touched  int           // up to where cur's pages have been asked for
	ready    *sync.Cond    // next was set or prepErr changed; uses mu
	prepErr  error         // why there is no next segment

	syncMu  sync.Mutex // one sync at a time
	durable atomic.Uint64
	syncErr atomic.Pointer[error]
	syncs   atomic.Int64

	waiters waitlist
	prepare chan struct{} // preparer: next was taken
	touch   chan pages    // toucher: memory that will be written soon

	stop chan struct{}
	done sync.WaitGroup
}

// Create begins a journal in a fresh segment, from.Segment; from.Sum chains it to what was before. The caller has all before durable.
func Create(store Store, from Mark, o Options) (*Journal, error) {
	j := &Journal{store: store, log: o.Log, size: o.Size, buffered: o.Buffered, touch: make(chan pages, 1),
		waiters: waitlist{wake: make(chan struct{}, 1)}, prepare: make(chan struct{}, 1), stop: make(chan struct{})}
	j.ready = sync.NewCond(&j.mu)
	first := o.Size
	if o.Scrap {
		first, j.prepErr = ScrapSize, ErrNoSegment
	}
	s, err := newSegment(store, from.Segment, first, o.Buffered, pastDurable)
	if err != nil {
		return nil, err
	}
	j.enter(s, from.Sum)
	j.prepare <- struct{}{}
	j.done.Add(2)
	go j.preparer()
	go j.toucher()
	return j, nil
}

// Append adds one frame. It fails only if there is no room, and then nothing was written.
func (j *Journal) Append(body []byte) (Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(body)
}

// AppendAside is Append for a caller that does little else: if another is at it, it stands aside for a while, so that each has
// a long run of appends. At every change the cache lines of the journal and of the counter go from one processor to the other, which takes
// longer than an increment. frame gives the body under the journal's lock, once nothing is waited for any more; it appends nothing if that
// is empty.
func (j *Journal) AppendAside(frame func() []byte) (Position, error) {
	if !j.mu.TryLock() {
		standAside()
		j.mu.Lock()
	}
	defer j.mu.Unlock()
	body := frame()
	if len(body) == 0 {
		return 0, nil
	}
	return j.append(body)
}

// append is Append under mu, which it lets go of while it waits for the next segment.
func (j *Journal) append(body []byte) (Position, error) {
	need := FrameHeader + len(body)
	for j.off+need+FrameHeader > len(j.cur.mem) { // always leave room for the end frame
		if err := j.rotate(need + FrameHeader); err != nil {
			return 0, err
		}
	}
	j.put(uint32(len(body)), body)
	return Position(j.end.Load()), nil
}

// Reserve makes room for a frame whose body has need bytes, and says how many the body may have as long as no other
// append comes. A frame greater than a segment gets one that is twice as large, for it may grow on.
func (j *Journal) Reserve(need int) (room int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	const around = 2 * FrameHeader // its own, and that of the end
	for j.off+need+around > len(j.cur.mem) {
		frames := need + around
		if frames > j.size-segmentHeader {
			frames *= 2
		}
		if err := j.rotate(frames); err != nil {
			return 0, err
		}
	}
	return len(j.cur.mem) - j.off - around, nil
}

// asideFor is time for about 500 increments.
const asideFor = 50 * time.Microsecond

func standAside() {
	for start := time.Now(); time.Since(start) < asideFor; {
		runtime.Gosched()
	}
}

func (j *Journal) put(length uint32, body []byte) {
	f := j.cur.mem[j.off : j.off+FrameHeader+len(body)]
	copy(f[FrameHeader:], body)
	binary.LittleEndian.PutUint32(f, length)
	j.sum = crc32.Update(j.sum, castagnoli, f[:4])
	j.sum = crc32.Update(j.sum, castagnoli, body)
	binary.LittleEndian.PutUint32(f[4:], j.sum)
	j.off += len(f)
	j.end.Add(uint64(len(f)))
	if j.off+touchAhead/2 > j.touched {
		j.askTouch()
	}
}

// Bytes is how many bytes there are in the segments that are kept, and how many of them only in memory.
func (j *Journal) Bytes() (kept, buffered int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first, end := j.cur, j.end.Load()
	if len(j.old) > 0 {
		first = j.old[0]
	}
	if j.cur.buffered {
		buffered = int64(end - j.durable.Load())
	}
	return int64(end - uint64(first.start)), buffered
}

// Mark is the place after the last frame.
func (j *Journal) Mark() Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Mark{Segment: j.cur.number, Offset: uint64(j.off), Sum: j.sum}
}

// Durable is the position up to which the journal is synced.
func (j *Journal) Durable() Position { return Position(j.durable.Load()) }

// Appended is the position up to which there is anything at all.
func (j *Journal) Appended() Position { return Position(j.end.Load()) }

// Syncs is how often the journal was synced.
func (j *Journal) Syncs() int64 { return j.syncs.Load() }
