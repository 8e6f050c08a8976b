package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// intake is where a puller is in taking in the batches of an answer.
type intake struct {
	answer   *csync.SyncAnswer
	batches  []tlv.Batch // of it
	err      error       // why there are no more of them
	sent     time.Time   // when it was asked for
	received time.Time
	next     int       // batch that is not taken in, nor passed over
	gap      bool      // one did not follow what is here
	gaps     int       // answers in a row of which that is so
	behind   time.Time // since when something is lacking here that the peer has; zero: nothing is
}

// refusal says why a replica's batches are not taken from this peer, and until when.
type refusal struct {
	state State
	why   string
	until time.Time
}

func (p *puller) refuses(id tlv.ReplicaID) bool {
	r, ok := p.refused[id]
	return ok && p.now.Before(r.until)
}

func (p *puller) synced(ev Synced) Action {
	a := &ev.Answer
	if a.ID == p.self.ID {
		return p.mirrored(a.Life == p.self.Life)
	}
	p.status.LastContact = p.now
	p.met(a.ID)
	p.compareClocks(a.Clock, ev.Sent)
	if e := a.Vector.Entry(p.self.ID); !p.self.True(e) {
		return p.forked(e)
	} else if !p.self.Confirmed && p.self.ended(a.Vector) {
		p.vouched = false
		return p.confirming()
	}
	p.greeted, p.vouched, p.level, p.former = true, true, false, a.Former
	n := &p.intake
	n.answer, n.batches, n.err, n.sent, n.received, n.next, n.gap = a, ev.Batches, ev.Err, ev.Sent, p.now, 0, false
	for i := range n.batches {
		p.status.BytesIn += int64(len(n.batches[i].Encoded()))
	}
	p.lag()
	if !p.self.Confirmed {
		return p.confirming()
	}
	p.compareHistories(a.Vector)
	if all := p.self.Cluster.Join(a.Cluster); !slices.Equal(all.Names, p.self.Cluster.Names) {
		return JoinCluster{a.Cluster} // before there is anything of it here that a CMERGE could bring once more
	}
	return p.takeNext()
}

// joinedCluster is after the store has been asked to know the names of the peer's cluster.
func (p *puller) joinedCluster(err error) Action {
	switch {
	case errors.Is(err, engine.ErrClusterNames):
		return p.trouble(Refused, slog.LevelError, err)
	case err != nil:
		return p.stuck(err)
	}
	return p.takeNext()
}

// compareHistories finds out of which replicas the peer has another history than this store, as far as entries show that.
func (p *puller) compareHistories(theirs tlv.Vector) {
	for _, e := range theirs {
		if !p.self.True(e) {
			p.refuse(e.Replica, refusal{state: forked, until: p.now.Add(maxBackoff),
				why: fmt.Sprintf("replica %s has forked: the peer has another history of it, up to %d", csync.Hex(e.Replica), e.Stamp)})
		}
	}
}

// met notes which replica the peer is.
func (p *puller) met(id tlv.ReplicaID) {
	switch p.status.ID {
	case id:
		return
	case 0:
		p.say(slog.LevelInfo, "peer found", "replica", csync.Hex(id))
	default:
		p.say(slog.LevelWarn, "the peer is another replica now", "replica", csync.Hex(id), "before", csync.Hex(p.status.ID))
	}
	p.status.ID = id
	clear(p.refused)
	p.intake.gaps = 0
	p.compared = comparison{due: p.compared.due, from: p.compared.from}
	p.status.Divergent = 0
}

// compareClocks knows that the peer's clock was read some time between the request and the answer: of the offsets that are
// possible it takes the smallest.
func (p *puller) compareClocks(theirs int64, sent time.Time) {
	least, most := theirs-p.now.UnixMilli(), theirs-sent.UnixMilli()
	offset := max(least, min(0, most))
	p.status.ClockOffsetMillis = offset
	off := max(offset, -offset) > maxOffset.Milliseconds()
	switch {
	case off && !p.offBy:
		p.say(slog.LevelWarn, "the clocks of this replica and of the peer are more than a minute apart", "replica", csync.Hex(p.status.ID), "ahead_ms", offset)
	case !off && p.offBy:
		p.say(slog.LevelInfo, "the clocks of this replica and of the peer agree again", "replica", csync.Hex(p.status.ID))
	}
	p.offBy = off
}

