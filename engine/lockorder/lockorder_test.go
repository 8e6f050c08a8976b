//go:build lockorder

package lockorder

import "testing"

// may says whether the goroutine may lock l, and leaves it unlocked.
func may(l *Mutex) (ok bool) {
	defer func() { ok = recover() == nil }()
	l.Lock()
	defer l.Unlock()
	return true
}

func TestOrder(t *testing.T) {
	placed := func(owner string, place int, key string) *Mutex {
		l := new(Mutex)
		Place(l, owner, place, key)
		return l
	}
	for _, c := range []struct {
		name        string
		has, wanted *Mutex
		may         bool
	}{
		{"a later place", placed("e", Commit, ""), placed("e", Loads, ""), true},
		{"an earlier place", placed("e", Loads, ""), placed("e", Commit, ""), false},
		{"a later key", placed("e", Key, "a"), placed("e", Key, "b"), true},
		{"an earlier key", placed("e", Key, "b"), placed("e", Key, "a"), false},
		{"the same key", placed("e", Key, "a"), placed("e", Key, "a"), false},
		{"a later place with an earlier key", placed("e", Key, "b"), placed("e", Field, "a"), true},
		{"another owner's", placed("e", Loads, ""), placed("f", Commit, ""), true},
		{"a leaf", placed("e", Shard, ""), new(Mutex), true},
		{"with a leaf", new(Mutex), placed("e", Shard, ""), false},
		{"a leaf with a leaf", new(Mutex), new(Mutex), false},
	} {
		c.has.Lock()
		if got := may(c.wanted); got != c.may {
			t.Errorf("%s: may wait = %v; want %v", c.name, got, c.may)
		}
		if !c.wanted.TryLock() {
			t.Errorf("%s: could not be locked without waiting", c.name)
		}
		c.wanted.Unlock()
		c.has.Unlock()
		if !may(c.wanted) {
			t.Errorf("%s: may not wait though nothing is held", c.name)
		}
	}
}

// TestFreedByAnother: a pipeline may go from one goroutine to another with its locks.
func TestFreedByAnother(t *testing.T) {
	var has, wanted RWMutex
	Place(&has, t, Loads, "")
	Place(&wanted, t, Commit, "")
	has.RLock()
	done := make(chan struct{})
	go func() {
		has.RUnlock()
		close(done)
	}()
	<-done
	wanted.Lock()
	defer wanted.Unlock()
}
