package engine

import (
	"errors"
	"fmt"
	"testing"
)

// TestTokenElsewhere: with the batch of the first its token arrives, cached there as absent or not; in a transfer of the state
// it comes before the counter.
func TestTokenElsewhere(t *testing.T) {
	for _, cached := range []bool{false, true} {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		b.Observe(func(_ uint8, key string, c Change) {
			if key != "k" {
				t.Errorf("told of %q", key)
			}
		})
		if cached { // the token is, as absent
			put(t, b.Engine, "k", "text")
			p := b.NewPipeline()
			if _, _, err := p.IncrOnce([]byte("k"), []byte("t"), 5, TokenLife); !errors.Is(err, ErrNotInteger) {
				t.Fatalf("IncrOnce = %v; want %v", err, ErrNotInteger)
			}
			mustCommit(t, p)
			b.del("k")
		}
		increment(t, a.Engine, "k", 2)
		wantOnce(t, a.Engine, "k", "t", 5, 7)
		b.pull(a)
		b.add("k", 1)
		wantOnce(t, b.Engine, "k", "t", 5, 7)
		a.pull(b)
		a.shows("k", 8)
		b.shows("k", 8)
		wantOnce(t, a.Engine, "k", "t", 5, 7)
	}
}

// TestTokenOnBothSides: what both count before they hear of each other counts twice; then one reply is remembered.
func TestTokenOnBothSides(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	increment(t, a.Engine, "k", 10)
	wantOnce(t, a.Engine, "k", "t", 5, 15)
	wantOnce(t, b.Engine, "k", "t", 5, 5)
	for range 2 {
		a.pull(b)
		b.pull(a)
	}
	a.shows("k", 20)
	b.shows("k", 20)
	va, vb := once(t, a.Engine, "k", "t", 5), once(t, b.Engine, "k", "t", 5)
	if va != vb || va != 15 && va != 5 {
		t.Errorf("a remembers %d, b %d; want the same, 15 or 5", va, vb)
	}
}

// TestTokenTransferred stops a state transfer after each number of pages: who has the counter has its token.
func TestTokenTransferred(t *testing.T) {
	for steps := 1; steps < 8; steps++ {
		a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
		for i := range 3 {
			wantOnce(t, a.Engine, "k", fmt.Sprint(i), 1, int64(i)+1)
		}
		increment(t, a.Engine, "other", 1)
		a.flush()
		s, err := a.Snapshot()
		must(t, nil, err)
		b.fetch(s, a.ReplicaID(), steps)
		must(t, nil, s.Close())
		if v, err := b.Counter("k").Get(t.Context()); err != nil || v == 0 {
			continue
		}
		wantOnce(t, b.Engine, "k", "2", 1, 3)
		b.shows("k", 3)
	}
}
