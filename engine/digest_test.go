package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestDigests: pages have every key that shows something, once; another store that has the same has the same digests, though it
// has dropped less.
func TestDigests(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	const keys = 2500
	for i := range keys {
		a.add(fmt.Sprint(i), int64(i))
	}
	a.pull(b)
	b.pull(a)
	b.del("7")
	a.pull(b)
	b.pull(a)
	sums := map[string]uint64{}
	for from, pages := []byte(nil), 0; from != nil || pages == 0; pages++ {
		d, err := a.DigestPage(from)
		must(t, nil, err)
		if !d.Vector.Covers(b.Vector()) || len(d.Keys) > maxDigests || len(d.Sums) != len(d.Keys) {
			t.Errorf("page %d: %d keys, %d sums, vector %v", pages, len(d.Keys), len(d.Sums), d.Vector)
		}
		other, err := b.Digest(d.Keys)
		must(t, nil, err)
		for i, key := range d.Keys {
			if sums[key] != 0 || d.Sums[i] == 0 || other.Sums[i] != d.Sums[i] {
				t.Fatalf("%q: %x, before %x; %x in the other store", key, d.Sums[i], sums[key], other.Sums[i])
			}
			sums[key] = d.Sums[i]
		}
		from = d.Next
	}
	if len(sums) != keys-1 {
		t.Errorf("%d keys have digests; want %d", len(sums), keys-1)
	}
	d, err := b.Digest([]string{"\x007", "\x00none", "\x008"})
	if err != nil || d.Sums[0] != 0 || d.Sums[1] != 0 || d.Sums[2] != sums["\x008"] {
		t.Errorf("Digest = %+v, %v; want that of the last alone", d, err)
	}
	b.add("8", 1)
	b.flush()
	if after, err := b.Digest([]string{"\x008"}); err != nil || after.Sums[0] == sums["\x008"] {
		t.Errorf("Digest after an increment = %+v, %v; want another", after, err)
	}
}

// In the middle of a state transfer the vector does not say what is here.
func TestNoDigestDuringATransfer(t *testing.T) {
	a, b := newMember(t, 1, Options{}), newMember(t, 2, Options{})
	a.add("k", 1)
	a.flush()
	b.begin(a.snapshot(), a.ReplicaID())
	if _, err := b.Digest([]string{"\x00k"}); !errors.Is(err, ErrHeld) {
		t.Errorf("Digest = %v; want %v", err, ErrHeld)
	}
	if _, err := b.DigestPage(nil); !errors.Is(err, ErrHeld) {
		t.Errorf("DigestPage = %v; want %v", err, ErrHeld)
	}
}

// TestDigestBesideFlushAndClose: nobody waits for another in a circle.
func TestDigestBesideFlushAndClose(t *testing.T) {
	a := newMember(t, 1, Options{})
	a.add("k", 1)
	done := make(chan error)
	for range 4 {
		go func() {
			for {
				if _, err := a.DigestPage(nil); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range 20 {
		a.add("k", 1)
		a.flush()
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		select {
		case err := <-done:
			if !errors.Is(err, ErrClosed) {
				t.Errorf("DigestPage = %v; want %v", err, ErrClosed)
			}
		case <-time.After(time.Minute):
			t.Fatal("it does not end")
		}
	}
}
