package engine

import (
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"atomiccounter/engine/enginetest"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

type simReplica struct {
	w       *simWorld
	name    string
	options Options
	e       *Engine
	skew    int64
	ghost   enginetest.Ghost
	pending []enginetest.Event // not yet in a batch
	log     []simBatch
	births  map[string]tlv.Stamp // of the contribution last published
	owed    enginetest.Debts     // of limiters that have counted 1
}

func (r *simReplica) open() { r.e = open(r.w.t, r.options) }

// published keeps a batch for the others, with what it does to the ghost: own tokens that were cancelled count as gone
// for others as soon as a contribution with a new birth replaces the one they were in.
func (r *simReplica) published(data []byte) {
	b, _, err := tlv.ParseBatch(slices.Clone(data))
	if err != nil {
		r.w.t.Fatalf("%s publishes: %v", r.name, err)
	}
	for i := range b.Deltas {
		d := &b.Deltas[i]
		own := d.State.Contribution(r.e.self.id)
		if own == nil {
			continue
		}
		key := enginetest.Name(d.Key)
		if r.births[key] != own.Birth {
			r.pending = append(r.pending, enginetest.Event{Key: key, Add: -1, Gone: r.ghost.OwnGone(r.w.tokens, key, r.e.self.id)})
		}
		r.births[key] = own.Birth
	}
	r.log = append(r.log, simBatch{batch: b, events: r.pending})
	r.pending = nil
}

func (r *simReplica) does(ev enginetest.Event) {
	r.ghost.Apply(ev)
	r.pending = append(r.pending, ev)
}

// look locks the key and gives its state, pending included and everything that has arrived.
func (r *simReplica) look(key string) (s tlv.State, v tlv.View) {
	p := r.e.NewPipeline()
	en := r.lock(p, key)
	s = en.published(r.e.self.id)
	if _, err := p.Commit(); err != nil {
		r.w.t.Fatalf("%s: Commit = %v", r.name, err)
	}
	return s, s.View()
}

// cancels notes in the ghost what a cancel takes away now.
func (r *simReplica) cancels(key string) {
	s, _ := r.look(key)
	r.does(enginetest.Event{Key: key, Add: -1, Gone: r.ghost.Observed(r.w.tokens, key, &s)})
}

// prepares notes what comes before every write. exists: the key's own state shows.
func (r *simReplica) prepares(key string) (exists bool) {
	_, v := r.look(key)
	if t := r.typeOf(key); t == TypeNone {
		r.cancelsAll(key)
	}
	return v.Exists && r.typeOf(key) == TypeString
}

func (r *simReplica) adds(key string, n int64) {
	r.tells(key, enginetest.Token{Origin: r.e.self.id, Value: enginetest.Value{Int: n, OK: true}})
}

// assigned notes a SET that was just made.
func (r *simReplica) assigned(key string, v Value) {
	p := r.e.NewPipeline()
	en := r.lock(p, key)
	birth := en.state().Pending.Delta.Birth
	if _, err := p.Commit(); err != nil {
		r.w.t.Fatalf("%s: Commit = %v", r.name, err)
	}
	r.tells(key, enginetest.Token{Origin: r.e.self.id, Value: enginetest.Value(v), Stamp: birth})
}

func (r *simReplica) tells(key string, t enginetest.Token) {
	r.w.tokens = append(r.w.tokens, t)
	r.does(enginetest.Event{Key: key, Add: len(r.w.tokens) - 1})
}

func (r *simReplica) do(f func(p *Pipeline) error) {
	p := r.e.NewPipeline()
	err := f(p)
	if _, commitErr := p.Commit(); err != nil || commitErr != nil {
		r.w.t.Fatalf("%s: %v, %v", r.name, err, commitErr)
	}
}

func (r *simReplica) step(key string) {
	g := r.w.rng
	k := []byte(key)
	op := g.Float64()
	if *simSeed != 0 {
		s, v := r.look(key)
		r.w.t.Logf("%d %s %s op %.2f: %+v shows %+v", r.w.now, r.name, key, op, s, v)
	}
	switch {
	case r.w.limits && op < .62:
		r.stepLimiter(key, op)
	case op < .62 && r.w.fields[key] != nil && g.IntN(2) == 0:
		r.stepHash(key, op)
	case op < .35:
		r.increment(key, []int64{1, 1, 5, -2, 0}[g.IntN(5)])
	case op < .42:
		r.prepares(key)
		r.cancelsAll(key)
		r.do(func(p *Pipeline) error { _, err := p.Del([][]byte{k}); return err })
	case op < .45:
		r.harvest(key)
	case op < .50:
		r.cancelsAll(key)
		v := r.w.value()
		r.do(func(p *Pipeline) error { _, err := p.Put(k, v, SetOptions{}); return err })
		r.assigned(key, v)
	case op < .52:
		r.append(key, []string{"", "1", "x"}[g.IntN(3)])
	case op < .58 && r.w.ttl:
		r.expire(key, []int64{0, 1, 3, 8}[g.IntN(4)])
	case op < .62 && r.w.ttl:
		r.sweep()
	case op < .72:
		r.flush()
	case op < .90:
		r.pull(r.w.replicas[g.IntN(len(r.w.replicas))], g.IntN(3))
	case op < .93:
		r.e.Refresh()
	case op < .96:
		r.evict()
	default:
		r.crash()
	}
}

// stepLimiter counts in a window, or deletes what was counted. Who counts 1 sets the TTL.
func (r *simReplica) stepLimiter(key string, op float64) {
	switch {
	case op < .45:
		r.limit(key)
	case op < .48 && len(r.w.keys) > 1:
		r.cancelsAll(key)
		r.do(func(p *Pipeline) error { _, err := p.Del([][]byte{[]byte(key)}); return err })
	case op < .55:
		r.owed.Pay(r.expire)
	default:
		r.sweep()
	}
}

func (r *simReplica) limit(key string) {
	counted := key
	if fields := r.w.fields[key]; fields != nil {
		counted = fields[r.w.rng.IntN(len(fields))]
		r.writeField(key, counted, false)
	} else {
		r.increment(key, 1)
	}
	_, v := r.look(counted)
	if n := v.Sum; n == tlv.FromInt64(1) || n == tlv.FromInt64(fieldStep) && r.w.fields[key] != nil {
		r.owed = append(r.owed, enginetest.Debt{Key: key, MS: []int64{3, 6}[r.w.rng.IntN(2)]})
	}
	if r.w.rng.IntN(2) == 0 {
		r.owed.Pay(r.expire)
	}
}

// increment adds, unless a text shows.
func (r *simReplica) increment(key string, n int64) {
	_, v := r.look(key)
	refused := r.prepares(key) && v.IsText
	hash := r.typeOf(key) == TypeHash
	r.do(func(p *Pipeline) error {
		_, err := p.Incr([]byte(key), n)
		if refused && errors.Is(err, ErrNotInteger) || hash && errors.Is(err, ErrWrongType) {
			return nil
		}
		return err
	})
	refused = refused || hash
	if !refused {
		r.adds(key, n)
	}
}

// append reads and writes at one moment, and leaves the expiry.
func (r *simReplica) append(key, s string) {
	_, before := r.look(key)
	exists := r.prepares(key)
	if r.refusesHash(key, func(p *Pipeline) error {
		return p.Edit([]byte(key), func(old Value) (Value, bool, error) { return old, true, nil })
	}) {
		return
	}
	r.cancels(key)
	var next Value
	r.do(func(p *Pipeline) error {
		return p.Edit([]byte(key), func(old Value) (Value, bool, error) {
			if old.OK != exists || exists && enginetest.Value(old) != enginetest.Shown(&before) {
				r.w.t.Fatalf("%s: Edit(%s) of %+v; want %+v", r.name, key, old, before)
			}
			next = ParseValue(append(old.Append(nil), s...))
			return next, true, nil
		})
	})
	r.assigned(key, next)
	if _, after := r.look(key); exists && after.Expiry.At != before.Expiry.At {
		r.w.t.Fatalf("%s: Edit(%s) left expiry %+v; want %+v", r.name, key, after.Expiry, before.Expiry)
	}
}

// harvest checks that GETDEL returns what it takes.
func (r *simReplica) harvest(key string) {
	_, want := r.look(key)
	exists := r.prepares(key)
	if r.refusesHash(key, func(p *Pipeline) error { _, err := p.GetDel([]byte(key)); return err }) {
		return
	}
	r.cancels(key)
	r.do(func(p *Pipeline) error {
		v, err := p.GetDel([]byte(key))
		if v.OK != exists || exists && enginetest.Value(v) != enginetest.Shown(&want) {
			r.w.t.Fatalf("%s: GetDel(%s) = %+v, %v; want %v", r.name, key, v, err, want)
		}
		return err
	})
}

func (r *simReplica) expire(key string, ms int64) {
	exists := r.typeOf(key) != TypeNone
	r.prepares(key)
	r.do(func(p *Pipeline) error {
		if ms == 0 {
			_, err := p.Persist([]byte(key))
			return err
		}
		ok, err := p.ExpireAt([]byte(key), r.e.Now()+ms, 0)
		if ok != exists {
			r.w.t.Fatalf("%s: ExpireAt(%s) = %v, %v; want %v", r.name, key, ok, err, exists)
		}
		return err
	})
}

func (r *simReplica) sweep() {
	for _, key := range r.w.keys {
		_, v := r.look(key)
		if at := v.Expiry.At; at != 0 && at <= r.e.Now() && v.Owner == r.e.self.id && r.indexed(key) {
			r.cancelsAll(key)
		}
	}
	if err := r.e.Sweep(); err != nil {
		r.w.t.Fatalf("%s: Sweep = %v", r.name, err)
	}
}

// indexed says whether the sweeper will find the key: it works from what is flushed.
func (r *simReplica) indexed(key string) bool {
	page, err := r.e.duePage([]byte{store.IndexPrefix}, r.e.Now())
	if err != nil {
		r.w.t.Fatalf("duePage = %v", err)
	}
	return slices.ContainsFunc(page, func(d due) bool { return d.key[1:] == key })
}

func (r *simReplica) flush() {
	if err := r.e.Flush(); err != nil {
		r.w.t.Fatalf("%s: Flush = %v", r.name, err)
	}
}

// pull applies what o has of every replica, all of it or a batch or two.
func (r *simReplica) pull(o *simReplica, limit int) {
	if r == o {
		return
	}
	n := 0
	for _, b := range o.log {
		if b.batch.Stamp <= r.e.committer.only.vector.Entry(o.e.self.id).Stamp {
			continue
		}
		if n++; limit > 0 && n > limit {
			break
		}
		if err := r.e.Apply(recode(r.w.t, &b.batch)); err != nil {
			r.w.t.Fatalf("%s: Apply = %v", r.name, err)
		}
		for _, ev := range b.events {
			r.ghost.Apply(ev)
		}
	}
}

// recode sends a batch through its encoding.
func recode(t *testing.T, b *tlv.Batch) *tlv.Batch {
	got, rest, err := tlv.ParseBatch(tlv.AppendBatch(nil, b))
	if err != nil || len(rest) > 0 {
		t.Fatalf("ParseBatch = %v, %d bytes left", err, len(rest))
	}
	return &got
}

// evict drops every clean entry from the cache.
func (r *simReplica) evict() {
	limit := r.e.CacheSize()
	r.e.SetCacheSize(0)
	for i := range r.e.table.shards {
		for range 3 {
			r.e.table.evict(uint64(i)<<(64-shardBits), r.e.cuts.flushed.Load(), r.e.forget)
		}
	}
	r.e.SetCacheSize(limit)
}

// crash opens a copy of what is on disk and in the mapped journal, without a close. Opening flushes.
func (r *simReplica) crash() {
	old := r.e
	prepared(old)
	r.options.fs = r.options.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	r.options.segments = r.options.segments.(*enginetest.Segments).Clone()
	id := old.self.id
	old.options.publish = nil
	r.e = nil
	r.options.publish = func(b []byte) {
		r.e = &Engine{self: identity{id: id}}
		r.published(b)
	}
	r.open()
	r.options.publish = r.published
	r.e.options.publish = r.published
	if r.e.self.id != id {
		r.w.t.Fatalf("%s: replica ID %x after a crash; want %x", r.name, r.e.self.id, id)
	}
	if err := old.Close(); err != nil {
		r.w.t.Fatalf("%s: Close = %v", r.name, err)
	}
}
