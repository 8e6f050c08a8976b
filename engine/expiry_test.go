package engine

import (
	"testing"
	"time"
)

// window is two replicas with one clock, and a limiter's key on both.
type window struct {
	t    *testing.T
	now  int64
	a, b *member
}

func newWindow(t *testing.T) *window {
	w := &window{t: t, now: 1_000_000}
	o := Options{Now: func() int64 { return w.now }}
	w.a, w.b = newMember(t, 1, o), newMember(t, 2, o)
	return w
}

// heal has each replica hear all of the other, until there is nothing more to hear.
func (w *window) heal() {
	for range 4 {
		for _, m := range []*member{w.a, w.b} {
			m.sweep()
			m.flush()
		}
		w.a.pull(w.b)
		w.b.pull(w.a)
	}
}

func (m *member) sweep() {
	m.t.Helper()
	if err := m.Sweep(); err != nil {
		m.t.Fatalf("Sweep = %v", err)
	}
}

// run runs a command.
func (m *member) run(f func(p *Pipeline) error) {
	m.t.Helper()
	p := m.NewPipeline()
	if err := f(p); err != nil {
		m.t.Fatalf("command: %v", err)
	}
	if _, err := p.Commit(); err != nil {
		m.t.Fatalf("Commit = %v", err)
	}
}

func (m *member) expireAt(at int64) {
	m.t.Helper()
	m.run(func(p *Pipeline) error { _, err := p.ExpireAt([]byte("lim"), at, 0); return err })
}

// empty checks that nothing is left of any key, in memory or in the database.
func (m *member) empty() {
	m.t.Helper()
	m.showsNothing()
	if s := m.stored("lim"); !s.Empty() {
		m.t.Errorf("lim is stored: %+v; want nothing", s)
	}
}

// showsNothing checks that there is no key, whatever is stored.
func (m *member) showsNothing() {
	m.t.Helper()
	m.run(func(p *Pipeline) error {
		typ, err := p.Type([]byte("lim"))
		if typ != TypeNone {
			m.t.Errorf("lim has type %d after its time; want none", typ)
		}
		return err
	})
	if s := m.Stats(); s.Keys[0] != 0 || s.Expires[0] != 0 {
		m.t.Errorf("%d keys, %d with an expiry; want none", s.Keys[0], s.Expires[0])
	}
}

// empty checks that nothing is left of any key, on either replica.
func (w *window) empty() {
	w.t.Helper()
	w.a.empty()
	w.b.empty()
}

// shapes are ways to count in a window of lim.
var shapes = map[string]func(p *Pipeline) error{
	"counter": func(p *Pipeline) error { _, err := p.Incr([]byte("lim"), 3); return err },
	"text": func(p *Pipeline) error {
		return p.Edit([]byte("lim"), func(old Value) (Value, bool, error) { return ParseValue(append(old.Append(nil), 'x')), true, nil })
	},
	"hash": func(p *Pipeline) error { _, err := p.IncrField([]byte("lim"), []byte("f"), 3); return err },
	"field": func(p *Pipeline) error {
		_, err := p.SetFields([]byte("lim"), [][]byte{[]byte("f")}, []Value{IntValue(1)}, Overwrite)
		return err
	},
	"token": func(p *Pipeline) error { _, _, err := p.IncrOnce([]byte("lim"), []byte("t"), 3, 1000); return err },
	"increx": func(p *Pipeline) error {
		_, err := p.IncrEx([]byte("lim"), IncrExOptions{By: 3, Lower: NoLower, Upper: NoUpper})
		return err
	},
	"keepttl": func(p *Pipeline) error {
		_, err := p.Put([]byte("lim"), IntValue(8), SetOptions{KeepTTL: true})
		return err
	},
}

// TestCountedUnderATTL: what b counts under the TTL that a has set goes with it, though the link is down from before b counts until
// after both have carried the TTL out.
func TestCountedUnderATTL(t *testing.T) {
	for name, count := range shapes {
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(count)
			w.a.expireAt(w.now + 6000)
			w.heal()
			w.now += 2000
			w.b.run(count)
			w.b.flush()
			w.now += 4001
			w.a.sweep()
			w.a.flush()
			w.b.sweep()
			w.heal()
			w.heal()
			w.empty()
		})
	}
}

