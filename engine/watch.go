package engine

import (
	"sync/atomic"

	"atomiccounter/engine/lockorder"
)

// A pipeline that watches a key learns whether anybody has changed it since: another pipeline, itself, the sweeper, a batch of
// another replica as soon as it is here (though it may show later), FlushDB. A change and one back count as changes. That a key is
// still absent, or gone that had expired before it was watched, is none.
//
// A watched key has no short way for increments, so that every change of it passes by show. What is watched is kept by key, not
// in the entry, which may be evicted meanwhile: a load asks here.

// watches says which pipelines watch which key, by database byte and key.
type watches struct {
	keys atomic.Int64    // of how many keys; where it is 0 no pipeline looks further
	mu   lockorder.Mutex // a leaf: its holder waits for nothing
	of   map[string][]*watch

	observer atomic.Pointer[Observer]
}

// watch is one key that a pipeline watches.
type watch struct {
	by      *watching
	existed bool  // when it began
	expire  int64 // ms: when the key expires by itself; 0: never, or it had expired already
}

// watching is what a pipeline watches.
type watching struct {
	broken atomic.Bool // something has changed; written under mu of watches, or when nothing is watched
	keys   map[string]*watch
	size   int // bytes that keys takes, about
}

const watchSize = 150 // bytes of a watch beside its key, with its places in both maps

// Watch watches keys of the selected database until Unwatch. After the first change more are not watched: it is too late.
func (p *Pipeline) Watch(keys [][]byte) error {
	if p.e == nil {
		p.watching.broken.Store(true)
		return nil
	}
	for _, key := range keys {
		if p.watching.broken.Load() {
			return nil
		}
		e, err := p.exclusive(key, everything) // with all that has arrived, or the first to read it would change it
		if err != nil {
			return err
		}
		p.watch(e)
	}
	return nil
}

func (p *Pipeline) watch(e *entry) {
	if p.watching.keys[e.key()] != nil {
		return
	}
	w := &watch{by: &p.watching, existed: p.exists(e)}
	if w.existed {
		w.expire = e.expire.Load()
	}
	if p.watching.keys == nil {
		p.watching.keys = make(map[string]*watch)
	}
	p.watching.keys[e.key()] = w
	p.watching.size += watchSize + len(e.key())
	p.e.watches.add(e.key(), w)
	e.mark(underWatch, true)
	e.mark(quick, false)
	if e.fields() != nil {
		e.fields().watched.Store(true)
	}
}

// Touch breaks the watches of a key though nothing changes: what is done to it counts as a write.
func (p *Pipeline) Touch(key []byte) error {
	if p.e.watches.keys.Load() == 0 {
		return nil
	}
	e, err := p.exclusive(key, everything)
	if err != nil {
		return err
	}
	e.mark(underWatch, p.e.watches.changed(e.key(), p.exists(e)))
	return nil
}

// Unwatch ends all watches. The owner of a pipeline calls it before dropping that.
func (p *Pipeline) Unwatch() {
	if p.watching.keys != nil {
		p.e.watches.remove(p.watching.keys)
		p.watching.keys, p.watching.size = nil, 0
	}
	p.watching.broken.Store(false)
}

// Broken says whether a watched key has changed, or expired. In a section nothing changes between the answer and what is done.
func (p *Pipeline) Broken() bool {
	if p.watching.broken.Load() {
		p.told.saw = true // the change, which is perhaps not synced
		return true
	}
	for _, w := range p.watching.keys {
		if w.expire != 0 && w.expire <= p.now() {
			return true
		}
	}
	return false
}

// WatchSize is the memory that what this pipeline watches takes, in bytes, about.
func (p *Pipeline) WatchSize() int { return p.watching.size }

// Watched is how many keys this pipeline watches.
func (p *Pipeline) Watched() int { return len(p.watching.keys) }

// WatchedKeys is how many keys any pipeline watches.
func (e *Engine) WatchedKeys() int64 { return e.watches.keys.Load() }

// Touched says whether a watched key is known to have changed. Any goroutine may ask.
func (p *Pipeline) Touched() bool { return p.watching.broken.Load() }

func (s *watches) add(key string, w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[string][]*watch)
	}
	s.of[key] = append(s.of[key], w)
	s.keys.Store(int64(len(s.of)))
}

func (s *watches) remove(keys map[string]*watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, w := range keys {
		s.keep(key, func(o *watch) bool { return o != w })
	}
}

// has says whether a pipeline watches the key.
func (s *watches) has(key string) bool {
	if s.keys.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.of[key]) > 0
}

// changed breaks the watches of a key that has changed; exists says whether it is there now. It returns whether a pipeline watches
// on: whom it breaks needs to hear no more.
func (s *watches) changed(key string, exists bool) bool {
	if s.keys.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(key, exists)
}

func (s *watches) change(key string, exists bool) bool {
	s.keep(key, func(w *watch) bool {
		if !exists && !w.existed {
			return true
		}
		w.by.broken.Store(true)
		return false
	})
	return len(s.of[key]) > 0
}

// breakWatches breaks the watches of the key of an entry that changes; of a field, its hash's. It returns whether to ask again at the
// next change. A hash that has expired is cancelled field by field, and is absent meanwhile.
func (e *Engine) breakWatches(en *entry) bool {
	if !isField(en.key()) {
		return e.watches.changed(en.key(), en.shown() && !en.due(e.Now()))
	}
	if f := en.fields(); f.watched.Load() {
		e.watches.changed(f.head.key(), (en.is(there) || wordExists(f.word.Load())) && !f.head.due(e.Now()))
	}
	return true
}

// breakArrivalWatches is breakWatches for what has arrived, whether or not it shows yet.
func (e *Engine) breakArrivalWatches(a *arrival) {
	switch {
	case e.watches.keys.Load() == 0:
	case isField(a.key):
		hash, _ := hashOf(a.key)
		e.watches.changed(hash, a.before.exists || a.after.exists)
	default:
		e.watches.changed(a.key, a.after.exists || a.fields > 0)
	}
}

// wipe says that no key of a database exists any more.
func (s *watches) wipe(db byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.of {
		if key[0] == db {
			s.change(key, false)
		}
	}
}

// keep keeps those watches of a key that wanted says.
func (s *watches) keep(key string, wanted func(*watch) bool) {
	list, ok := s.of[key]
	if !ok {
		return
	}
	kept := list[:0]
	for _, w := range list {
		if wanted(w) {
			kept = append(kept, w)
		}
	}
	clear(list[len(kept):])
	if s.of[key] = kept; len(kept) == 0 {
		delete(s.of, key)
		s.keys.Store(int64(len(s.of)))
	}
}
