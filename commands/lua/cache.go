package lua

import (
	"container/list"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
)

// cache keeps scripts by the SHA-1 of their texts: those that were loaded until Flush, those that were only evaluated until there are too
// many that were used later, or they take too much.
type cache struct {
	most      int   // evaluated ones
	mostBytes int64 // of all; half of that for the texts of those that were loaded

	mu        sync.Mutex
	bySHA     map[string]*cached
	evaluated list.List // the last used first
	compiled  list.List // of those that were loaded, likewise
	bytes     int64     // of all of them
	texts     int64     // of those that were loaded
}

type cached struct {
	sha    string
	script *Script       // nil: it was loaded, and not run for long
	text   []byte        // nil: it was not loaded
	at     *list.Element // in the list of its kind; nil: script is
}

func (e *cached) size() (n int64) {
	if e.script != nil {
		n += e.script.size()
	}
	if e.text != nil {
		n += e.textSize()
	}
	return n
}

func (e *cached) textSize() int64 { return textSize + int64(len(e.text)) }

var errLoaded = errors.New("the scripts that are loaded take too much memory: SCRIPT FLUSH forgets them")

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
		err = c.add(s, body, load)
	}
	return s, err
}

func (c *cache) has(sha []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bySHA[string(sha)] != nil
}

func (c *cache) find(sha []byte) *Script { return c.touch(sha, false) }

// touch finds a script, and notes that it was used. One that is to be loaded, and was not, is none.
func (c *cache) touch(sha []byte, load bool) *Script {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.bySHA[string(sha)]
	switch {
	case found == nil || load && found.text == nil:
		return nil
	case load && found.script == nil:
		return &Script{SHA: found.sha}
	case load:
	case found.script == nil:
		c.compileLoaded(found)
	case found.text == nil:
		c.evaluated.MoveToFront(found.at)
	default:
		c.compiled.MoveToFront(found.at)
	}
	return found.script
}

// compileLoaded compiles what was loaded, because it is about to be run. Called under mu.
func (c *cache) compileLoaded(e *cached) {
	s, err := compile(e.sha, e.text)
	if err != nil {
		panic(fmt.Sprintf("script: what was compiled once is not again: %v", err))
	}
	e.script, e.at = s, c.compiled.PushFront(e)
	c.bytes += s.size()
	c.shrink(e)
}

// add keeps a script, or of one that was loaded only its text.
func (c *cache) add(s *Script, text []byte, load bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySHA == nil {
		c.bySHA = make(map[string]*cached)
	}
	e := c.bySHA[s.SHA]
	if e != nil && (e.text != nil || !load) {
		return nil // another was faster
	}
	kept := &cached{sha: s.SHA, script: s}
	if load {
		kept = &cached{sha: s.SHA, text: append(make([]byte, 0, len(text)), text...)}
		if c.texts+kept.textSize() > c.mostBytes/2 {
			return errLoaded
		}
		c.texts += kept.textSize()
	}
	if e != nil {
		c.drop(e)
	}
	c.bySHA[s.SHA] = kept
	c.bytes += kept.size()
	if !load {
		kept.at = c.evaluated.PushFront(kept)
	}
	c.shrink(kept)
	return nil
}

// shrink keeps to the bounds: evaluated scripts go first, then what those that were loaded were compiled to. One stays.
func (c *cache) shrink(stays *cached) {
	for c.evaluated.Len() > c.most || c.bytes > c.mostBytes && c.evaluated.Len() > 0 && c.evaluated.Back() != stays.at {
		c.drop(c.evaluated.Back().Value.(*cached))
	}
	for c.bytes > c.mostBytes && c.compiled.Len() > 0 && c.compiled.Back() != stays.at {
		e := c.compiled.Remove(c.compiled.Back()).(*cached)
		c.bytes -= e.script.size()
		e.script, e.at = nil, nil
	}
}

// drop forgets an evaluated script.
func (c *cache) drop(e *cached) {
	c.evaluated.Remove(e.at)
	delete(c.bySHA, e.sha)
	c.bytes -= e.size()
}

func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bySHA, c.bytes, c.texts = nil, 0, 0
	c.evaluated.Init()
	c.compiled.Init()
}
