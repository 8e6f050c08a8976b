package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// unreliable is a store in memory whose disk may be full or fail to sync.
type unreliable struct {
	*Memory
	mu      sync.Mutex
	full    error
	syncErr error
}

type unreliableFile struct {
	File
	s *unreliable
}

func (s *unreliable) set(full, syncErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full, s.syncErr = full, syncErr
}

func (s *unreliable) Create(number uint64, size int, head []byte, buffered bool) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return nil, s.full
	}
	f, err := s.Memory.Create(number, size, head, buffered)
	return unreliableFile{f, s}, err
}

func (f unreliableFile) Sync(from, to int) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return errors.Join(f.s.syncErr, f.File.Sync(from, to))
}

// quiet is a logger for tests whose failures speak for themselves.
var quiet = slog.New(slog.DiscardHandler)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// prepared waits until the next segment is prepared, or there is no room for one.
func prepared(j *Journal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for (j.growing || j.next == nil && j.prepErr == nil) && !j.closing() {
		j.ready.Wait()
	}
}

// none makes out no records.
func none([]byte) (int, error) { return 0, nil }

func openTestJournal(t *testing.T, s Store, size int) *Journal {
	t.Helper()
	j, err := Create(s, Mark{Segment: 1}, Options{Size: size, Log: quiet})
	if err != nil {
		t.Fatalf("Create = %v", err)
	}
	return j
}