// mirrored meets this replica's own ID.
func (p *puller) mirrored(same bool) Action {
	p.status.LastContact, p.status.ID = p.now, p.self.ID
	if same {
		p.enter(itself, "")
		return Pause{selfPause}
	}
	return p.trouble(duplicate, slog.LevelError, fmt.Errorf("the peer has this replica's own ID %s: the same store runs twice", csync.Hex(p.self.ID)))
}

// duplicated is answered by another process with this replica's own ID. If that has published what is not of this store's
// history, and this store has published nothing since its start, it is this one that takes a new ID: nothing is lost on
// either side then, as later it would be.
func (p *puller) duplicated(err csync.Error) Action {
	e, ok := csync.ParseDuplicate(err)
	if ok && !p.self.Confirmed && !p.self.True(e) {
		p.status.LastContact, p.status.ID = p.now, p.self.ID
		return p.forked(e)
	}
	return p.mirrored(false)
}

// forked has learned that the peer holds what this store, as far as it knows, never published: it lost what it had published, if
// that is proven.
func (p *puller) forked(e tlv.VectorEntry) Action {
	if !p.self.Proven(e) {
		return p.trouble(Refused, slog.LevelError, fmt.Errorf("the peer has batches of this replica up to %d, which it has never published", e.Stamp))
	}
	p.enter(forked, fmt.Sprintf("the peer has batches of this replica up to %d of life %s, which are not of this store's history", e.Stamp, csync.Hex(e.Life)))
	p.lines = append(p.lines, lostLine(&p.self, e))
	return Rename{e}
}

// maxTake bounds how many keys the batches have that are taken in together, in front of the last: they are only many where
// they are small, and a sync of the disk for each would take longer than all the rest.
const maxTake = 4 << 10

// takeNext takes in the next batches of the answer that are not refused.
func (p *puller) takeNext() Action {
	n := &p.intake
	for ; n.next < len(n.batches); n.next++ {
		b := &n.batches[n.next]
		switch {
		case b.Replica == p.self.ID:
			return p.lost(fmt.Errorf("batch %d of this replica itself", b.Stamp))
		case p.refuses(b.Replica):
			continue
		}
		p.lacks(b.Stamp)
		return Take{n.batches[n.next:p.takeUpTo()]}
	}
	if n.err != nil {
		return p.lost(n.err)
	}
	return p.takenIn()
}

// takeUpTo is the end of the batches that are taken in together, from the next on.
func (p *puller) takeUpTo() int {
	n := &p.intake
	end, keys := n.next, 0
	for end < len(n.batches) && end-n.next < engine.MaxApply && keys < maxTake {
		if b := &n.batches[end]; b.Replica == p.self.ID || p.refuses(b.Replica) {
			break
		}
		keys += len(n.batches[end].Deltas)
		end++
	}
	return end
}

// taken hears how many of the batches the store has taken in, and why not the next.
func (p *puller) taken(batches int, err error) Action {
	n := &p.intake
	for range batches {
		delete(p.refused, n.batches[n.next].Replica)
		n.next++
	}
	if batches > 0 {
		p.settle() // an answer may take long to take in
	}
	if err != nil {
		if !p.passOver(n.batches[n.next].Replica, err) {
			return p.stuck(err)
		}
		n.next++
	}
	p.lag()
	return p.takeNext()
}

// passOver hears why the store has refused a batch of a replica. false: it is no reason to go on with the next.
func (p *puller) passOver(id tlv.ReplicaID, err error) bool {
	switch {
	case errors.Is(err, engine.ErrHeld): // not lost: it comes again
		p.refused[id] = refusal{state: Held, until: p.now.Add(heldPause)}
	case errors.Is(err, engine.ErrGap):
		p.intake.gap = true
	case errors.Is(err, engine.ErrFork):
		p.refuse(id, refusal{state: forked, why: err.Error(), until: p.now.Add(maxBackoff)}) // one of the two may get another history
	case errors.Is(err, engine.ErrClock):
		p.refuse(id, refusal{state: Refused, why: err.Error(), until: p.now.Add(maxBackoff)})
	default:
		return false
	}
	return true
}

// refuse takes no more batches of a replica from this peer. Those of others flow on.
func (p *puller) refuse(id tlv.ReplicaID, r refusal) {
	if _, known := p.refused[id]; !known {
		p.say(slog.LevelError, "batches of a replica are refused from this peer", "replica", csync.Hex(id), "err", r.why)
		p.status.Errors++
	}
	p.refused[id] = r
}

