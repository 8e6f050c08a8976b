package engine

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestScan: whatever is inserted, deleted, flushed and evicted between its pages, a scan meets every key that stays, and
// none that was never there; its cursors are below 2^53.
func TestScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := disk()
		o.Logger, o.manual = quiet, true
		e, err := Open("store", o)
		if err != nil {
			t.Fatalf("Open = %v", err)
		}
		defer e.Close()
		stays := rapid.IntRange(0, 60).Draw(t, "stays")
		p := e.NewPipeline()
		add := func(key string) {
			if _, err := p.Incr([]byte(key), 1); err != nil {
				t.Fatalf("Incr(%q) = %v", key, err)
			}
		}
		for i := range stays {
			add(fmt.Sprintf("stays%d", i))
		}
		met := map[string]bool{}
		for cursor := uint64(0); ; {
			cursor, err = p.Scan(cursor, rapid.IntRange(1, 20).Draw(t, "count"), func(key []byte, _ Type) { met[string(key)] = true })
			if err != nil || cursor >= cursorEnd {
				t.Fatalf("Scan = %d, %v; want a cursor below 2^53", cursor, err)
			}
			if cursor == 0 {
				break
			}
			key := fmt.Sprintf("goes%d", rapid.IntRange(0, 20).Draw(t, "key"))
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				add(key)
			case 1:
				if _, err := p.Del([][]byte{[]byte(key)}); err != nil {
					t.Fatalf("Del = %v", err)
				}
			case 2:
				p.pause()
				if err := e.Flush(); err != nil {
					t.Fatalf("Flush = %v", err)
				}
			case 3:
				p.pause()
				e.SetCacheSize(0)
				evictAll(e)
			}
		}
		p.pause()
		for i := range stays {
			if key := fmt.Sprintf("stays%d", i); !met[key] {
				t.Fatalf("the scan missed %q", key)
			}
		}
	})
}

// TestScanConcurrently scans while other goroutines insert, delete and flush.
func TestScanConcurrently(t *testing.T) {
	e := open(t, Options{CacheSize: 1})
	for i := range 300 {
		increment(t, e, fmt.Sprintf("stays%d", i), 1)
	}
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			p := e.NewPipeline()
			for i := range 300 {
				key := fmt.Appendf(nil, "goes%d-%d", g, i%40)
				if _, err := p.Incr(key, 1); err != nil {
					t.Errorf("Incr = %v", err)
				}
				if _, err := p.Del([][]byte{key}); err != nil {
					t.Errorf("Del = %v", err)
				}
				if _, err := p.Commit(); err != nil {
					t.Errorf("Commit = %v", err)
				}
				if i%20 == 0 {
					if err := e.Flush(); err != nil {
						t.Errorf("Flush = %v", err)
					}
				}
			}
		})
	}
	for range 15 {
		p := e.NewPipeline()
		met := map[string]bool{}
		if err := p.Keys(func(key []byte, _ Type) error { met[string(key)] = true; return nil }); err != nil {
			t.Errorf("Keys = %v", err)
		}
		for i := range 300 {
			if key := fmt.Sprintf("stays%d", i); !met[key] {
				t.Fatalf("Keys missed %q", key)
			}
		}
	}
	wg.Wait()
	checkSize(t, e)
}

// TestRandomKey: every key is met in the end, and none where there is none.
func TestRandomKey(t *testing.T) {
	e := open(t, Options{})
	p := e.NewPipeline()
	if key, ok, err := p.RandomKey(); ok || err != nil {
		t.Errorf("RandomKey of an empty database = %q, %v, %v; want none", key, ok, err)
	}
	keys := []string{"a", "b", "c"}
	for _, key := range keys {
		increment(t, e, key, 1)
	}
	var met []string
	for range 10_000 { // the chance to miss one of three is nil
		key, ok, err := p.RandomKey()
		if !ok || err != nil || !slices.Contains(keys, string(key)) {
			t.Fatalf("RandomKey = %q, %v, %v; want one of %q", key, ok, err, keys)
		}
		if !slices.Contains(met, string(key)) {
			met = append(met, string(key))
		}
		if len(met) == len(keys) {
			return
		}
	}
	t.Errorf("RandomKey gave only %q of %q", met, keys)
}
