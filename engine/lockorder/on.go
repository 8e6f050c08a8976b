//go:build lockorder

package lockorder

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Lock is what is known of a lock.
type Lock struct {
	owner any
	place int
	key   string
}

func (l *Lock) known() *Lock { return l }

func (l *Lock) String() string { return fmt.Sprintf("place %d, key %q of %p", l.place, l.key, l.owner) }

// held are the locks that each goroutine has.
var held = struct {
	sync.Mutex
	of map[uintptr][]*Lock
}{of: map[uintptr][]*Lock{}}

// goroutine is where the runtime keeps the present one. To ask runtime.Stack for its number would take most of the tests' time.
func goroutine() uintptr

func Place(lock, owner any, place int, key string) {
	*lock.(interface{ known() *Lock }).known() = Lock{owner, place, key}
}

func MayWait(lock any) {
	l := lock.(interface{ known() *Lock }).known()
	held.Lock()
	defer held.Unlock()
	for _, h := range held.of[goroutine()] {
		if !h.before(l) {
			panic(fmt.Sprintf("lock order: a goroutine that has %v may not wait for %v", h, l))
		}
	}
}

// before says whether a goroutine that has h may wait for l.
func (h *Lock) before(l *Lock) bool {
	switch {
	case h.place == leaf:
		return false
	case l.place == leaf || h.owner != l.owner:
		return true
	case h.place == l.place:
		return strings.Compare(h.key, l.key) < 0
	}
	return h.place < l.place
}

func Taken(l *Lock) {
	held.Lock()
	defer held.Unlock()
	g := goroutine()
	held.of[g] = append(held.of[g], l)
}

func Freed(l *Lock) {
	held.Lock()
	defer held.Unlock()
	if dropped(goroutine(), l) {
		return
	}
	for g := range held.of {
		if dropped(g, l) {
			return
		}
	}
}

func dropped(g uintptr, l *Lock) bool {
	i := slices.Index(held.of[g], l)
	if i < 0 {
		return false
	}
	held.of[g] = slices.Delete(held.of[g], i, i+1)
	return true
}

type Mutex struct {
	order Lock
	mu    sync.Mutex
}

func (m *Mutex) known() *Lock { return &m.order }

func (m *Mutex) Lock() {
	MayWait(m)
	m.mu.Lock()
	Taken(&m.order)
}

func (m *Mutex) TryLock() bool { return tried(m.mu.TryLock(), &m.order) }

func (m *Mutex) Unlock() {
	Freed(&m.order)
	m.mu.Unlock()
}

type RWMutex struct {
	order Lock
	mu    sync.RWMutex
}

func (m *RWMutex) known() *Lock { return &m.order }

func (m *RWMutex) Lock() {
	MayWait(m)
	m.mu.Lock()
	Taken(&m.order)
}

func (m *RWMutex) RLock() {
	MayWait(m)
	m.mu.RLock()
	Taken(&m.order)
}

func (m *RWMutex) TryLock() bool { return tried(m.mu.TryLock(), &m.order) }

func (m *RWMutex) TryRLock() bool { return tried(m.mu.TryRLock(), &m.order) }

func (m *RWMutex) Unlock() {
	Freed(&m.order)
	m.mu.Unlock()
}

func (m *RWMutex) RUnlock() {
	Freed(&m.order)
	m.mu.RUnlock()
}

func tried(ok bool, l *Lock) bool {
	if ok {
		Taken(l)
	}
	return ok
}
