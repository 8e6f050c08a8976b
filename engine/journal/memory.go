package journal

import (
	"fmt"
	"slices"
	"sync"
)

// Memory keeps a journal in memory, for Options.InMemory.
type Memory struct {
	mu    sync.Mutex
	files map[uint64]memoryFile
	lost  [][]byte // what was kept by Lose
}

type memoryFile []byte

func NewMemory() *Memory {
	return &Memory{files: make(map[uint64]memoryFile)}
}

func (m *Memory) Create(number uint64, size int, head []byte, _ bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := make(memoryFile, size)
	copy(f, head)
	m.files[number] = f
	return f, nil
}

func (m *Memory) Open(number uint64) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.files[number]; ok {
		return f, nil
	}
	return nil, ErrMissing
}

func (m *Memory) List() (list []uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.files {
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}

func (m *Memory) Remove(number uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, number)
	return nil
}

func (m *Memory) Lose(number uint64, from, to int) (name string, err error) {
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
