package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// watched collects what an observer is told, as "change key".
type watched struct{ list []string }

func (w *watched) observe(_ uint8, key string, c Change) {
	name := [...]string{"created", "deleted", "expired", "arrived", "everything"}[c]
	w.list = append(w.list, strings.TrimSpace(fmt.Sprintf("%s %s", name, key)))
}

func (w *watched) want(t *testing.T, what string, want ...string) {
	t.Helper()
	slices.Sort(w.list)
	if !slices.Equal(w.list, want) {
		t.Errorf("%s: told %q; want %q", what, w.list, want)
	}
	w.list = nil
}

// TestObserverIsToldWhenForeignDataShows, however it comes to show: in the cache when its period is over, by an eviction, or at
// once.
func TestObserverIsToldWhenForeignDataShows(t *testing.T) {
	m := newMember(t, 1, Options{UpdatePeriod: time.Hour})
	w, p := new(watched), newPeer(7)
	m.Observe(w.observe)
	m.add("cached", 1)
	m.add("evicted", 1)
	m.flush()
	w.want(t, "local increments", "created cached", "created evicted")
	for _, key := range []string{"cached", "evicted", "cold"} {
		p.add(t, m.Engine, key, 5)
	}
	w.want(t, "arrival", "arrived cold")
	m.shows("cached", 1, "evicted", 1)
	w.want(t, "reads within the period")
	m.Refresh()
	w.want(t, "Refresh", "arrived cached", "arrived evicted")
	p.add(t, m.Engine, "cached", 5)
	p.add(t, m.Engine, "evicted", 5)
	m.shows("cached", 6, "evicted", 6)
	w.want(t, "arrival at cached keys")
	m.flush()
	dropCache(m.Engine)
	w.want(t, "eviction", "arrived cached", "arrived evicted")
	m.shows("cached", 11, "evicted", 11, "cold", 5)
}

func TestPipelineObserver(t *testing.T) {
	now := int64(1e12)
	m := newMember(t, 1, Options{Now: func() int64 { return now }})
	background, mine := new(watched), new(watched)
	m.Observe(background.observe)
	p := m.NewPipeline()
	p.Observe(mine.observe)
	do := func(what string, run func() error, want ...string) {
		t.Helper()
		before := p.Changes()
		if err := run(); err != nil {
			t.Fatalf("%s = %v", what, err)
		}
		if changed := p.Changes() != before; changed != (what != "Del of nothing" && what != "SetNX of what is there") {
			t.Errorf("%s: changed = %v", what, changed)
		}
		if err := p.finish(); err != nil {
			t.Fatal(err)
		}
		mine.want(t, what, want...)
	}
	k := []byte("k")
	do("Incr", func() error { _, err := p.Incr(k, 1); return err }, "created k")
	do("Incr again", func() error { _, err := p.Incr(k, 1); return err })
	do("Incr on the short way", func() error { _, err := p.Incr(k, 1); return err })
	do("Set", func() error { _, err := p.Set(k, 1, SetOptions{}); return err })
	do("SetNX of what is there", func() error { _, err := p.Set(k, 1, SetOptions{NX: true}); return err })
	do("ExpireAt", func() error { _, err := p.ExpireAt(k, now+5, 0); return err })
	now += 10
	do("Incr of what has expired", func() error { _, err := p.Incr(k, 1); return err }, "created k", "expired k")
	do("Del", func() error { _, err := p.Del([][]byte{k}); return err }, "deleted k")
	do("Del of nothing", func() error { _, err := p.Del([][]byte{k}); return err })
	do("Set with a time", func() error { _, err := p.Set(k, 1, SetOptions{ExpireAt: now + 5}); return err }, "created k")
	background.want(t, "in the background")
	now += 10
	m.flush()
	if err := m.Sweep(); err != nil {
		t.Fatal(err)
	}
	background.want(t, "Sweep", "expired k")
	m.add("l", 1)
	background.list = nil
	if err := p.FlushAll(); err != nil {
		t.Fatal(err)
	}
	mine.want(t, "FlushAll")
	background.want(t, "FlushAll", "everything")
}

func TestUsage(t *testing.T) {
	now := int64(1e12)
	m := newMember(t, 1, Options{Now: func() int64 { return now }})
	p := m.NewPipeline()
	use := func(key string, times int) {
		for range times {
			if _, err := p.Incr([]byte(key), 1); err != nil {
				t.Fatal(err)
			}
			if err := p.finish(); err != nil {
				t.Fatal(err)
			}
		}
	}
	usage := func(key string) Usage {
		t.Helper()
		u, ok, err := p.Usage([]byte(key))
		if err != nil || !ok {
			t.Fatalf("Usage(%q) = %v, %v", key, ok, err)
		}
		if err := p.finish(); err != nil {
			t.Fatal(err)
		}
		return u
	}
	use("cold", 1)
	use("hot", 20000)
	hot, cold := usage("hot"), usage("cold")
	if hot.Heat <= cold.Heat+5 || cold.Heat < newHeat || hot.Idle != 0 || hot.Bytes < entrySize {
		t.Errorf("hot: %+v, cold: %+v; want the first hotter", hot, cold)
	}
	now += 150_000
	if u := usage("hot"); u.Heat != hot.Heat-2 || u.Idle != 150 {
		t.Errorf("hot, later: %+v; want heat %d, idle for 150 s", u, hot.Heat-2)
	}
	if _, ok, err := p.Usage([]byte("none")); ok || err != nil {
		t.Errorf("Usage of nothing = %v, %v; want false", ok, err)
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
}