// TestCountedBeforeATTL: what b counted without knowing of the TTL that a set meanwhile goes with it too, if b counted before
// its time; and if b learns of it only when a has carried it out.
func TestCountedBeforeATTL(t *testing.T) {
	for name, count := range shapes {
		for what, flushed := range map[string]bool{"flushed": true, "pending": false} {
			t.Run(name+" "+what, func(t *testing.T) {
				w := newWindow(t)
				w.a.run(count)
				w.a.expireAt(w.now + 6000)
				w.b.run(count)
				if flushed {
					w.b.flush()
				}
				w.a.flush()
				w.now += 3000
				if !flushed { // what is pending learns of it before its time, and what is stored whenever it comes
					w.a.run(func(p *Pipeline) error { _, err := p.Del([][]byte{[]byte("lim")}); return err })
				} else {
					w.now += 3001
					w.a.sweep()
				}
				w.a.flush()
				w.heal()
				w.now += 6001
				w.heal()
				w.empty()
			})
		}
	}
}

// TestJoined: b counts on in what a has begun, also after the time of a TTL that a has set meanwhile and of which b has not heard. Nobody
// else will set one, for a was the first; so it goes, when b hears, or when others hear of b that will never hear.
func TestJoined(t *testing.T) {
	for name, count := range shapes {
		if name == "keepttl" || name == "text" { // begin anew
			continue
		}
		for _, then := range []string{"a has not heard of b", "b hears", "b is lost"} {
			t.Run(name+" "+then, func(t *testing.T) {
				w := newWindow(t)
				w.a.run(count)
				w.heal()
				if name == "token" { // which counts once
					count = shapes["counter"]
				}
				w.a.expireAt(w.now + 6000)
				w.a.flush()
				w.now += 7000
				w.b.run(count)
				w.b.flush()
				if then != "a has not heard of b" {
					w.a.pull(w.b)
				}
				w.b.run(count)
				if name == "hash" { // of which a has not heard
					w.b.run(func(p *Pipeline) error { _, err := p.IncrField([]byte("lim"), []byte("g"), 3); return err })
				}
				w.b.flush()
				w.a.sweep()
				w.a.flush()
				if then != "b is lost" {
					w.heal()
					w.heal()
					w.empty()
					return
				}
				w.a.pull(w.b)
				w.a.flush()
				w.now += sweepGrace + 1
				w.a.sweep()
				w.a.flush()
				w.a.showsNothing()
			})
		}
	}
}

// TestBegunAfterATTL: what b begins after the time of a TTL that a had set in a life before, of which b knows nothing, has none.
func TestBegunAfterATTL(t *testing.T) {
	for name, count := range shapes {
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(count)
			w.a.expireAt(w.now + 1000)
			w.a.flush()
			w.now += 1001
			w.a.sweep()
			w.a.flush()
			w.b.run(count)
			w.heal()
			w.now += 1_000_000
			w.heal()
			for _, m := range []*member{w.a, w.b} {
				m.run(func(p *Pipeline) error {
					if at, ok, err := p.ExpireTime([]byte("lim")); !ok || at != 0 || err != nil {
						t.Errorf("ExpireTime = %d, %t, %v; want a key without one", at, ok, err)
					}
					return nil
				})
			}
		})
	}
}

// TestExpireWhatIsDue: whoever is told that there is no key, because the part of another in it is due, does not find the rest there
// without a TTL when that part is gone.
func TestExpireWhatIsDue(t *testing.T) {
	for name, count := range shapes {
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(count)
			w.a.expireAt(w.now + 1000)
			w.a.flush()
			w.now += 1001
			w.b.run(count)
			w.b.flush()
			w.b.pull(w.a)
			w.b.expireAt(w.now + 1000)
			w.a.sweep()
			w.a.flush()
			w.now += 1001
			w.heal()
			w.heal()
			w.empty()
		})
	}
}