func appendBodies(t *testing.T, j *Journal, bodies [][]byte) {
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
func start(t *testing.T, s Store) Mark {
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

func replayed(s Store, m Mark) (list [][]byte, err error) {
	_, err = Replay(s, m, func(body []byte) error {
		list = append(list, slices.Clone(body))
		return nil
	})
	return list, err
}

// recovered is what a start replays; the error says why it would not.
func recovered(s Store, m Mark) (list [][]byte, end Mark, err error) {
	end, err = Replay(s, m, func(body []byte) error {
		list = append(list, slices.Clone(body))
		return nil
	})
	if err == nil {
		_, err = Losses(s, end, none)
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
	room := size - segmentHeader - 2*FrameHeader // for one body and the end frame
	for name, sizes := range map[string][]int{
		"one":     {1},
		"fits":    {room, room},
		"too big": {room + 1, room + 1},
		"larger":  {10, 5 * size, 10, 3 * size, 3 * size},
		"many":    slices.Repeat([]int{40}, 50),
	} {
		s := NewMemory()
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
		damage func(s *Memory)
		frames int // that are left
		err    error
	}{
		{"nothing", func(*Memory) {}, 20, nil},
		{"second segment missing", func(s *Memory) { delete(s.files, 2) }, 3, ErrDamaged},
		{"second header zero", func(s *Memory) { clear(s.files[2][:segmentHeader]) }, 3, ErrDamaged},
		{"second header damaged", func(s *Memory) { s.files[2][9] ^= 1 }, 3, ErrDamaged},
		{"second of another version", func(s *Memory) { otherVersion(s.files[2]) }, 3, other},
		{"marked of another version", func(s *Memory) { otherVersion(s.files[1]) }, 0, other},
		{"marked header zero", func(s *Memory) { clear(s.files[1][:segmentHeader]) }, 20, nil},
		{"marked header damaged", func(s *Memory) { s.files[1][9] ^= 1 }, 20, nil},
		{"marked missing", func(s *Memory) { delete(s.files, 1) }, 0, ErrDamaged},
		{"marked cut", func(s *Memory) { s.files[1] = s.files[1][:20] }, 0, ErrDamaged},
		{"old bytes behind the end frame", func(s *Memory) { s.files[3] = s.files[2] }, 6, ErrDamaged},
		{"bit of a length", func(s *Memory) { s.files[1][segmentHeader+FrameHeader+60] ^= 1 }, 1, ErrDamaged},
		{"high bit of a length", func(s *Memory) { s.files[7][segmentHeader+3] ^= 1 }, 18, ErrDamaged},
		{"bit of a body", func(s *Memory) { s.files[2][segmentHeader+FrameHeader] ^= 1 }, 3, ErrDamaged},
		{"bit of an end", func(s *Memory) { s.files[2][segmentHeader+3*(FrameHeader+60)] ^= 1 }, 6, ErrDamaged},
		{"bit of the last body", func(s *Memory) { s.files[7][segmentHeader+FrameHeader+60+FrameHeader] ^= 1 }, 19, nil},
		{"no room behind the last frame", func(s *Memory) { s.files[7] = s.files[7][:segmentHeader+2*(FrameHeader+60)] }, 20, nil},
		{"last frame cut", func(s *Memory) { s.files[7] = s.files[7][:segmentHeader+2*(FrameHeader+60)-1] }, 19, ErrDamaged},
		{"cut between frames", func(s *Memory) { s.files[2] = s.files[2][:segmentHeader+FrameHeader+60] }, 4, ErrDamaged},
	} {
		s := NewMemory()
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
	binary.LittleEndian.PutUint32(mem[8:], formatVersion+1)
	binary.LittleEndian.PutUint32(mem[24:], crc32.Checksum(mem[:24], castagnoli))
}

// journalOf is a journal of three segments, and what it holds.
func journalOf(tb testing.TB) (*Memory, [][]byte) {
	s := NewMemory()
	j, err := Create(s, Mark{Segment: 1}, Options{Size: 512, Log: quiet})
	if err != nil {
		tb.Fatalf("Create = %v", err)
	}
	var want [][]byte
	for i := range 30 {
		body := fmt.Appendf(nil, "record %d", i)
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
		if err != nil && !errors.Is(err, ErrDamaged) { // another version
			return
		}
		lost, err := Losses(c, end, none)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("Losses = %v", err)
		}
		if err := (&Survey{End: end, Lost: lost}).Repair(c, quiet); err != nil {
			t.Fatalf("Repair = %v", err)
		}
		if again, _, err := recovered(c, m); err != nil || !slices.EqualFunc(again, got, bytes.Equal) {
			t.Fatalf("after a repair: replay = %d frames, %v; want %d", len(again), err, len(got))
		}
	})
}

// closable is a store of segments in memory that tell whether they are touched after they were closed.
type closable struct{ *Memory }

type closableFile struct {
	memoryFile
	closed, late atomic.Bool
}

func (s closable) Create(number uint64, size int, head []byte, buffered bool) (File, error) {
	f, err := s.Memory.Create(number, size, head, buffered)
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
	j := openTestJournal(t, closable{NewMemory()}, 2*touchAhead)
	first := j.cur.file.(*closableFile)
	j.syncMu.Lock()
	body := make([]byte, touchAhead/4)
	for j.touched == touchAhead { // until more is asked for
		appendBodies(t, j, [][]byte{body})
	}
	for len(j.touch) > 0 { // until the toucher has taken it
		runtime.Gosched()
	}
	for j.Mark().Segment == 1 {
		appendBodies(t, j, [][]byte{body})
	}
	must(t, j.release(j.Mark()))
	j.syncMu.Unlock()
	must(t, j.Close())
	if !first.closed.Load() || first.late.Load() {
		t.Errorf("the first segment: closed %t, then touched %t; want closed, and not touched", first.closed.Load(), first.late.Load())
	}
	if last := j.cur.file.(*closableFile); last.late.Load() {
		t.Error("the last segment was touched after it was closed")
	}
}

// Who waits for the next segment does not wait for room on the disk.
func TestJournalPreparedWithoutRoom(t *testing.T) {
	s := &unreliable{Memory: NewMemory()}
	j := openTestJournal(t, s, 256)
	prepared(j)
	s.set(syscall.ENOSPC, nil)
	for j.Mark().Segment == 1 {
		appendBodies(t, j, bodies(40))
	}
	prepared(j)
	if j.NoRoom() == nil {
		t.Error("NoRoom = nil on a full disk")
	}
	must(t, j.Close())
}

// gated is a store in memory that makes segments of more than the usual size only when told to.
type gated struct {
	*Memory
	size        int
	asked, gate chan struct{}
}

func (s gated) Create(number uint64, size int, head []byte, buffered bool) (File, error) {
	if size > s.size {
		s.asked <- struct{}{}
		<-s.gate
	}
	return s.Memory.Create(number, size, head, buffered)
}

// While a segment is made for a frame that fits in none, others append to the one that there is. If the form of segments changes
// meanwhile, another is made.
func TestJournalAppendsWhileASegmentIsMade(t *testing.T) {
	const size = 512
	for name, change := range map[string]bool{"same form": false, "other form": true} {
		s := gated{NewMemory(), size, make(chan struct{}), make(chan struct{})}
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
			must(t, j.SetBuffered(false)) // as it is
			j.mu.Lock()
			j.buffered = true // as SetBuffered does, which goes on to wait then
			j.mu.Unlock()
			s.gate <- struct{}{}
			<-s.asked
		}
		s.gate <- struct{}{}
		must(t, <-errs)
		if j.cur.buffered != change {
			t.Errorf("%s: the segment is buffered: %t", name, j.cur.buffered)
		}
		appendBodies(t, j, [][]byte{late, late})
		want = append(want, late, late)
		must(t, j.Close())
		if got, err := replayed(s, start(t, s)); err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: replayed %d frames, %v; want %d", name, len(got), err, len(want))
		}
	}
}

// Who finds the current segment full meanwhile goes on in that which was made.
func TestJournalFullWhileASegmentIsMade(t *testing.T) {
	const size = 256
	s := gated{NewMemory(), size, make(chan struct{}), make(chan struct{})}
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
	must(t, <-errs)
	must(t, <-full)
	if at := j.Mark().Segment; at != 2 {
		t.Errorf("the journal is at segment %d; want 2", at)
	}
	must(t, j.Close())
}

func (m *Memory) clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMemory()
	for n, f := range m.files {
		c.files[n] = slices.Clone(f)
	}
	return c
}
