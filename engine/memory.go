package engine

import (
	"fmt"
	"slices"
	"sync"
)

// memorySegments keeps a journal in memory, for Options.InMemory.
type memorySegments struct {
	mu    sync.Mutex
	files map[uint64]memoryFile
	lost  [][]byte // what was kept by Lose
}

type memoryFile []byte

func newMemorySegments() *memorySegments {
	return &memorySegments{files: make(map[uint64]memoryFile)}
}

func (m *memorySegments) Create(number uint64, size int, head []byte, _ bool) (segmentFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := make(memoryFile, size)
	copy(f, head)
	m.files[number] = f
	return f, nil
}

func (m *memorySegments) Open(number uint64) (segmentFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.files[number]; ok {
		return f, nil
	}
	return nil, errMissing
}

func (m *memorySegments) List() (list []uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.files {
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}

func (m *memorySegments) Remove(number uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, number)
	return nil
}

func (m *memorySegments) Lose(number uint64, from, to int) (name string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[number]
	if from < to {
		m.lost = append(m.lost, slices.Clone(f[from:to]))
		name = fmt.Sprintf("lost %d", len(m.lost))
	}
	if m.files[number] = f[:from:from]; from == 0 {
		delete(m.files, number)
	}
	return name, nil
}

func (f memoryFile) Bytes() []byte     { return f }
func (memoryFile) Sync(_, _ int) error { return nil }
func (memoryFile) Touch(_, _ int)      {}
func (memoryFile) Close() error        { return nil }
