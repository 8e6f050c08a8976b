package replica

import (
	"fmt"
	"slices"
	"strings"

	"atomiccounter/engine/enginetest"
	"atomiccounter/tlv"
)

// check compares a replica with its ghost.
func (w *simWorld) check(r *simReplica) {
	if r.e == nil {
		return
	}
	for _, key := range w.keys {
		if w.forks {
			break
		}
		s, v := r.look(key)
		if want := r.ghost.Value(w.tokens, key); enginetest.Shown(&v) != want {
			w.fail("%s: %s shows %+v; want %+v: %+v", r.name, key, enginetest.Shown(&v), want, s)
		}
		for _, c := range s.Contributions {
			if c.Replica != r.id && !c.Closed {
				if p, ok := w.contributions[writing{key, c.Replica, c.Rev}]; !ok || p != c {
					w.fail("%s: %s has %+v; its replica published %+v", r.name, key, c, p)
				}
			}
		}
	}
	r.checkSize()
	if !w.forks {
		w.compare(r)
	}
}

// checkNoGap checks that everything is there which the vector claims more than before.
func (w *simWorld) checkNoGap(r *simReplica, was, is tlv.VectorEntry) {
	for _, b := range w.history[is.Replica] {
		if b.entry.Stamp > was.Stamp && b.entry.Stamp <= is.Stamp && !r.stored.Has(b.events) {
			w.fail("%s: its vector has %x up to %d, and batch %d is not there", r.name, is.Replica, is.Stamp, b.entry.Stamp)
		}
	}
}

// agree says whether all have all batches. Who fetches a state hears of tails, and need not tell others.
func (w *simWorld) agree() bool {
	for _, r := range w.replicas {
		if r.e == nil || r.fork || len(r.pending) > 0 {
			return false
		}
		mine, theirs := r.e.Vector(), w.replicas[0].e.Vector()
		if _, forked := mine.Conflict(theirs); forked || !mine.Covers(theirs) || !theirs.Covers(mine) {
			return false
		}
		if _, unfinished := r.e.Transfer(); unfinished {
			return false
		}
	}
	return true
}

func (w *simWorld) describe() string {
	var b strings.Builder
	for _, r := range w.replicas {
		fmt.Fprintf(&b, "\n%s %x ", r.name, r.id)
		if r.e == nil {
			b.WriteString("down")
			continue
		}
		t, unfinished := r.e.Transfer()
		fmt.Fprintf(&b, "vector %v, transfer %+v %v, pending %v;", r.e.Vector(), t, unfinished, r.pending)
		for _, l := range r.links {
			s := l.link.puller.Status()
			fmt.Fprintf(&b, " %s %s %s;", l.to.name, s.State, s.Error)
		}
	}
	return b.String()
}

// forgotten says whether a contribution is the rest that is kept of a replica that nobody is any more.
func (w *simWorld) forgotten(s tlv.State, c tlv.Contribution) bool {
	return slices.Contains(w.dead, c.Replica) && c.Closed && (s.Forgotten(&c) || w.replicas[0].e.Vector().Entry(c.Replica).Stamp < c.Rev)
}

// leftovers checks that dead keys have left nothing behind.
func (w *simWorld) leftovers(r *simReplica) {
	s, err := r.e.Snapshot()
	if err != nil {
		w.fail("%s: Snapshot = %v", r.name, err)
	}
	defer s.Close()
	page, next, _, err := s.Page(nil, 1<<20)
	if err != nil || len(next) > 0 {
		w.fail("%s: Page = %v, next %x", r.name, err, next)
	}
	deltas, err := tlv.ParseDeltas(page)
	if err != nil {
		w.fail("%s: ParseDeltas = %v", r.name, err)
	}
	hashes := map[string]bool{}
	for _, d := range deltas {
		if name, _, ok := tlv.SplitFieldName(d.Key[1:]); ok && tlv.Space(d.Key[0]) == tlv.FieldSpace && d.State.View().Exists {
			hashes[string(name)] = true
		}
	}
	for _, d := range deltas {
		if v := d.State.View(); !v.Exists && !hashes[string(d.Key[1:])] && slices.ContainsFunc(d.State.Contributions, func(c tlv.Contribution) bool { return !w.forgotten(d.State, c) }) {
			w.fail("%s: dead %s left %+v; vector %v, dead replicas %d", r.name, d.Key[1:], d.State, r.e.Vector(), w.dead)
		}
	}
}

// describe names an event or action in a trace.
func describe(x any) string {
	switch x := x.(type) {
	case AskSync:
		return fmt.Sprintf("CSYNC %v except %x block %v bytes %d", x.Vector, x.Except, x.Block, x.Bytes)
	case AskSnap:
		return fmt.Sprintf("CSNAP %q %x", x.Snapshot, x.Cursor)
	case AskDigest:
		return fmt.Sprintf("CDIGEST %q", x.Keys)
	case Take:
		var b strings.Builder
		for i := range x.Batches {
			fmt.Fprintf(&b, "take %d..%d of %x, ", x.Batches[i].Prev, x.Batches[i].Stamp, x.Batches[i].Replica)
		}
		return b.String()
	case Synced:
		return fmt.Sprintf("%d batches of %x, left %d, state %v, vector %v", len(x.Batches), x.Answer.ID, x.Answer.Left, x.Answer.NeedState, x.Answer.Vector)
	case Snapped:
		return fmt.Sprintf("page of %q, done %d of %d, next %x", x.Answer.Snapshot, x.Answer.Done, x.Answer.Keys, x.Answer.Next)
	}
	return fmt.Sprintf("%T%+v", x, x)
}
