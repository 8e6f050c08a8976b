package replica

import (
	"strings"
	"testing"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// oneByOne is a store and its peer, as far as a puller knows of them. The log of the peer reaches back to 30, before which there is
// its state, of three pages.
type oneByOne struct {
	t        *testing.T
	self     Self
	snapshot string // that the peer keeps
	pages    string // that are merged
}

func (o *oneByOne) has() tlv.Stamp { return o.self.Vector.Entry(theirs).Stamp }

// do carries an action out.
func (o *oneByOne) do(a Action) Event {
	switch a := a.(type) {
	case AskSync:
		return o.sync(a.Vector.Entry(theirs).Stamp)
	case AskSnap:
		return o.snap(&a)
	case Claim:
		return Turn{true}
	case Pause:
		return Woken{}
	case Take:
		b := &a.Batches[0]
		if b.Prev != o.has() || len(a.Batches) > 1 || o.self.Transfer != nil {
			o.t.Errorf("%d batches, from %d on, are taken after %d, transfer %+v", len(a.Batches), b.Stamp, o.has(), o.self.Transfer)
		}
		o.self.Vector.Put(b.Entry())
		return Taken{1, nil}
	case BeginTransfer:
		o.self.Transfer, o.pages = &a.Transfer, ""
	case MergePage:
		o.pages += string(a.Page)
		tr := *o.self.Transfer
		tr.Cursor, tr.Done, tr.Complete = a.Next, a.Done, len(a.Next) == 0
		o.self.Transfer = &tr
	case FinishTransfer:
		if o.pages != "abc" {
			o.t.Errorf("finished with the pages %q; want abc", o.pages)
		}
		o.self.Vector.Merge(o.self.Transfer.Vector)
		o.self.Transfer = nil
	default:
		o.t.Fatalf("%T is not for this peer", a)
	}
	return Done{}
}

func (o *oneByOne) sync(has tlv.Stamp) Event {
	s := answers(0)
	s.Answer.Vector = tlv.Vector{at(theirs, 50)}
	if s.Answer.NeedState = has < 30; has >= 30 && has < 50 {
		b := batch(theirs, has, has+10)
		s.Batches, s.Answer.Left = []tlv.Batch{b}, int64(50-b.Stamp)/10
	}
	return s
}

func (o *oneByOne) snap(a *AskSnap) Event {
	if a.Snapshot == "" {
		o.snapshot += "s" // a new name
	} else if a.Snapshot != o.snapshot {
		return Declined{csync.CodeNoSnapshot + " begin again"}
	}
	i := int64(len(a.Cursor))
	p := csync.SnapAnswer{ID: theirs, Snapshot: o.snapshot, Vector: tlv.Vector{at(theirs, 30)}, Keys: 3, Done: i + 1, Page: []byte("abc"[i : i+1])}
	if i < 2 {
		p.Next = append(a.Cursor, 'x')
	}
	return Snapped{p}
}

// TestPullerStopsAnywhere: whoever drives a puller may stop for ever between any two steps. Another one goes on from what is durable.
func TestPullerStopsAnywhere(t *testing.T) {
	for _, how := range []string{"before it is done", "when it is done", "when it is done, and the snapshot goes"} {
		for stop, ended := 0, false; !ended; stop++ {
			k := newTalk(t)
			o := &oneByOne{t: t, self: k.self}
			var ev Event = Woken{}
			ended = true
			for step := 0; step < 100 && o.has() < 50; step++ {
				k.self = o.self
				a := k.step(ev)
				if step != stop || how != "before it is done" {
					ev = o.do(a)
				}
				if step == stop {
					ended = false
					k, ev = newTalk(t), Woken{}
					if strings.HasSuffix(how, "goes") {
						o.snapshot += "gone"
					}
				}
			}
			if o.has() != 50 || o.pages != "abc" {
				t.Fatalf("stopped at step %d %s: at %d with the pages %q; want 50, abc", stop, how, o.has(), o.pages)
			}
		}
	}
}
