package commands

import "sync"

// identity is what a client has said of itself. Other connections ask for it.
type identity struct {
	mu               sync.Mutex
	name             string
	libName, libVer  string
	noEvict, noTouch bool
}

// Name is that of CLIENT SETNAME; empty: none.
func (i *identity) Name() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.name
}

// SetName changes it; the caller has validated it.
func (i *identity) SetName(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.name = name
}

// setLibrary changes what CLIENT SETINFO knows; nil leaves that part.
func (i *identity) setLibrary(name, version *string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if name != nil {
		i.libName = *name
	}
	if version != nil {
		i.libVer = *version
	}
}

func (i *identity) setNoEvict(on bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.noEvict = on
}

// mayStay says that CLIENT NO-EVICT is on.
func (i *identity) mayStay() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.noEvict
}

func (i *identity) setNoTouch(on bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.noTouch = on
}

// reset forgets what RESET takes away.
func (i *identity) reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.name, i.noEvict, i.noTouch = "", false, false
}
