package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The journal makes an acknowledged write durable before the database has it.
//
// It is a sequence of segments, files of one size that are preallocated, and mapped into memory or buffered (segmentFile):
//
//	offset  0  magic "ACjournl"
//	        8  format version, 4 B (all integers little-endian)
//	       12  segment number, 8 B; numbers follow one another
//	       20  seed, 4 B random
//	       24  CRC-32C of the 24 bytes before, 4 B
//	       28  "past" once all segments before are durable, zero until then, 4 B
//	       32  frames
//
// A frame is length (4 B), checksum (4 B), body. The checksum is the CRC-32C of the length and the body, continued from
// the checksum of the frame before it, and for the first frame of a segment from the last of the previous segment
// continued over this segment's seed. So old bytes in a reused file never verify, nor do valid frames
// beyond a torn one. Length 0 ends what was written. The next segment continues one that ends with length 0xffffffff, which it
// does only when the next has its header durably, and one whose file ends with its last frame, as a recovery leaves it.
//
// The body of a frame is one or more records (record.go), which hold all together or not at all.
// An append is a copy under a short lock, without a system call. In a mapped segment it survives the death of the process.
const (
	journalMagic   = "ACjournl"
	pastDurable    = "past"
	journalVersion = 1
	segmentHeader  = 32
	frameHeader    = 8
	frameEnd       = 0xffffffff
	// segmentSize is the usual size of a segment in bytes; a greater frame gets a segment of its own size. What is mapped
	// counts as memory of the process, so segments are small.
	segmentSize = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mark is a place in the journal, and the checksum that a frame there continues from.
type mark struct {
	segment uint64
	offset  uint64
	sum     uint32
}

// segment is one file, and the memory that appends are copied to.
type segment struct {
	number   uint64
	mem      []byte
	file     segmentFile
	start    Position // position of its first byte
	buffered bool
}

// segmentFile is where a segment's bytes live. In mapped form they are the file's own, and survive the death of the
// process as soon as they are copied there. In buffered form they are memory that Sync writes to the file: with Always
// nothing is acknowledged before that, and a sync after a write costs about a third of one after a change to a map
// (0.27 against 0.77 ms on ext4), because no page has to be made clean and no time stamp goes through ext4's own journal.
type segmentFile interface {
	Bytes() []byte
	// Sync makes the bytes from..to durable.
	Sync(from, to int) error
	// Touch makes from..to ready for writes that do not wait, as far as that can be had.
	Touch(from, to int)
	Close() error
}

// segmentStore creates, opens and removes segments by number.
type segmentStore interface {
	// Create preallocates a segment of size bytes, all durable and zero at its header and first frame; its name is durable.
	// It begins with head, durably.
	Create(number uint64, size int, head []byte, buffered bool) (segmentFile, error)
	// Open gives errMissing where there is none.
	Open(number uint64) (segmentFile, error)
	// List gives the numbers of all segments, in order.
	List() ([]uint64, error)
	Remove(number uint64) error
	// Lose ends a segment at offset from, durably; from 0 it takes all of it away. What it had from there up to offset to is
	// kept under the name that it returns; "": there was nothing. Nobody has the segment open.
	Lose(number uint64, from, to int) (name string, err error)
}

// journal appends frames and syncs them. See the format above.
type journal struct {
	store segmentStore
	log   *slog.Logger
	size  int

	mu       sync.Mutex // short: appends copy under it
	cur      *segment
	off      int // next frame in cur
	sum      uint32
	end      atomic.Uint64 // Position after the last frame; written under mu
	old      []*segment    // full segments, some perhaps not synced; removed by release
	next     *segment      // prepared; nil while the preparer works
	growing  bool          // somebody makes a segment greater than that: nobody else goes on in another, or prepares one
	buffered bool          // form of the segments to come
	touched  int           // up to where cur's pages have been asked for
	ready    *sync.Cond    // next was set or prepErr changed; uses mu
	prepErr  error         // why there is no next segment

	syncMu  sync.Mutex // one sync at a time
	durable atomic.Uint64
	syncErr atomic.Pointer[error]
	syncs   atomic.Int64

	waitMu  sync.Mutex
	waiters []waiter // in order of position
	spare   []waiter
	ended   bool          // nobody serves any more; under waitMu
	wake    chan struct{} // syncer: there are waiters
	prepare chan struct{} // preparer: next was taken
	touch   chan pages    // toucher: memory that will be written soon

	stop chan struct{}
	done sync.WaitGroup
}

type waiter struct {
	pos Position
	w   Waiter
}

var errNoSegment = errors.New("journal: no room for the next segment")

// openJournal starts a fresh segment with the given number. Sum chains it to what was before.
func openJournal(store segmentStore, log *slog.Logger, size int, buffered bool, number uint64, sum uint32) (*journal, error) {
	return beginJournal(store, log, size, size, buffered, number, sum)
}

// scrapSize is that of a segment in which a journal begins for which there is no room: enough for what is noted though writes are
// refused.
const scrapSize = 16 << 10

// openScrap is openJournal where there is no room for a segment: it begins in a small one, with NoRoom until it has a next.
func openScrap(store segmentStore, log *slog.Logger, size int, buffered bool, number uint64, sum uint32) (*journal, error) {
	return beginJournal(store, log, scrapSize, size, buffered, number, sum)
}

// beginJournal starts a segment of first bytes; those that follow have size. The caller has all before durable.
func beginJournal(store segmentStore, log *slog.Logger, first, size int, buffered bool, number uint64, sum uint32) (*journal, error) {
	j := &journal{store: store, log: log, size: size, buffered: buffered, touch: make(chan pages, 1),
		wake: make(chan struct{}, 1), prepare: make(chan struct{}, 1), stop: make(chan struct{})}
	j.ready = sync.NewCond(&j.mu)
	if first < size {
		j.prepErr = errNoSegment
	}
	s, err := newSegment(store, number, first, buffered, pastDurable)
	if err != nil {
		return nil, err
	}
	j.enter(s, sum)
	j.prepare <- struct{}{}
	j.done.Add(2)
	go j.preparer()
	go j.toucher()
	return j, nil
}

// newSegment makes a segment, whose header is durable; past is what that notes of the segments before. The pages of its beginning
// are asked for here, the others as appends come near (askTouch).
func newSegment(store segmentStore, number uint64, size int, buffered bool, past string) (*segment, error) {
	h := make([]byte, segmentHeader)
	copy(h, journalMagic)
	binary.LittleEndian.PutUint32(h[8:], journalVersion)
	binary.LittleEndian.PutUint64(h[12:], number)
	binary.LittleEndian.PutUint32(h[20:], rand.Uint32())
	binary.LittleEndian.PutUint32(h[24:], crc32.Checksum(h[:24], castagnoli))
	copy(h[28:], past)
	f, err := store.Create(number, size, h, buffered)
	if err != nil {
		return nil, err
	}
	s := &segment{number: number, mem: f.Bytes(), file: f, buffered: buffered}
	f.Touch(0, min(touchAhead, len(s.mem)))
	return s, nil
}

// notePast notes that all segments before are durable.
func (s *segment) notePast() { copy(s.mem[28:segmentHeader], pastDurable) }

// enter makes s the current segment. Called under mu, or before anybody else knows the journal.
func (j *journal) enter(s *segment, sum uint32) {
	s.start = Position(j.end.Load())
	j.cur, j.off, j.touched = s, segmentHeader, min(touchAhead, len(s.mem))
	j.sum = crc32.Update(sum, castagnoli, s.mem[20:24])
	j.end.Add(segmentHeader)
}

// Append adds one frame. It fails only if there is no room, and then nothing was written.
func (j *journal) Append(body []byte) (Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(body)
}

// lockAside locks mu for an append of a caller that does little else: it stands aside for a while if another is at it, so that
// each has a long run of appends. At every change the cache lines of the journal and of the counter go from one processor to the
// other, which takes longer than an increment.
func (j *journal) lockAside() {
	if !j.mu.TryLock() {
		standAside()
		j.mu.Lock()
	}
}

// append is Append under mu, which it lets go of while it waits for the next segment.
func (j *journal) append(body []byte) (Position, error) {
	need := frameHeader + len(body)
	for j.off+need+frameHeader > len(j.cur.mem) { // always leave room for the end frame
		if err := j.rotate(need + frameHeader); err != nil {
			return 0, err
		}
	}
	j.put(uint32(len(body)), body)
	return Position(j.end.Load()), nil
}

// Reserve makes room for a frame whose body has need bytes, and says how many the body may have as long as nobody else
// appends. A frame greater than a segment gets one that is twice as large, for it may grow on.
func (j *journal) Reserve(need int) (room int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	const around = 2 * frameHeader // its own, and that of the end
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

func (j *journal) put(length uint32, body []byte) {
	f := j.cur.mem[j.off : j.off+frameHeader+len(body)]
	copy(f[frameHeader:], body)
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

// pages are a part of a segment.
type pages struct {
	of       *segment
	from, to int
}

// touchAhead is how far ahead of the appends pages are asked for, in bytes.
const touchAhead = 4 << 20

// askTouch has the next pages made writable in the background: a page fault at the first write to each costs more than
// all the rest of its frames, and would be taken under the lock.
func (j *journal) askTouch() {
	from := max(j.touched, j.off)
	to := min(j.off+touchAhead, len(j.cur.mem))
	if j.cur.buffered || from >= to {
		j.touched = len(j.cur.mem)
		return
	}
	select {
	case j.touch <- pages{j.cur, from, to}:
		j.touched = to
	default:
	}
}

func (j *journal) toucher() {
	defer j.done.Done()
	for {
		select {
		case <-j.stop:
			return
		case p := <-j.touch:
			j.touchNow(p)
		}
	}
}

// touchNow touches pages, unless their segment is gone.
func (j *journal) touchNow(p pages) {
	j.syncMu.Lock() // it cannot go meanwhile
	defer j.syncMu.Unlock()
	j.mu.Lock()
	here := p.of == j.cur || slices.Contains(j.old, p.of)
	j.mu.Unlock()
	if here {
		p.of.file.Touch(p.from, p.to)
	}
}

// rotate goes on in the next segment, which holds at least need bytes of frames. Called under mu, which it lets go of while it waits:
// if another goes on meanwhile it does nothing, and the caller looks again.
func (j *journal) rotate(need int) error {
	cur := j.cur
	for j.cur == cur && (j.growing || j.next == nil && j.prepErr == nil && !j.closing()) {
		j.ready.Wait()
	}
	switch {
	case j.cur != cur:
		return nil
	case j.next == nil:
		return errNoSegment
	}
	next := j.next
	j.next = nil
	if need > len(next.mem)-segmentHeader {
		var err error
		if next, err = j.grow(next, need+segmentHeader); err != nil {
			j.askNext()
			return err
		}
	}
	j.put(frameEnd, nil)
	j.old = append(j.old, j.cur)
	j.enter(next, j.sum)
	j.askNext()
	return nil
}

// grow gives a segment of size bytes in place of one that was prepared. That is rare: for a frame greater than a segment. Called
// under mu, which it lets go of: so much takes the file system its time, and what the current segment has left others use.
func (j *journal) grow(s *segment, size int) (*segment, error) {
	j.growing = true
	for {
		buffered := j.buffered
		j.mu.Unlock()
		j.discard(s)
		next, err := newSegment(j.store, s.number, size, buffered, "")
		j.mu.Lock()
		if err != nil || buffered == j.buffered {
			j.growing = false
			j.ready.Broadcast()
			return next, err
		}
		s = next
	}
}

// discard lets go of a segment that nobody has used. Its file is made anew under the same name.
func (j *journal) discard(s *segment) {
	if err := s.file.Close(); err != nil {
		j.log.Error("journal: close an unused segment", "err", err)
	}
}

// SetBuffered goes on in a segment of the given form, and syncs what the one before has. After an error the segment may still
// be of the other form.
func (j *journal) SetBuffered(b bool) error {
	j.mu.Lock()
	j.buffered = b
	if j.cur.buffered == b && (j.next == nil || j.next.buffered == b) {
		j.mu.Unlock()
		return nil
	}
	err := j.dropNext(!b)
	for err == nil && j.cur.buffered != b {
		err = j.rotate(0)
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	return j.Sync()
}

// dropNext lets go of the prepared segment if it is of the given form, and asks for another. Called under mu.
func (j *journal) dropNext(buffered bool) error {
	if j.next != nil && j.next.buffered != buffered {
		return nil
	}
	var err error
	if j.next != nil {
		err = j.next.file.Close()
		j.next = nil
	}
	j.askNext()
	return err
}

func (j *journal) closing() bool {
	select {
	case <-j.stop:
		return true
	default:
		return false
	}
}

func (j *journal) askNext() {
	select {
	case j.prepare <- struct{}{}:
	default:
	}
}

// preparer keeps one preallocated segment ahead, so that an append never waits for the file system. While there is no
// room it tries again every 100 ms.
func (j *journal) preparer() {
	defer j.done.Done()
	var retry <-chan time.Time
	for {
		select {
		case <-j.stop:
			return
		case <-j.prepare:
		case <-retry:
		}
		retry = nil
		j.mu.Lock()
		number, buffered, have := j.cur.number+1, j.buffered, j.next != nil || j.growing
		j.mu.Unlock()
		if have {
			continue
		}
		s, err := newSegment(j.store, number, j.size, buffered, "")
		j.mu.Lock()
		if err == nil && buffered != j.buffered {
			j.askNext()
			j.mu.Unlock()
			j.discard(s)
			continue
		}
		if err != nil && j.prepErr == nil {
			j.log.Error("journal: cannot prepare the next segment; writes are refused until that is over", "err", err)
		} else if err == nil && j.prepErr != nil {
			j.log.Info("journal: there is room again")
		}
		j.next, j.prepErr = s, err
		if err != nil {
			retry = time.After(100 * time.Millisecond)
		}
		j.ready.Broadcast()
		j.mu.Unlock()
	}
}

// NoRoom says why the next segment could not be prepared, or nil. What the current one has left is kept for commands in flight.
func (j *journal) NoRoom() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.prepErr
}

// bytes is how many bytes there are in the segments that are kept, and how many of them only in memory.
func (j *journal) bytes() (kept, buffered int64) {
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
func (j *journal) Mark() mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return mark{segment: j.cur.number, offset: uint64(j.off), sum: j.sum}
}

// Sync makes durable all that is appended. One sync serves everybody who waits.
func (j *journal) Sync() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if err := j.failed(); err != nil {
		return err
	}
	j.mu.Lock()
	end, cur, off := j.end.Load(), j.cur, j.off
	old := append([]*segment(nil), j.old...)
	j.mu.Unlock()
	done := j.durable.Load()
	if end == done {
		return nil
	}
	for _, s := range old {
		if to := uint64(s.start) + uint64(len(s.mem)); to > done {
			if err := s.file.Sync(syncFrom(s, done), len(s.mem)); err != nil {
				return j.fail(err)
			}
		}
	}
	from := syncFrom(cur, done)
	if from == 0 {
		cur.notePast()
	}
	if err := cur.file.Sync(from, off); err != nil {
		return j.fail(err)
	}
	j.syncs.Add(1)
	j.durable.Store(end)
	return nil
}

func syncFrom(s *segment, done uint64) int {
	if done <= uint64(s.start) {
		return 0
	}
	return min(int(done-uint64(s.start)), len(s.mem))
}

// fail keeps the first error: after a failed sync nobody knows what the disk has, so no later one may succeed.
func (j *journal) fail(err error) error {
	err = fmt.Errorf("journal sync: %w", err)
	j.syncErr.CompareAndSwap(nil, &err)
	return err
}

func (j *journal) failed() error {
	if p := j.syncErr.Load(); p != nil {
		return *p
	}
	return nil
}

// reached says, of a journal that syncs no more, why what lies before pos is not durable, or nil if it is.
func (j *journal) reached(pos Position) error {
	if uint64(pos) <= j.durable.Load() {
		return nil
	}
	return j.failed()
}

// Notify calls w once everything up to pos is synced, or cannot be. After Close, which has synced all there will ever be,
// it does so itself.
func (j *journal) Notify(pos Position, w Waiter) {
	j.waitMu.Lock()
	ended := j.ended
	if !ended {
		j.waiters = append(j.waiters, waiter{pos, w})
	}
	j.waitMu.Unlock()
	if ended {
		w.Durable(j.reached(pos))
		return
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// serve syncs and tells those who wait. Called by the syncer only.
func (j *journal) serve() {
	j.waitMu.Lock()
	list := j.waiters
	j.waiters, j.spare = j.spare[:0], nil
	j.waitMu.Unlock()
	for _, w := range list {
		var err error
		if uint64(w.pos) > j.durable.Load() {
			err = j.Sync()
		}
		w.w.Durable(err)
	}
	clear(list)
	j.spare = list[:0]
}

// Release removes the segments before m: all they say is in the database, synced.
func (j *journal) Release(m mark) error {
	j.syncMu.Lock() // a sync may be about to touch them
	defer j.syncMu.Unlock()
	return j.release(m)
}

// release is Release under syncMu.
func (j *journal) release(m mark) error {
	j.mu.Lock()
	var gone []*segment
	keep := j.old[:0]
	for _, s := range j.old {
		if s.number < m.segment {
			gone = append(gone, s)
		} else {
			keep = append(keep, s)
		}
	}
	clear(j.old[len(keep):])
	j.old = keep
	j.mu.Unlock()
	for _, s := range gone {
		if err := errors.Join(s.file.Close(), j.store.Remove(s.number)); err != nil {
			return fmt.Errorf("journal: release segment %d: %w", s.number, err)
		}
	}
	return nil
}

// Close stops the preparer and lets go of the files. The caller has stopped all appends.
func (j *journal) Close() error {
	j.mu.Lock()
	close(j.stop)
	j.ready.Broadcast()
	j.mu.Unlock()
	j.done.Wait()
	err := j.Sync()
	j.waitMu.Lock()
	j.ended = true
	j.waitMu.Unlock()
	j.serve()
	for _, s := range append(j.old, j.cur) {
		err = errors.Join(err, s.file.Close())
	}
	if j.next != nil {
		err = errors.Join(err, j.next.file.Close(), j.store.Remove(j.next.number))
	}
	return err
}

// prepared waits for the next segment, or until there is no room for one: it is made in the background, and what a copy of the segments
// has is not to depend on how far that is.
func (j *journal) prepared() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for (j.growing || j.next == nil && j.prepErr == nil) && !j.closing() {
		j.ready.Wait()
	}
}
