package script

import (
	"bytes"
	"container/list"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"sync"
)

// cache keeps compiled scripts by the SHA-1 of their texts: those that were loaded until Flush, those that were only
// evaluated until there are too many that were used later.
type cache struct {
	most int // evaluated ones

	mu    sync.Mutex
	bySHA map[string]*cached
	used  list.List // of those evaluated, the last first
	bytes int64     // of all of them
}

type cached struct {
	script *Script       // nil: it was loaded, and not run yet
	text   []byte        // of such a one, which takes ten times as much when it is compiled
	at     *list.Element // nil: it was loaded
}

func (e *cached) size() int64 {
	if e.script == nil {
		return textSize + int64(len(e.text))
	}
	return e.script.size()
}

// Load compiles a script, for its errors, and keeps it.
func (vm *VM) Load(body []byte) (*Script, error) { return vm.cache.compile(body, true) }

// Eval compiles a script, or finds it.
func (vm *VM) Eval(body []byte) (*Script, error) { return vm.cache.compile(body, false) }

// Find gives a script by its SHA-1 in lower case; nil: there is none.
func (vm *VM) Find(sha []byte) *Script { return vm.cache.find(sha) }

// Has says whether there is a script, by its SHA-1 in lower case.
func (vm *VM) Has(sha []byte) bool { return vm.cache.has(sha) }

// Flush forgets all scripts.
func (vm *VM) Flush() { vm.cache.flush() }

// Usage is what a VM takes, about.
type Usage struct {
	Scripts      int   // that are kept
	ScriptBytes  int64 // of these
	Interpreters int64 // bytes of what they run in
}

// Usage gives what it takes now.
func (vm *VM) Usage() Usage {
	u := vm.cache.usage()
	vm.mu.Lock()
	defer vm.mu.Unlock()
	u.Interpreters = stateSize * int64(len(vm.idle)+len(vm.running))
	return u
}

func (c *cache) usage() Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Usage{Scripts: len(c.bySHA), ScriptBytes: c.bytes}
}

func (c *cache) compile(body []byte, load bool) (*Script, error) {
	sum := sha1.Sum(body)
	var sha [2 * sha1.Size]byte
	hex.Encode(sha[:], sum[:])
	if s := c.touch(sha[:], load); s != nil {
		return s, nil
	}
	s, err := compile(string(sha[:]), body)
	if err == nil {
		c.add(s, body, load)
	}
	return s, err
}

func (c *cache) has(sha []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bySHA[string(sha)] != nil
}

func (c *cache) find(sha []byte) *Script { return c.touch(sha, false) }

// touch finds a script, and notes that it was used, or loaded.
func (c *cache) touch(sha []byte, load bool) *Script {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.bySHA[string(sha)]
	switch {
	case found == nil:
		return nil
	case found.at != nil && load:
		c.used.Remove(found.at)
		found.at = nil
	case found.at != nil:
		c.used.MoveToFront(found.at)
	}
	if found.script == nil && !load {
		c.ripen(string(sha), found)
	}
	return found.script
}

// ripen compiles what was loaded, because it is about to be run. Called under mu.
func (c *cache) ripen(sha string, e *cached) {
	s, err := compile(sha, e.text)
	if err != nil {
		panic(fmt.Sprintf("script: what was compiled once is not again: %v", err))
	}
	c.bytes -= e.size()
	e.script, e.text = s, nil
	c.bytes += e.size()
}

// add keeps a script, or of one that was loaded only its text.
func (c *cache) add(s *Script, text []byte, load bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySHA == nil {
		c.bySHA = make(map[string]*cached)
	}
	if c.bySHA[s.SHA] != nil {
		return // another was faster
	}
	entry := &cached{script: s}
	if load {
		entry.script, entry.text = nil, bytes.Clone(text)
	}
	c.bySHA[s.SHA] = entry
	c.bytes += entry.size()
	if load {
		return
	}
	entry.at = c.used.PushFront(s)
	if c.used.Len() > c.most {
		last := c.used.Back()
		c.used.Remove(last)
		delete(c.bySHA, last.Value.(*Script).SHA)
		c.bytes -= last.Value.(*Script).size()
	}
}

func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bySHA, c.bytes = nil, 0
	c.used.Init()
}
