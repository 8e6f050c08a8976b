package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"atomiccounter/tlv"
)

// unreliable is a store in memory whose disk may be full or fail to sync.
type unreliable struct {
	*memorySegments
	mu      sync.Mutex
	full    error
	syncErr error
}

type unreliableFile struct {
	segmentFile
	s *unreliable
}

func (s *unreliable) set(full, syncErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full, s.syncErr = full, syncErr
}

func (s *unreliable) Create(number uint64, size int, head []byte, buffered bool) (segmentFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return nil, s.full
	}
	f, err := s.memorySegments.Create(number, size, head, buffered)
	return unreliableFile{f, s}, err
}

func (f unreliableFile) Sync(from, to int) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return errors.Join(f.s.syncErr, f.segmentFile.Sync(from, to))
}

func openTestJournal(t *testing.T, s segmentStore, size int) *journal {
	t.Helper()
	j, err := openJournal(s, quiet, size, false, 1, 0)
	if err != nil {
		t.Fatalf("openJournal = %v", err)
	}
	return j
}

func appendBodies(t *testing.T, j *journal, bodies [][]byte) {
	t.Helper()
	last := Position(0)
	for _, b := range bodies {
		pos, err := j.Append(b)
		if err != nil || pos <= last {
			t.Fatalf("Append(%d bytes) = %d, %v; want more than %d", len(b), pos, err, last)
		}
		last = pos
	}
}

// start is the mark of the first frame.
func start(t *testing.T, s segmentStore) mark {
	t.Helper()
	f, err := s.Open(1)
	if err != nil {
		t.Fatalf("Open(1) = %v", err)
	}
	m, err := checkHeader(f.Bytes(), 1, 0)
	if err != nil {
		t.Fatalf("checkHeader = %v", err)
	}
	return m
}

func replayed(s segmentStore, m mark) (list [][]byte, err error) {
	_, err = replay(s, m, func(body []byte) error {
		list = append(list, slices.Clone(body))
		return nil
	})
	return list, err
}

// recovered is what a start replays; the error says why it would not.
func recovered(s segmentStore, m mark) (list [][]byte, end mark, err error) {
	end, err = replay(s, m, func(body []byte) error {
		list = append(list, slices.Clone(body))
		return nil
	})
	if err == nil {
		_, err = losses(s, end)
	}
	return list, end, err
}

func bodies(sizes ...int) (list [][]byte) {
	for i, n := range sizes {
		list = append(list, bytes.Repeat([]byte{byte(i + 1)}, n))
	}
	return list
}

// TestJournalRotation writes frames over segments, among them ones that just fit, that just do not, and that are larger
// than a segment.
func TestJournalRotation(t *testing.T) {
	const size = 256
	room := size - segmentHeader - 2*frameHeader // for one body and the end frame
	for name, sizes := range map[string][]int{
		"one":     {1},
		"fits":    {room, room},
		"too big": {room + 1, room + 1},
		"larger":  {10, 5 * size, 10, 3 * size, 3 * size},
		"many":    slices.Repeat([]int{40}, 50),
	} {
		s := newMemorySegments()
		j := openTestJournal(t, s, size)
		want := bodies(sizes...)
		appendBodies(t, j, want)
		end := j.Mark()
		if err := j.Close(); err != nil {
			t.Fatalf("%s: Close = %v", name, err)
		}
		got, err := replayed(s, start(t, s))
		if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: replay = %d frames, %v; want %d", name, len(got), err, len(want))
		}
		if left, err := replayed(s, end); len(left) > 0 || err != nil {
			t.Errorf("%s: replay from the end = %d frames, %v; want none", name, len(left), err)
		}
	}
}