// takenIn is after the last batch of an answer.
func (p *puller) takenIn() Action {
	n := &p.intake
	if n.gaps++; !n.gap {
		n.gaps = 0
	}
	p.caughtUp()
	p.level, p.some = !p.brings(), len(n.answer.Vector) > 0
	if p.empty() {
		return p.hollow("the peer has news, it says, and sends none")
	}
	p.failed = 0
	if len(n.batches) > 0 || p.polled() > 0 {
		p.empties = 0
	}
	if p.needsState() || p.self.Transfer != nil {
		return Claim{n.answer.ID, p.brings()}
	}
	return p.goOn()
}

// empty says whether the peer says nothing where it should have waited, or says that there is more of nothing.
func (p *puller) empty() bool {
	a := p.intake.answer
	if len(p.intake.batches) > 0 || a.NeedState {
		return false
	}
	return a.Left > 0 || p.polled() > 0 && p.now.Sub(p.intake.sent) < p.polled()/2
}

// polled is how long the peer was to wait for news.
func (p *puller) polled() time.Duration {
	asked, _ := p.last.(AskSync)
	return asked.Block
}

// needsState says whether it takes the peer's state to get what the peer has.
func (p *puller) needsState() bool {
	a := p.intake.answer
	has := func(h tlv.VectorEntry) bool {
		return a.Vector.Entry(h.Replica).Stamp >= h.Stamp
	}
	return a.NeedState || p.intake.gaps >= 2 || slices.ContainsFunc(p.self.held(), has)
}

// brings says whether the peer has what is lacking here.
func (p *puller) brings() bool { return !covers(p.self.Vector, p.intake.answer.Vector, p.self.ID) }

// awaitsState says whether something that the peer has takes its state, or the end of the transfer that is under way.
func (p *puller) awaitsState() bool { return p.needsState() || p.self.Transfer != nil && p.brings() }

// lag says how much of what the peer has is lacking here, as far as its answer is taken in.
func (p *puller) lag() {
	n := &p.intake
	p.status.LagBatches = n.answer.Left + int64(len(n.batches)-n.next)
	p.status.LagKeys = n.answer.LeftKeys
	for i := n.next; i < len(n.batches); i++ {
		p.status.LagKeys += int64(len(n.batches[i].Deltas))
	}
}

// lacks notes that a batch of that stamp is not here yet: it has been lacking since the peer's clock showed that.
func (p *puller) lacks(stamp tlv.Stamp) {
	n := &p.intake
	if n.behind.IsZero() || !p.needsState() {
		n.behind = n.received.Add(-time.Duration(max(0, min(n.answer.Clock-stamp.Millis(), maxLag))) * time.Millisecond)
	}
}

// maxLag is as good as ever, in ms, and a Duration holds it.
const maxLag = 100 * 365 * 24 * 3600 * 1000

// caughtUp is after the last batch of an answer: unless the peer has more, nothing is lacking.
func (p *puller) caughtUp() {
	n := &p.intake
	p.lag()
	switch {
	case p.awaitsState():
		if n.behind.IsZero() {
			n.behind = p.now
		}
	case n.answer.Left == 0:
		n.behind = time.Time{}
	}
}

// goOn asks for more; at once if there is some.
func (p *puller) goOn() Action {
	p.settle()
	if p.intake.gap || p.intake.answer.Left > 0 {
		return p.askNow()
	}
	if p.mayCompare() {
		return p.compare()
	}
	return p.ask()
}

// settle is syncing, or shows why that is not all.
func (p *puller) settle() {
	state, why := syncing, ""
	if p.awaitsState() {
		state, why = Held, awaited
	}
	for id, r := range p.refused {
		if e := p.intake.answer.Vector.Entry(id); p.self.Vector.Entry(id).Stamp >= e.Stamp && p.self.True(e) {
			delete(p.refused, id) // it has come by another way
			continue
		}
		if worse(r.state, state) {
			state, why = r.state, r.why
		}
	}
	p.enter(state, why)
}

// awaited is for a link that has to wait for its turn at the peer's state, or for the end of another's.
const awaited = "what is lacking here takes the state of a peer, which is being fetched"

// worse orders what a link may show beside syncing.
func worse(a, b State) bool {
	order := []State{syncing, Held, Refused, forked}
	return slices.Index(order, a) > slices.Index(order, b)
}
