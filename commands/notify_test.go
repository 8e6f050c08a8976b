package commands

import (
	"math/rand/v2"
	"strings"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// events takes what a listener of __keyevent@* got, as "event key" each.
func events(c *Context) string {
	var list []string
	parts := strings.Split(sent(c), "|")
	for i, part := range parts {
		if event, ok := strings.CutPrefix(part, "__keyevent@0__:"); ok {
			list = append(list, event+" "+parts[i+2])
		}
	}
	return strings.Join(list, ", ")
}

// TestExpiredIsTold when it is carried out: by the sweep, and by a command before it acts.
func TestExpiredIsTold(t *testing.T) {
	now := int64(1e12)
	s := newServerWith(t, engine.Options{Now: func() int64 { return now }, Disk: enginetest.NewDisk(rand.Uint64)})
	c, listener := connect(t, s), connect(t, s)
	do(t, c, "CONFIG", "SET", "notify-keyspace-events", "EAn")
	do(t, listener, "PSUBSCRIBE", "__key*")
	do(t, c, "SET", "a", "1", "PX", "5")
	do(t, c, "SET", "b", "1", "PX", "5")
	do(t, c, "SET", "c", "1", "PX", "5")
	if got, want := events(listener), "new a, set a, expire a, new b, set b, expire b, new c, set c, expire c"; got != want {
		t.Errorf("events: %s; want %s", got, want)
	}
	now += 10
	do(t, c, "INCR", "a")
	do(t, c, "DEL", "b")
	if got, want := events(listener), "expired a, new a, incrby a, expired b"; got != want {
		t.Errorf("events: %s; want %s", got, want)
	}
	if err := s.Engine.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Engine.Sweep(); err != nil {
		t.Fatal(err)
	}
	if got, want := events(listener), "expired c"; got != want {
		t.Errorf("events of the sweep: %s; want %s", got, want)
	}
	if n := s.Engine.Stats().Expired; n != 3 {
		t.Errorf("expired keys = %d; want 3", n)
	}
	do(t, c, "FLUSHALL")
	if got := events(listener); got != "" {
		t.Errorf("events of FLUSHALL: %s; want none, as in Redis", got)
	}
}