// TestJournalDamage: what is damaged ends the chain; that is an error if it can be told from a loss of power.
func TestJournalDamage(t *testing.T) {
	want := bodies(slices.Repeat([]int{60}, 20)...)
	other := errors.New("another version")
	for _, c := range []struct {
		name   string
		damage func(s *memorySegments)
		frames int // that are left
		err    error
	}{
		{"nothing", func(*memorySegments) {}, 20, nil},
		{"second segment missing", func(s *memorySegments) { delete(s.files, 2) }, 3, ErrDamaged},
		{"second header zero", func(s *memorySegments) { clear(s.files[2][:segmentHeader]) }, 3, ErrDamaged},
		{"second header damaged", func(s *memorySegments) { s.files[2][9] ^= 1 }, 3, ErrDamaged},
		{"second of another version", func(s *memorySegments) { otherVersion(s.files[2]) }, 3, other},
		{"marked of another version", func(s *memorySegments) { otherVersion(s.files[1]) }, 0, other},
		{"marked header zero", func(s *memorySegments) { clear(s.files[1][:segmentHeader]) }, 20, nil},
		{"marked header damaged", func(s *memorySegments) { s.files[1][9] ^= 1 }, 20, nil},
		{"marked missing", func(s *memorySegments) { delete(s.files, 1) }, 0, ErrDamaged},
		{"marked cut", func(s *memorySegments) { s.files[1] = s.files[1][:20] }, 0, ErrDamaged},
		{"old bytes behind the end frame", func(s *memorySegments) { s.files[3] = s.files[2] }, 6, ErrDamaged},
		{"bit of a length", func(s *memorySegments) { s.files[1][segmentHeader+frameHeader+60] ^= 1 }, 1, ErrDamaged},
		{"high bit of a length", func(s *memorySegments) { s.files[7][segmentHeader+3] ^= 1 }, 18, ErrDamaged},
		{"bit of a body", func(s *memorySegments) { s.files[2][segmentHeader+frameHeader] ^= 1 }, 3, ErrDamaged},
		{"bit of an end", func(s *memorySegments) { s.files[2][segmentHeader+3*(frameHeader+60)] ^= 1 }, 6, ErrDamaged},
		{"bit of the last body", func(s *memorySegments) { s.files[7][segmentHeader+frameHeader+60+frameHeader] ^= 1 }, 19, nil},
		{"no room behind the last frame", func(s *memorySegments) { s.files[7] = s.files[7][:segmentHeader+2*(frameHeader+60)] }, 20, nil},
		{"last frame cut", func(s *memorySegments) { s.files[7] = s.files[7][:segmentHeader+2*(frameHeader+60)-1] }, 19, ErrDamaged},
		{"cut between frames", func(s *memorySegments) { s.files[2] = s.files[2][:segmentHeader+frameHeader+60] }, 4, ErrDamaged},
	} {
		s := newMemorySegments()
		j := openTestJournal(t, s, 256)
		appendBodies(t, j, want)
		if err := j.Close(); err != nil {
			t.Fatalf("Close = %v", err)
		}
		m := start(t, s)
		c.damage(s)
		got, _, err := recovered(s, m)
		if len(got) != c.frames || !slices.EqualFunc(got, want[:len(got)], bytes.Equal) ||
			(err != nil) != (c.err != nil) || errors.Is(err, ErrDamaged) != (c.err == ErrDamaged) {
			t.Errorf("%s: replay = %d frames, %v; want %d, %v", c.name, len(got), err, c.frames, c.err)
		}
	}
}

func otherVersion(mem []byte) {
	binary.LittleEndian.PutUint32(mem[8:], journalVersion+1)
	binary.LittleEndian.PutUint32(mem[24:], crc32.Checksum(mem[:24], castagnoli))
}

// withoutNext opens a store on segments of which no more can be made, for the given reason, and has the journal find out.
func withoutNext(t *testing.T, full error) (*Engine, *unreliable) {
	t.Helper()
	o := disk()
	s := &unreliable{memorySegments: newMemorySegments()}
	o.segments = s
	e := open(t, o)
	prepared(e)
	s.set(full, nil)
	for n := e.journal.Mark(); e.journal.Mark().segment == n.segment; {
		increment(t, e, "k", 1)
	}
	for e.journal.NoRoom() == nil {
		prepared(e)
	}
	return e, s
}

// TestJournalFullDisk: without a next segment new writes are refused while what is left is kept for those in flight, and
// they go on when there is room.
func TestJournalFullDisk(t *testing.T) {
	e, s := withoutNext(t, syscall.ENOSPC)
	p := e.NewPipeline()
	if _, err := p.Incr([]byte("k"), 1); err != nil {
		t.Fatalf("Incr = %v", err)
	}
	e.checkSpace()
	if _, err := p.Incr([]byte("k"), 1); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Incr without room = %v; want %v", err, ErrNoSpace)
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit of a command in flight = %v", err)
	}
	if _, err := e.Counter("k").Get(t.Context()); err != nil {
		t.Errorf("Get without room = %v", err)
	}
	s.set(nil, nil)
	roomAgain(e)
	e.checkSpace()
	increment(t, e, "k", 1)
}