// TestCountedBeforeATTLAndTransfer: the log of a does not reach back to what b lacks. What b counted before the time of a TTL of which it
// has not heard goes with it all the same: the state that it gets says so.
func TestCountedBeforeATTLAndTransfer(t *testing.T) {
	w := newWindow(t)
	w.a.run(shapes["counter"])
	w.b.run(shapes["counter"])
	w.a.pull(w.b)
	w.a.expireAt(w.now + 6000)
	w.a.flush()
	w.b.run(shapes["counter"])
	w.b.flush()
	w.now += 6001
	w.a.sweep()
	w.a.flush()
	w.a.pull(w.b)
	w.b.fetch(w.a.snapshot(), w.a.ReplicaID(), 0)
	w.heal()
	w.empty()
}

// TestCarried: b counts under the TTL that a has set, and says so.
func TestCarried(t *testing.T) {
	for name, count := range shapes {
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(count)
			w.a.expireAt(w.now + 6000)
			w.heal()
			for range 2 {
				w.b.run(count)
				if name == "token" { // which counts once
					w.b.run(shapes["counter"])
				}
				w.b.flush()
				s := w.b.stored("lim")
				if own := s.Contribution(w.b.ReplicaID()); own == nil || own.Expiry.At != w.now+6000 {
					t.Errorf("after it counted, b has %+v; want the expiry %d", own, w.now+6000)
				}
			}
		})
	}
}

// TestCountedAfterATTL: what b counts after the time of a TTL that it has not heard of stays.
func TestCountedAfterATTL(t *testing.T) {
	for _, name := range []string{"counter", "hash"} {
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(shapes[name])
			w.a.expireAt(w.now + 6000)
			w.a.flush()
			w.now += 6001
			w.b.run(shapes[name])
			w.b.flush()
			w.a.sweep()
			w.heal()
			for _, m := range []*member{w.a, w.b} {
				if s := m.Stats(); s.Keys[0] != 1 || s.Expires[0] != 0 {
					t.Errorf("%d keys, %d with an expiry; want 1, 0", s.Keys[0], s.Expires[0])
				}
			}
		})
	}
}

// TestCreatedAnew: a key that was deleted with its TTL has none when it is made anew, whatever else is left of its earlier life.
func TestCreatedAnew(t *testing.T) {
	w := newWindow(t)
	w.a.run(shapes["counter"])
	w.a.expireAt(w.now + 6000)
	w.heal()
	w.b.run(shapes["counter"]) // carries the TTL, and survives what a does
	w.b.flush()
	w.a.run(func(p *Pipeline) error { _, err := p.Del([][]byte{[]byte("lim")}); return err })
	w.a.run(shapes["counter"])
	w.heal()
	for _, m := range []*member{w.a, w.b} {
		m.run(func(p *Pipeline) error {
			at, ok, err := p.ExpireTime([]byte("lim"))
			if at != 0 || !ok {
				t.Errorf("ExpireTime = %d, %v; want 0, true", at, ok)
			}
			return err
		})
	}
}

// TestExpiryOfADeadSetter: the replica that set the TTL is gone. Ten seconds after its time the key leaves the others.
func TestExpiryOfADeadSetter(t *testing.T) {
	for _, name := range []string{"counter", "hash"} {
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(shapes[name])
			w.a.expireAt(w.now + 6000)
			w.a.flush()
			w.b.pull(w.a)
			w.now += 6000 + 10_000
			w.b.sweep()
			w.b.flush()
			if s := w.b.Stats(); s.Keys[0] != 0 || s.Expires[0] != 0 {
				t.Errorf("%d keys, %d with an expiry; want none", s.Keys[0], s.Expires[0])
			}
		})
	}
}

