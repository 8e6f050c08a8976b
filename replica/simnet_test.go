package replica

import (
	"errors"
	"slices"
	"time"

	"atomiccounter/replica/csync"
)

// simLink drives one real puller over the virtual network: it does what link.run does, one step at a time.
type simLink struct {
	r, to   *simReplica
	link    *link
	epoch   int
	cut     bool
	perfect bool // nothing is lost or late: the witness of a restored replica
	stale   Event
}

// request is one that is on its way, or waits at the peer for news.
type request struct {
	l        *simLink
	action   Action
	sent     time.Time
	deadline int64 // until when it waits
	over     bool  // answered, or lost
}

// alive has f run only if the replica was not started anew meanwhile.
func (l *simLink) alive(f func()) func() {
	return func() {
		if l.r.epoch == l.epoch && l.r.e != nil {
			f()
			l.r.w.check(l.r)
		}
	}
}

// drive tells the puller what happened, and has done what it wants next: a moment later, so that a crash may come between.
func (l *simLink) drive(ev Event) {
	w := l.r.w
	a := l.r.node.step(l.link, ev)
	w.trace("%s<-%s: %s -> %s [%s]", l.r.name, l.to.name, describe(ev), describe(a), l.link.puller.State())
	switch a := a.(type) {
	case AskSync:
		a.Bytes = w.few(a.Bytes)
		l.send(a, a.Block)
	case AskSnap:
		a.Bytes = w.few(a.Bytes)
		l.send(a, 0)
	case AskDigest:
		l.send(a, 0)
	case Pause:
		w.after(a.For.Milliseconds()+1, l.alive(func() { l.drive(Woken{}) }))
	default:
		w.after(0, l.alive(func() { l.carryOut(a) }))
	}
}

// carryOut has the node and its store do what the puller wants, and keeps the ghost in step.
func (l *simLink) carryOut(a Action) {
	r := l.r
	before := r.e.Vector()
	ev, ok := r.node.carryOut(l.link, a)
	if !ok {
		r.w.fail("%s: nobody does %T", r.name, a)
	}
	if taken, ok := ev.(Taken); ok {
		list := a.(Take).Batches[:taken.Batches]
		for i := range list {
			r.took(&list[i], before)
		}
	}
	if done, ok := ev.(Done); ok && done.Err == nil {
		switch a := a.(type) {
		case BeginTransfer:
			r.met, r.page = map[string]bool{}, a.Transfer.Snapshot
		case MergePage:
			r.merged(a.Page)
		case FinishTransfer:
			r.finished()
			r.w.transfers++
		}
	}
	_, merges := a.(MergePage)
	_, finishes := a.(FinishTransfer)
	r.landing = merges || finishes
	r.watch()
	r.landing = false
	l.drive(ev)
}

// send puts a request on the network, which may lose it, repeat it, or delay it.
func (l *simLink) send(a Action, block time.Duration) {
	w := l.r.w
	q := &request{l: l, action: a, sent: time.UnixMilli(l.r.now()), deadline: w.now + block.Milliseconds()}
	if l.lossy(.05) {
		q.lose()
		return
	}
	w.after(l.delay(), q.arrive)
	if l.lossy(.05) {
		w.after(l.delay(), q.arrive)
	}
}

// lossy decides whether something goes wrong that does so with probability p.
func (l *simLink) lossy(p float64) bool {
	w := l.r.w
	switch {
	case w.calm || l.perfect:
		return false
	case l.cut:
		return true
	}
	return w.rng.Float64() < p
}

func (l *simLink) delay() int64 {
	w := l.r.w
	if w.calm || l.perfect {
		return 1
	}
	return []int64{0, 1, 1, 2, 5, 30, 200}[w.rng.IntN(7)]
}

// lose has the request end without an answer.
func (q *request) lose() {
	q.answer(Lost{errors.New("lost")}, 1+int64(q.l.r.w.rng.IntN(300)))
}

// answer brings the outcome home, once.
func (q *request) answer(ev Event, late int64) {
	if q.over {
		return
	}
	q.over = true
	q.l.r.w.after(late, q.l.alive(func() { q.l.drive(ev) }))
}

// arrive has the peer answer, or keep the request until there is news.
func (q *request) arrive() {
	l, to := q.l, q.l.to
	if to.e == nil || l.lossy(0) {
		q.lose()
		return
	}
	ev, waits := to.serve(q)
	to.watch()
	if waits {
		to.parked = append(to.parked, q)
		l.r.w.after(q.deadline-l.r.w.now, to.alive(func() {
			if i := slices.Index(to.parked, q); i >= 0 {
				to.parked = slices.Delete(to.parked, i, i+1)
				q.arrive()
			}
		}))
		return
	}
	if l.lossy(.05) {
		q.lose() // the answer, or a part of it
		return
	}
	if _, ok := ev.(Synced); ok && l.stale != nil && l.lossy(.02) {
		ev, l.stale = l.stale, ev // an answer of before comes again
	} else if ok {
		l.stale = ev
	}
	q.answer(ev, l.delay())
}

// announce has those answered who wait for news.
func (r *simReplica) announce() {
	parked := r.parked
	r.parked = nil
	for _, q := range parked {
		r.w.after(0, q.arrive)
	}
}

// serve answers a request as the commands do, through the encoding of both. waits: not yet.
func (r *simReplica) serve(q *request) (ev Event, waits bool) {
	switch a := q.action.(type) {
	case AskSync:
		if r.w.gaps && !r.w.calm || q.l.lossy(.5) {
			a.Except = nil // what it sends all the same has to be refused
		}
		answer, err := r.node.Sync(q.l.r.name, decoded(r, csync.ParseSyncRequest, a.Args()))
		if err != nil {
			return r.declines(err), false
		}
		if len(answer.Batches) == 0 && !answer.NeedState && r.w.now < q.deadline {
			return nil, true
		}
		if n := len(answer.Batches); n > 1 && q.l.lossy(.03) { // it leaves one out: a gap
			i := r.w.rng.IntN(n)
			answer.Batches = slices.Delete(answer.Batches, i, i+1)
		}
		return synced(decoded(r, csync.ParseSyncAnswer, answer.Append(nil)), q.sent), false
	case AskSnap:
		answer, err := r.node.Snap(q.l.r.name, decoded(r, csync.ParseSnapRequest, a.Args()))
		if err != nil {
			return r.declines(err), false
		}
		if a.Snapshot == "" {
			r.w.snapshots[answer.Snapshot] = r.stored.Clone()
		}
		return Snapped{decoded(r, csync.ParseSnapAnswer, answer.Append(nil))}, false
	case AskDigest:
		answer, err := r.node.Digest(q.l.r.name, decoded(r, csync.ParseDigestRequest, a.Args()))
		if err != nil {
			return r.declines(err), false
		}
		return Digested{decoded(r, csync.ParseDigestAnswer, answer.Append(nil))}, false
	}
	r.w.fail("%s: who asks %T?", r.name, q.action)
	return nil, false
}

// decoded is a request or an answer as the other side reads it.
func decoded[T, Wire any](r *simReplica, parse func(Wire) (T, error), wire Wire) T {
	v, err := parse(wire)
	if err != nil {
		r.w.fail("%s: %T: %v", r.name, v, err)
	}
	return v
}

func (r *simReplica) declines(err error) Event {
	var reply csync.Error
	if !errors.As(err, &reply) {
		r.w.fail("%s: it answers %v", r.name, err)
	}
	return Declined{reply}
}