// TestSyncModeOnFullDisk: where a change of the mode needs a segment that there is no room for, it fails as often as it is asked
// for. Without Always nothing may be acknowledged while it is only in the buffer of the process.
func TestSyncModeOnFullDisk(t *testing.T) {
	o := disk()
	s := &unreliable{memorySegments: newMemorySegments()}
	o.segments, o.Sync = s, Always
	e := open(t, o)
	prepared(e)
	s.set(syscall.ENOSPC, nil)
	for range 3 {
		if err := e.SetSync(EverySec); !errors.Is(err, errNoSegment) || e.Sync() != Always {
			t.Errorf("SetSync without room = %v, the mode is %d; want %v, %d", err, e.Sync(), errNoSegment, Always)
		}
	}
	s.set(nil, nil)
	roomAgain(e)
	if err := e.SetSync(EverySec); err != nil || e.Sync() != EverySec || e.journal.cur.buffered {
		t.Errorf("SetSync = %v, the mode is %d, buffered %t; want %d, not buffered", err, e.Sync(), e.journal.cur.buffered, EverySec)
	}
}

// TestJournalSyncFails: who waits is told, the engine takes no writes any more, and reads go on.
func TestJournalSyncFails(t *testing.T) {
	o := disk()
	s := &unreliable{memorySegments: newMemorySegments()}
	o.segments, o.Sync, o.Logger = s, Always, quiet
	e, err := Open("store", o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	increment(t, e, "k", 1)
	s.set(nil, syscall.EIO)
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, syscall.EIO) {
		t.Errorf("Increment = %v; want %v", err, syscall.EIO)
	}
	s.set(nil, nil)                                // a sync that works now proves nothing
	for e.health.refuse.Load()&refuseFailed == 0 { // a moment after Failed says so
		w := make(waitChan, 1)
		e.Notify(e.Durable()+1, w)
		if err := <-w; !errors.Is(err, syscall.EIO) {
			t.Fatalf("waiter was told %v; want %v", err, syscall.EIO)
		}
	}
	if _, err := e.Counter("k").Increment(t.Context(), 1); !errors.Is(err, ErrFailed) {
		t.Errorf("Increment after a failed sync = %v; want %v", err, ErrFailed)
	}
	p := e.NewPipeline()
	if v, _, err := p.Get([]byte("k")); v < 1 || err != nil {
		t.Errorf("Get after a failed sync = %d, %v; want 1 or more", v, err)
	}
	if _, err := p.Commit(); err != nil {
		t.Errorf("Commit = %v", err)
	}
	if err := e.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close = %v; want %v", err, syscall.EIO)
	}
}

// journalOf is a journal of three segments, and what it holds.
func journalOf(tb testing.TB) (*memorySegments, [][]byte) {
	s := newMemorySegments()
	j, err := openJournal(s, quiet, 512, false, 1, 0)
	if err != nil {
		tb.Fatalf("openJournal = %v", err)
	}
	var want [][]byte
	for i := range 30 {
		body := appendAdd(nil, fmt.Sprintf("\x00key%d", i), int64(i), tlv.Stamp(i), tlv.ZCounter, false)
		want = append(want, body)
		if _, err := j.Append(body); err != nil {
			tb.Fatalf("Append = %v", err)
		}
	}
	if err := j.Close(); err != nil {
		tb.Fatalf("Close = %v", err)
	}
	return s, want
}