// TestFlushAllOfWhatIsDue: FLUSHALL empties a server of keys too whose time has come, though others are to carry that out.
func TestFlushAllOfWhatIsDue(t *testing.T) {
	for what, flush := range map[string]func(p *Pipeline) error{
		"alone": func(p *Pipeline) error { return p.FlushAll() },
		"section": func(p *Pipeline) error {
			if err := p.Begin(true); err != nil {
				return err
			}
			defer p.End()
			return p.FlushAll()
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(shapes["counter"])
			w.a.expireAt(w.now + 1000)
			w.a.flush()
			w.b.pull(w.a)
			w.now += 1001
			w.b.run(flush)
			w.b.flush()
			if s := w.b.Stats(); s.Keys[0] != 0 || s.Expires[0] != 0 {
				t.Errorf("%d keys, %d with an expiry; want none", s.Keys[0], s.Expires[0])
			}
			if s := w.b.stored("lim"); s.View().Exists {
				t.Errorf("lim shows %+v; want nothing", s.View())
			}
		})
	}
}

// TestEndOfALaterExpiry: a key whose expiry is stamped by a clock that was far ahead is deleted by a replica whose clock is right: also after a
// crash its batch is stamped later, for it names that expiry.
func TestEndOfALaterExpiry(t *testing.T) {
	for _, crashes := range []bool{false, true} {
		ahead := func() int64 { return time.Now().UnixMilli() + 2*maxAhead }
		a, b := newMember(t, 1, Options{Now: ahead}), newMember(t, 2, Options{})
		a.add("lim", 5)
		a.expireAt(ahead() + maxAhead)
		b.add("lim", 3)
		b.flush()
		b.pull(a)
		b.shows("lim", 8)
		b.del("lim")
		if crashes {
			must(t, nil, b.SyncJournal())
			b.restart(b.disk.Copy(), false)
		}
		a.pull(b)
		a.shows("lim", 0)
		b.shows("lim", 0)
	}
}

// TestLeftOverAndPowerLoss: an expiry that is left over arrives, and power is lost before the journal is synced in which this replica
// names it. The key goes all the same.
func TestLeftOverAndPowerLoss(t *testing.T) {
	for _, name := range []string{"counter", "hash"} {
		count := shapes[name]
		t.Run(name, func(t *testing.T) {
			w := newWindow(t)
			w.a.run(count)
			w.heal()
			w.b.expireAt(w.now + 60_000)
			w.b.run(func(p *Pipeline) error { _, err := p.Del([][]byte{[]byte("lim")}); return err })
			w.b.flush()
			w.a.run(count)
			w.a.flush()
			before := w.a.disk.Copy()
			w.a.pull(w.b)
			w.a.restart(w.a.disk.Copy().WithJournalOf(before), false)
			if s := w.a.Stats(); s.Keys[0] != 1 || s.Expires[0] != 1 {
				t.Errorf("%d keys, %d with an expiry; want 1, 1", s.Keys[0], s.Expires[0])
			}
			w.now += 75_000
			for range 3 {
				w.a.sweep()
				w.a.flush()
			}
			if s := w.a.Stats(); s.Keys[0] != 0 || s.Expires[0] != 0 {
				t.Errorf("%d keys, %d with an expiry after its time; want none", s.Keys[0], s.Expires[0])
			}
		})
	}
}

// A count that is not flushed yet goes with the expiry under which a peer's ended meanwhile: the database, which had dropped that with the
// peer's, names it once it has the count.
func TestExpiryThatEndedBeforeTheFirstFlush(t *testing.T) {
	w := newWindow(t)
	w.b.run(shapes["counter"])
	w.now++
	w.a.run(shapes["counter"])
	w.a.expireAt(w.now + 10_000)
	w.a.del("lim")
	w.b.pull(w.a)
	w.b.flush()
	var shows int64
	w.b.run(func(p *Pipeline) (err error) { shows, _, err = p.ExpireTime([]byte("lim")); return err })
	s := w.b.stored("lim")
	if v := s.View(); v.Expiry.At != shows {
		t.Errorf("lim expires at %d, and in the database at %d: %+v", shows, v.Expiry.At, s)
	}
}
