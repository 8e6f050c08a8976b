package replica

import (
	"errors"
	"slices"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// losing has a replica get another store. What it alone had may be lost.
func (w *simWorld) losing(r *simReplica, f func()) {
	before := w.digits(r)
	f()
	have := w.digits(r)
	for _, o := range w.replicas {
		if o.e == nil || !o.confirmed() { // it may yet rely on what was lost here
			continue
		}
		for i, n := range w.digits(o) {
			have[i] += n
		}
	}
	for i := range w.marked {
		w.marked[i] = w.marked[i] || before[i] > 0 && have[i] == 0
	}
}

// half says whether all that a replica has of some ID's last batches is what half of a state transfer brought: nobody knows of them, and what
// they say may count twice, or be replaced.
func (w *simWorld) half(r *simReplica) bool {
	s, _ := r.look(marks)
	v := r.e.Vector()
	return slices.ContainsFunc(s.Contributions, func(c tlv.Contribution) bool {
		return !w.tails[c.Replica] && c.Rev > v.Entry(c.Replica).Stamp
	})
}

// clone has a replica go on with a copy of the store of another, which goes on too.
func (w *simWorld) clone(r *simReplica) {
	o := w.replicas[w.rng.IntN(2)]
	if w.healthy(r) || o.e == nil || !slices.Contains(r.peers, o) {
		return // a copy that reaches nobody who knows of the original publishes under the same ID
	}
	w.between(r, o, false)
	mine, theirs := r.backup, o.backup
	o.backup = nil
	o.save()
	r.backup, o.backup = o.backup, theirs
	if r.backup == nil { // it waits for its peers
		r.backup = mine
		return
	}
	w.trace("%s gets a copy of the store of %s", r.name, o.name)
	w.losing(r, func() { r.restore("") })
	r.fork, r.backup = false, mine
}

// healthy says whether a replica never loses anything, in a world of forks.
func (w *simWorld) healthy(r *simReplica) bool { return w.forks && r.name >= "r2" }

// cut cuts a link of a replica, or mends it.
func (w *simWorld) cut(r *simReplica) {
	l := r.links[w.rng.IntN(len(r.links))]
	l.cut = !l.cut
	w.trace("%s<-%s: cut: %v", r.name, l.to.name, l.cut)
}

// miss has a replica miss much of what the others do, some of which then have no log of it any more.
func (w *simWorld) miss(r *simReplica) {
	w.trace("%s is isolated", r.name)
	for _, l := range r.links {
		l.cut = true
	}
	for range 6 {
		o := w.replicas[w.rng.IntN(len(w.replicas))]
		key := w.key()
		switch {
		case o == r || o.e == nil:
		case w.rng.IntN(2) == 0:
			o.flicker(key)
		default:
			o.count(key, 1)
			o.flush()
		}
		w.pass(int64(w.rng.IntN(100)))
	}
	for _, l := range r.links {
		l.cut = false
		if l.to.e != nil && w.rng.IntN(2) == 0 {
			l.to.loseLog()
		}
	}
}

// forget has a replica drop what is cancelled of another one, which may well be there.
func (w *simWorld) forget(r *simReplica) {
	id := w.replicas[w.rng.IntN(len(w.replicas))].id
	select {
	case <-r.e.Confirmed():
	default:
		return
	}
	if _, err := r.node.Forget(id, true); err != nil && !errors.Is(err, engine.ErrForgetsItself) {
		w.fail("%s: Forget(%x) = %v", r.name, id, err)
	}
	w.trace("%s forgets %x", r.name, id)
}

func (w *simWorld) scrub(r *simReplica) {
	if err := r.e.Scrub(); err != nil {
		w.fail("%s: Scrub = %v", r.name, err)
	}
}

// witnessed says that a restored replica still has to hear that it has forked: nobody it needs for that may go now.
func (w *simWorld) witnessed() bool {
	return slices.ContainsFunc(w.replicas, func(r *simReplica) bool { return r.fork })
}

func (w *simWorld) crash(r *simReplica) {
	if w.witnessed() {
		return
	}
	power := w.rng.IntN(2) == 0
	w.trace("%s crashes, power %v", r.name, power)
	r.stop(power)
	down := []int64{0, 0, 10, 1000}[w.rng.IntN(4)]
	w.after(down, func() {
		if r.e == nil {
			r.open()
		}
	})
}

// killWaiting ends a restored replica with kill -9 before it has heard that it has forked.
func (w *simWorld) killWaiting(r *simReplica) {
	w.trace("%s is killed while it waits", r.name)
	r.stop(false)
	r.open()
	for _, l := range r.links {
		l.perfect = l.to.name == r.witness
	}
}

func (w *simWorld) rollBack(r *simReplica) {
	if w.forks {
		w.rollBackLate(r)
		return
	}
	if w.witnessed() {
		return
	}
	if l := r.restorable(); l != nil {
		w.trace("%s is rolled back; %s knows all", r.name, l.to.name)
		r.restore(l.to.name)
	}
}

// rollBackLate rolls a replica back that reaches nobody for so long that it goes on under its old ID, and then one other,
// which has not heard what the others had of it before.
func (w *simWorld) rollBackLate(r *simReplica) {
	if r.backup == nil || w.healthy(r) {
		return
	}
	o := w.replicas[w.rng.IntN(len(w.replicas))]
	for o == r {
		o = w.replicas[w.rng.IntN(len(w.replicas))]
	}
	w.trace("%s hears nobody", o.name)
	w.between(o, nil, true)
	w.busy(r)
	w.trace("%s is rolled back", r.name)
	w.losing(r, func() { r.restore("") })
	r.fork = false
	w.between(r, nil, true)
	w.pass(2500)
	w.busy(r)
	w.trace("%s meets %s", r.name, o.name)
	w.between(r, o, false)
	w.pass(500)
	w.busy(r)
	if w.rng.IntN(2) == 0 {
		w.between(r, o, true)
	}
}

// busy has a replica do this and that, and publish it.
func (w *simWorld) busy(r *simReplica) {
	for range 1 + w.rng.IntN(3) {
		key := w.key()
		switch w.rng.IntN(5) {
		case 0:
			r.del(key)
		case 1:
			r.set(key, w.value())
		default:
			r.count(key, 1)
		}
		r.flush()
		w.pass(int64(w.rng.IntN(300)))
	}
}

// between cuts the links between two replicas, or mends them; o nil: those between r and all others.
func (w *simWorld) between(r, o *simReplica, cut bool) {
	for _, p := range w.replicas {
		for _, l := range p.links {
			if l.r == r && (o == nil || l.to == o) || l.to == r && (o == nil || l.r == o) {
				l.cut = cut
			}
		}
	}
}

// putBack puts a machine back together with its memory. It goes on under the ID that it had, without asking: where the others have
// anything else of that they take none of it, and it goes on under another ID. All of them are alike still, and have what it counts then.
func (w *simWorld) putBack(r *simReplica) {
	others := slices.DeleteFunc(slices.Clone(w.replicas), func(o *simReplica) bool { return o == r })
	theirs, was := others[0].e.Vector(), r.machine.vector.Entry(r.machine.id)
	ended := slices.ContainsFunc(theirs, func(e tlv.VectorEntry) bool { return e.Of == r.machine.id })
	if ended && theirs.Entry(r.machine.id).Stamp <= was.Stamp {
		return // it has been given up since at the very batch: all take its next for one of before that
	}
	have := w.digits(others[0])
	w.trace("the machine of %s is put back", r.name)
	r.drop()
	r.disk, r.simStored = r.machine.disk, r.machine.simStored.clone()
	r.open()
	w.busy(r)
	w.pass(30_000)
	r.incr("after", 1)
	r.flush()
	w.pass(30_000)
	for _, o := range others {
		if _, v := o.look("after"); v.Sum != tlv.FromInt64(1) {
			w.fail("%s: of the machine that was put back and is now %x shows %+v: %s", o.name, r.id, v, w.describe())
		}
		for i, n := range w.digits(o) {
			if n < have[i] {
				w.fail("%s: mark %d is lost", o.name, i)
			}
		}
		for _, key := range w.keys {
			_, a := others[0].look(key)
			if _, b := o.look(key); enginetest.Shown(&a) != enginetest.Shown(&b) {
				w.fail("%s of %s shows %+v; %s shows %+v", key, others[0].name, a, o.name, b)
			}
		}
	}
}