// FuzzJournalRecovery changes a journal that is durable: nothing that was not written comes out, always a prefix, and but for what the last
// segment has only with an error. Once what does not verify is dropped, and kept, the same prefix comes out.
func FuzzJournalRecovery(f *testing.F) {
	s, want := journalOf(f)
	file, err := s.Open(1)
	if err != nil {
		f.Fatalf("Open = %v", err)
	}
	m, err := checkHeader(file.Bytes(), 1, 0)
	if err != nil {
		f.Fatalf("checkHeader = %v", err)
	}
	before := s.clone()
	delete(before.files, uint64(len(s.files)))
	all, _, _ := recovered(before, m)
	safe := len(all) // frames before the last segment
	f.Add(uint8(0), uint16(40), []byte("\xff"))
	f.Add(uint8(1), uint16(0), []byte("ACjournl"))
	f.Add(uint8(2), uint16(32), make([]byte, 100))
	f.Add(uint8(2), uint16(30), []byte("\xff"))
	f.Add(uint8(1), uint16(39), []byte("\xff"))
	f.Fuzz(func(t *testing.T, segment uint8, at uint16, patch []byte) {
		c := s.clone()
		mem := c.files[uint64(segment)%uint64(len(c.files))+1]
		copy(mem[int(at)%len(mem):], patch)
		got, end, err := recovered(c, m)
		if len(got) > len(want) || !slices.EqualFunc(got, want[:len(got)], bytes.Equal) {
			t.Fatalf("replay = %q; want a prefix of %q", got, want)
		}
		if len(got) < safe && err == nil {
			t.Fatalf("replay = %d frames; want an error, or at least %d", len(got), safe)
		}
		for _, body := range got {
			if _, _, err := parseRecord(body); err != nil {
				t.Fatalf("parseRecord(%q) = %v", body, err)
			}
		}
		if err != nil && !errors.Is(err, ErrDamaged) { // another version
			return
		}
		e := &Engine{segments: c, log: quiet}
		lost, err := losses(c, end)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("losses = %v", err)
		}
		if err := e.repairJournal(survey{end: end, lost: lost}); err != nil {
			t.Fatalf("repairJournal = %v", err)
		}
		if again, _, err := recovered(c, m); err != nil || !slices.EqualFunc(again, got, bytes.Equal) {
			t.Fatalf("after a repair: replay = %d frames, %v; want %d", len(again), err, len(got))
		}
	})
}

// FuzzRecord: whatever the bytes, no panic; what is accepted is a whole record.
func FuzzRecord(f *testing.F) {
	f.Add(appendAdd(nil, "\x00k", -5, 7, tlv.Natural, true))
	f.Add(appendAssign(nil, "\x0fk", 5, 7, 3, tlv.ZCounter))
	f.Add(appendText(nil, "\x0fk", "hello", 7, 6))
	f.Add(appendText(nil, "\x00k", string(make([]byte, 300)), 7, 0))
	f.Add(appendExpire(nil, "\x00k", tlv.Expiry{Stamp: 7, At: 1000}, 8, false))
	f.Add(appendCancel(nil, "\x00k", true, []tlv.Reset{{Replica: 1, Rev: 2}}, tlv.Expiry{Stamp: 7, At: 1000}))
	f.Add(appendFlush(nil, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, rest, err := parseRecord(data)
		if err == nil && (len(r.key) == 0 && r.typ != 'B' && r.typ != 'L' || len(rest) >= len(data)) {
			t.Fatalf("parseRecord(%x) = %+v, %d bytes left", data, r, len(rest))
		}
	})
}

// closable is a store of segments in memory that tell whether they are touched after they were closed.
type closable struct{ *memorySegments }

type closableFile struct {
	memoryFile
	closed, late atomic.Bool
}

func (s closable) Create(number uint64, size int, head []byte, buffered bool) (segmentFile, error) {
	f, err := s.memorySegments.Create(number, size, head, buffered)
	return &closableFile{memoryFile: f.(memoryFile)}, err
}

func (f *closableFile) Touch(int, int) {
	f.late.Store(f.late.Load() || f.closed.Load())
}

func (f *closableFile) Close() error {
	f.closed.Store(true)
	return nil
}

// Pages that were asked for are not touched any more once their segment is released, which unmaps them.
func TestJournalTouchesNothingThatIsGone(t *testing.T) {
	j := openTestJournal(t, closable{newMemorySegments()}, 2*touchAhead)
	first := j.cur.file.(*closableFile)
	j.syncMu.Lock()
	body := make([]byte, touchAhead/4)
	for j.touched == touchAhead { // until more is asked for
		appendBodies(t, j, [][]byte{body})
	}
	for len(j.touch) > 0 { // until the toucher has taken it
		runtime.Gosched()
	}
	for j.Mark().segment == 1 {
		appendBodies(t, j, [][]byte{body})
	}
	must(t, nil, j.release(j.Mark()))
	j.syncMu.Unlock()
	must(t, nil, j.Close())
	if !first.closed.Load() || first.late.Load() {
		t.Errorf("the first segment: closed %t, then touched %t; want closed, and not touched", first.closed.Load(), first.late.Load())
	}
	if last := j.cur.file.(*closableFile); last.late.Load() {
		t.Error("the last segment was touched after it was closed")
	}
}

