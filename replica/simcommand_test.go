package replica

import (
	"errors"
	"fmt"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// visible says whether the key shows.
func (r *simReplica) visible(key string) bool {
	_, v := r.look(key)
	return v.Exists && !(v.Expiry.At != 0 && v.Expiry.At <= r.wall())
}

// prepares notes what comes before every write: a key that does not show is cancelled.
func (r *simReplica) prepares(key string) (shows bool) {
	if shows = r.visible(key); !shows {
		r.cancels(key)
	}
	return shows
}

func (r *simReplica) adds(key string, v engine.Value, stamp tlv.Stamp) {
	r.w.tokens = append(r.w.tokens, enginetest.Token{Origin: r.id, Value: enginetest.Value(v), Stamp: stamp})
	r.does(enginetest.Event{Key: key, Add: len(r.w.tokens) - 1})
}

// do runs a command and has it synced, as its reply is when it goes out.
func (r *simReplica) do(what string, f func(p *engine.Pipeline) error) {
	p := r.e.NewPipeline()
	err := f(p)
	_, commitErr := p.Commit()
	syncErr := r.e.SyncJournal()
	if err != nil || commitErr != nil || syncErr != nil {
		r.w.fail("%s: %s: %v, %v, %v", r.name, what, err, commitErr, syncErr)
	}
	r.w.trace("%s: %s", r.name, what)
}

func (r *simReplica) incr(key string, n int64) (reply int64) {
	_, v := r.look(key)
	refused := r.prepares(key) && v.IsText
	r.do(fmt.Sprintf("INCRBY %s %d", key, n), func(p *engine.Pipeline) (err error) {
		if hash, field, ok := cutField(key); ok {
			reply, err = p.IncrField(hash, field, n)
		} else {
			reply, err = p.Incr([]byte(key), n)
		}
		if refused && errors.Is(err, engine.ErrNotInteger) {
			return nil
		}
		return err
	})
	if !refused {
		r.adds(key, engine.IntValue(n), 0)
	}
	return reply
}

// flicker has a key live in one batch of this replica, and dead in the next.
func (r *simReplica) flicker(key string) {
	r.count(key, 7)
	r.flush()
	r.del(key)
	r.flush()
}

func (r *simReplica) del(key string) {
	r.prepares(key)
	r.cancels(key)
	r.do("DEL "+key, func(p *engine.Pipeline) (err error) {
		if hash, field, ok := cutField(key); ok {
			_, err = p.DelFields(hash, [][]byte{field})
		} else {
			_, err = p.Del([][]byte{[]byte(key)})
		}
		return err
	})
}

// harvest checks that GETDEL returns what it takes.
func (r *simReplica) harvest(key string) {
	if hash, _, ok := cutField(key); ok {
		r.delHash(string(hash))
		return
	}
	_, want := r.look(key)
	shows := r.prepares(key)
	r.cancels(key)
	r.do("GETDEL "+key, func(p *engine.Pipeline) error {
		v, err := p.GetDel([]byte(key))
		if v.OK != shows || shows && enginetest.Value(v) != enginetest.Shown(&want) {
			r.w.fail("%s: GetDel(%s) = %+v, %v; want %+v, %v", r.name, key, v, err, enginetest.Shown(&want), shows)
		}
		return err
	})
}

func (r *simReplica) set(key string, v engine.Value) {
	r.cancels(key)
	r.do(fmt.Sprintf("SET %s %q", key, v.Append(nil)), func(p *engine.Pipeline) (err error) {
		if hash, field, ok := cutField(key); ok {
			_, err = p.SetFields(hash, [][]byte{field}, []engine.Value{v}, engine.Overwrite)
		} else {
			_, err = p.Put([]byte(key), v, engine.SetOptions{})
		}
		return err
	})
	s, _ := r.look(key)
	own := s.Contribution(r.id)
	if own == nil || !own.HasValue {
		r.w.fail("%s: after SET the contribution is %+v", r.name, own)
	}
	r.adds(key, v, own.Birth)
}

func (r *simReplica) expire(key string, ms int64) {
	if _, _, ok := cutField(key); ok {
		r.del(key) // a field has no expiry
		return
	}
	shows := r.prepares(key)
	r.do(fmt.Sprintf("PEXPIRE %s %d", key, ms), func(p *engine.Pipeline) error {
		if ms == 0 {
			_, err := p.Persist([]byte(key))
			return err
		}
		ok, err := p.ExpireAt([]byte(key), r.wall()+ms, 0)
		if ok != shows {
			r.w.fail("%s: ExpireAt(%s) = %v, %v; want %v", r.name, key, ok, err, shows)
		}
		return err
	})
}

// count adds n, or, where there are limiters alone, counts in a window.
func (r *simReplica) count(key string, n int64) {
	if r.w.limits {
		r.limit(key)
	} else {
		r.incr(key, n)
	}
}

// limit counts in a window of a few ms. Who counts 1 sets the TTL.
func (r *simReplica) limit(key string) {
	if r.incr(key, 1) == 1 {
		r.owed = append(r.owed, enginetest.Debt{Key: key, MS: []int64{3, 6}[r.w.rng.IntN(2)]})
	}
	if !r.w.apart || r.w.rng.IntN(2) == 0 {
		r.owed.Pay(r.expire)
	}
}

// sweep carries out expiries. What of them the sweeper did is seen afterwards.
func (r *simReplica) sweep() {
	before := map[string]tlv.State{}
	for _, key := range r.w.keys {
		before[key], _ = r.look(key)
	}
	if err := r.e.Sweep(); err != nil {
		r.w.fail("%s: Sweep = %v", r.name, err)
	}
	if err := r.e.SyncJournal(); err != nil {
		r.w.fail("%s: SyncJournal = %v", r.name, err)
	}
	for _, key := range r.w.keys {
		s := before[key]
		v := s.View()
		if _, after := r.look(key); !v.Exists || after.Exists {
			continue
		}
		if v.Expiry.At == 0 || v.Expiry.At > r.wall() {
			r.w.fail("%s: the sweep took %s, which expires at %d", r.name, key, v.Expiry.At)
		}
		r.w.trace("%s: sweep takes %s", r.name, key)
		r.does(enginetest.Event{Key: key, Add: -1, Gone: r.ghost.Observed(r.w.tokens, key, &s)})
	}
}

// cancels notes in the ghost what a cancel takes away: what of the key is open as stored now.
func (r *simReplica) cancels(key string) {
	s, _ := r.look(key)
	r.does(enginetest.Event{Key: key, Add: -1, Gone: r.ghost.Observed(r.w.tokens, key, &s)})
}

func (r *simReplica) does(ev enginetest.Event) {
	if ev.Add < 0 && len(ev.Gone) == 0 || r.w.forks {
		return
	}
	ev.Life = r.life
	r.ghost.Apply(ev)
	r.pending = append(r.pending, ev)
}
