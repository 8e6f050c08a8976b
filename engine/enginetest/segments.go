package enginetest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"atomiccounter/engine/journal"
)

// PageSize is how much a mapped file writes at once, in bytes.
const PageSize = 4096

const sectorSize = 512

// Segments keep a journal as a disk does that loses power: a page that changed since its last sync may be the old one,
// the new one, or a mixture of sectors. They may also be told to fail.
type Segments struct {
	mu    sync.Mutex
	files map[uint64]*segment
	room  int   // segments that may be created; negative: any number
	most  int   // bytes that a segment may have
	full  error // of Create
	sync  error // of File.Sync
}

type segment struct {
	of       *Segments
	mu       sync.Mutex
	mem      []byte // what the process sees
	synced   []byte
	buffered bool
}

// NewSegments gives an empty journal.
func NewSegments() *Segments {
	return &Segments{files: map[uint64]*segment{}, room: -1, most: math.MaxInt}
}

// Limit has only n more segments created; negative: any number.
func (s *Segments) Limit(n int) { s.set(func() { s.room = n }) }

// Most bounds the size of segments to come, in bytes.
func (s *Segments) Most(size int) { s.set(func() { s.most = size }) }

// Fail has all attempts to create a segment end with full, and all syncs with sync; nil: as usual.
func (s *Segments) Fail(full, sync error) { s.set(func() { s.full, s.sync = full, sync }) }

func (s *Segments) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Mem is what the process sees of a segment.
func (s *Segments) Mem(number uint64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[number].mem
}

func (s *Segments) Create(number uint64, size int, head []byte, buffered bool) (journal.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.full != nil:
		return nil, s.full
	case s.room == 0 || size > s.most:
		return nil, syscall.ENOSPC
	}
	s.room--
	f := &segment{of: s, mem: make([]byte, size), synced: make([]byte, size), buffered: buffered}
	copy(f.mem, head) // before a loss of power sees it
	copy(f.synced, head)
	s.files[number] = f
	return f, nil
}

func (s *Segments) Open(number uint64) (journal.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.files[number]; ok {
		return f, nil
	}
	return nil, journal.ErrMissing
}

func (s *Segments) List() (list []uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.files {
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}

func (s *Segments) Remove(number uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, number)
	return nil
}

// Lose keeps nothing aside.
func (s *Segments) Lose(number uint64, from, to int) (name string, err error) {
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

func (p *segment) Bytes() []byte  { return p.mem }
func (p *segment) Close() error   { return nil }
func (p *segment) Touch(int, int) {}

func (p *segment) Sync(from, to int) error {
	p.of.mu.Lock()
	err := p.of.sync
	p.of.mu.Unlock()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	copy(p.synced[from:to], p.mem[from:to])
	return nil
}

// PowerLoss is what is left after a loss of power. There is no append meanwhile.
func (s *Segments) PowerLoss(rng *rand.Rand) *Segments {
	return s.each(func(p *segment) segment { return p.lose(rng) })
}

// Clone is what the process sees, all of it synced. There is no append meanwhile.
func (s *Segments) Clone() *Segments {
	return s.each(func(p *segment) segment { return segment{mem: slices.Clone(p.mem), synced: slices.Clone(p.mem)} })
}

// Kill is what the next process sees after kill -9: what was not synced a loss of power may still take. There is no append meanwhile.
func (s *Segments) Kill() *Segments {
	return s.each(func(p *segment) segment { return segment{mem: slices.Clone(p.mem), synced: slices.Clone(p.synced)} })
}

func (s *Segments) each(f func(*segment) segment) *Segments {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := NewSegments()
	numbers := make([]uint64, 0, len(s.files))
	for n := range s.files {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers) // a seed decides all
	for _, n := range numbers {
		c := f(s.files[n])
		c.of, c.buffered = left, s.files[n].buffered
		left.files[n] = &c
	}
	return left
}

func (p *segment) lose(rng *rand.Rand) segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := slices.Clone(p.synced)
	for at := 0; at < len(kept) && !p.buffered; at += PageSize {
		end := min(at+PageSize, len(kept))
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
	return segment{mem: slices.Clone(kept), synced: kept}
}