// Who waits for the next segment does not wait for room on the disk.
func TestJournalPreparedWithoutRoom(t *testing.T) {
	s := &unreliable{memorySegments: newMemorySegments()}
	j := openTestJournal(t, s, 256)
	j.prepared()
	s.set(syscall.ENOSPC, nil)
	for j.Mark().segment == 1 {
		appendBodies(t, j, bodies(40))
	}
	j.prepared()
	if j.NoRoom() == nil {
		t.Error("NoRoom = nil on a full disk")
	}
	must(t, nil, j.Close())
}

// gated is a store in memory that makes segments of more than the usual size only when told to.
type gated struct {
	*memorySegments
	size        int
	asked, gate chan struct{}
}

func (s gated) Create(number uint64, size int, head []byte, buffered bool) (segmentFile, error) {
	if size > s.size {
		s.asked <- struct{}{}
		<-s.gate
	}
	return s.memorySegments.Create(number, size, head, buffered)
}

// While a segment is made for a frame that fits in none, others append to the one that there is. If the form of segments changes
// meanwhile, another is made.
func TestJournalAppendsWhileASegmentIsMade(t *testing.T) {
	const size = 512
	for name, change := range map[string]bool{"same form": false, "other form": true} {
		s := gated{newMemorySegments(), size, make(chan struct{}), make(chan struct{})}
		j := openTestJournal(t, s, size)
		big, small, late := bodies(5 * size)[0], []byte("small"), bytes.Repeat([]byte("late"), size/5)
		errs := make(chan error, 2)
		go func() {
			_, err := j.Append(big)
			errs <- err
		}()
		<-s.asked
		appendBodies(t, j, [][]byte{small, small})
		want := [][]byte{small, small, big}
		if change {
			must(t, nil, j.SetBuffered(false)) // as it is
			j.mu.Lock()
			j.buffered = true // as SetBuffered does, which goes on to wait then
			j.mu.Unlock()
			s.gate <- struct{}{}
			<-s.asked
		}
		s.gate <- struct{}{}
		must(t, nil, <-errs)
		if j.cur.buffered != change {
			t.Errorf("%s: the segment is buffered: %t", name, j.cur.buffered)
		}
		appendBodies(t, j, [][]byte{late, late})
		want = append(want, late, late)
		must(t, nil, j.Close())
		if got, err := replayed(s, start(t, s)); err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: replayed %d frames, %v; want %d", name, len(got), err, len(want))
		}
	}
}

// Who finds the current segment full meanwhile goes on in that which was made.
func TestJournalFullWhileASegmentIsMade(t *testing.T) {
	const size = 256
	s := gated{newMemorySegments(), size, make(chan struct{}), make(chan struct{})}
	j := openTestJournal(t, s, size)
	errs := make(chan error)
	go func() {
		_, err := j.Reserve(5 * size) // and twice as much
		errs <- err
	}()
	<-s.asked
	full := make(chan error)
	go func() {
		_, err := j.Append(bodies(size - 100)[0])
		if err == nil {
			_, err = j.Append(bodies(100)[0])
		}
		full <- err
	}()
	s.gate <- struct{}{}
	must(t, nil, <-errs)
	must(t, nil, <-full)
	if at := j.Mark().segment; at != 2 {
		t.Errorf("the journal is at segment %d; want 2", at)
	}
	must(t, nil, j.Close())
}

// TestRecordsWithoutSince: a journal of the release before, in which a SET did not say since when its field had been there.
func TestRecordsWithoutSince(t *testing.T) {
	for name, data := range map[string][]byte{
		"V": appendNumbers(nil, 'V', "\x0fk", tlv.Zigzag(5), 7, 0),
		"T": tlv.Append(nil, 'T', append(append(tlv.Append(nil, 'K', []byte("\x0fk")), tlv.Append(nil, 'X', []byte("hi"))...), tlv.AppendTinyZip(nil, 7)...)),
	} {
		if r, rest, err := parseRecord(data); err != nil || len(rest) > 0 || r.stamp != 7 || r.since != 0 || r.n+int64(len(r.text)) == 0 {
			t.Errorf("%s: parseRecord = %+v, %q, %v", name, r, rest, err)
		}
	}
}
