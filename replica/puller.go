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

// State is what a link is at.
type State string

// States of a link.
const (
	connecting   State = "connecting"   // nothing has come from the peer yet
	confirming   State = "confirming"   // the peer has confirmed what it has of this replica; others have not yet
	syncing      State = "syncing"      // as it should be
	transferring State = "transferring" // fetching the peer's state
	Held         State = "held"         // waiting for the end of a state transfer, or for a turn at one
	Refused      State = "refused"      // one of the two does not take what the other says
	duplicate    State = "duplicate"    // the peer has this replica's ID
	forked       State = "forked"       // a replica has two histories: this one, or one whose batches the peer has
	itself       State = "self"         // the peer is this very process
	down         State = "down"         // no answer, or none that can be read
)

// puller decides what one link does: it asks its peer for what this store lacks, has the store take it in, and asks again
// with the vector that results, which acknowledges it. It is a pure state machine: a step takes what came of the last
// action, and gives the one that comes next.
type puller struct {
	status csync.PeerStatus // but for what others know: AckedOwn, BytesOut, Inbound; and LagMillis
	last   Action

	greeted bool            // the peer has answered since it was last lost
	vouched bool            // it has said what it has of this replica, and that was true
	former  []tlv.ReplicaID // IDs that it had before, as it says
	failed  int             // attempts in a row
	empties int             // answers in a row that brought nothing where they had to
	offBy   bool            // the clocks are far apart, and that was said

	level bool // its last answer is taken in, and nothing that it has is lacking here
	some  bool // it has anything, as that answer says

	intake   intake
	refused  map[tlv.ReplicaID]refusal
	transfer transfer
	compared comparison

	// Of the present step.
	now    time.Time
	jitter float64
	self   Self
	lines  []Line
}

// newPuller is the puller of the link to addr.
func newPuller(addr string, now time.Time) *puller {
	return &puller{status: csync.PeerStatus{Addr: addr, State: string(connecting), Since: now}, refused: map[tlv.ReplicaID]refusal{}, compared: comparison{due: now.Add(compareEvery)}}
}

// Step takes what came of the last action and gives the next, and lines for the log. jitter is random, in [0, 1).
func (p *puller) Step(now time.Time, jitter float64, self Self, ev Event) (Action, []Line) {
	p.now, p.jitter, p.self, p.lines = now, jitter, self, nil
	p.last = p.step(ev)
	return p.last, p.lines
}

func (p *puller) step(ev Event) Action {
	switch ev := ev.(type) {
	case Synced:
		return p.synced(ev)
	case Looked:
		return p.looked(&ev.Digests, ev.Err)
	case Digested:
		return p.digested(&ev.Answer)
	case Snapped:
		return p.snapped(&ev.Answer)
	case Declined:
		return p.declined(ev.Err)
	case Lost:
		return p.lost(ev.Err)
	case Turn:
		return p.turn(ev.Mine)
	case Taken:
		return p.taken(ev.Batches, ev.Err)
	case Done:
		return p.done(ev.Err)
	}
	switch {
	case p.vouched && !p.self.Confirmed: // it may learn better until others have answered too
		a := p.askNow()
		a.Bytes = 1 // no batch is taken yet
		return a
	case p.State() == confirming: // its last answer was not taken in: a transfer may wait for one
		return p.askNow()
	}
	return p.ask()
}

// confirming waits until this store is sure of its history.
func (p *puller) confirming() Action {
	p.enter(confirming, "")
	return Pause{shortPause}
}

func (p *puller) done(err error) Action {
	switch p.last.(type) {
	case BeginTransfer, MergePage, FinishTransfer:
		return p.merged(err)
	case JoinCluster:
		return p.joinedCluster(err)
	}
	if err != nil {
		return p.stuck(err)
	}
	return p.askNow() // renamed
}

// Status is what there is to say of the peer.
func (p *puller) Status() csync.PeerStatus { return p.status }

// LagMillis is for how long this store has been lacking something that the peer has. It grows until that is here, whether
// answers come or not.
func (p *puller) LagMillis(now time.Time) int64 {
	if p.intake.behind.IsZero() {
		return 0
	}
	return max(0, now.Sub(p.intake.behind).Milliseconds())
}

// State is what the link is at.
func (p *puller) State() State { return State(p.status.State) }

// Vouched says whether the peer has confirmed what it has of this replica. This very process need not be asked.
func (p *puller) Vouched() bool { return p.vouched || p.State() == itself }

// Level says whether this store has all that the peer had by its last answer, and whether that was anything.
func (p *puller) Level() (level, some bool) { return p.level || p.State() == itself, p.some }

// Former are the IDs that the peer had before, as it says.
func (p *puller) Former() []tlv.ReplicaID { return p.former }

// ask asks for what this store lacks, and has the peer wait for it; not the first time, when the peer is to confirm what it
// has of this replica.
func (p *puller) ask() Action {
	a := p.askNow()
	switch {
	case p.greeted && p.self.Transfer != nil: // its turn at that may come
		a.Block = heldPause
	case p.greeted:
		a.Block = blockTime
	}
	return a
}

func (p *puller) askNow() AskSync {
	p.intake.answer, p.intake.batches = nil, nil
	return AskSync{csync.SyncRequest{Request: p.request(), Vector: p.self.Vector, Except: p.except(), Former: p.self.Former, Bytes: syncBytes, Port: int64(p.self.Port)}}
}

// request is what every request of this replica begins with.
func (p *puller) request() csync.Request {
	return csync.Request{Version: csync.Version, ID: p.self.ID, Life: p.self.Life}
}

// except lists the replicas whose batches the peer need not send now, because they would not be taken in.
func (p *puller) except() (list []tlv.ReplicaID) {
	for _, h := range p.self.held() {
		list = append(list, h.Replica)
	}
	for id := range p.refused {
		if p.refuses(id) && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// declined hears an error that the peer has answered.
func (p *puller) declined(err csync.Error) Action {
	p.status.LastContact = p.now
	switch word := err.Code(); {
	case word == csync.CodeNoSnapshot:
		if a, ok := p.last.(AskSnap); ok && a.Snapshot != "" {
			p.say(slog.LevelInfo, "the snapshot is gone: fetching the state begins again", "err", err)
			p.transfer.opened = false
			return p.askSnap("", nil)
		}
		return p.trouble(Refused, slog.LevelWarn, err)
	case word == csync.CodeSelf:
		return p.mirrored(true)
	case word == csync.CodeDuplicate:
		return p.duplicated(err)
	case word == csync.CodeForked:
		return p.trouble(forked, slog.LevelError, err)
	case word == csync.CodeBusy && p.comparing():
		return p.ask()
	case word == csync.CodeBusy:
		p.trouble(Held, slog.LevelInfo, err)
		return Pause{heldPause}
	case err.IsVersion():
		return p.trouble(Refused, slog.LevelError, err)
	}
	return p.trouble(Refused, slog.LevelWarn, err)
}

// lost has no answer, or none that makes sense.
func (p *puller) lost(err error) Action {
	clear(p.refused)
	return p.trouble(down, slog.LevelWarn, err)
}

// stuck is after the store has refused what is not the peer's fault, or has taken what the peer sent for malformed.
func (p *puller) stuck(err error) Action {
	switch {
	case ours(err):
		return p.trouble(down, slog.LevelError, fmt.Errorf("this store: %w", err))
	case errors.Is(err, engine.ErrClock):
		return p.trouble(Refused, slog.LevelError, err)
	}
	return p.lost(err)
}

// ours says whether an error of the store is not the peer's fault.
func ours(err error) bool {
	return errors.Is(err, engine.ErrClosed) || errors.Is(err, engine.ErrFailed) || errors.Is(err, engine.ErrNoSpace) || errors.Is(err, engine.ErrNoFiles)
}

// trouble shows what is wrong, says it if it is new, and pauses. The text of what cuts a link is never the same: it has
// port numbers.
func (p *puller) trouble(s State, level slog.Level, err error) Action {
	if p.State() != s || s != down && p.status.Error != err.Error() {
		p.say(level, string(s), "err", err)
	}
	p.enter(s, err.Error())
	p.greeted, p.level = false, false
	p.status.Errors++
	p.failed++
	most := maxBackoff
	if s == down {
		most = maxLost
	}
	return Pause{backoff(p.failed, most, p.jitter)}
}

// hollow is after an answer that brings nothing where it has to. To ask again at once would be to ask for ever, and the
// answers in between, which are as they should be, do not make it the first of its kind.
func (p *puller) hollow(what string) Action {
	p.failed = max(p.failed, p.empties)
	p.empties++
	return p.trouble(Refused, slog.LevelWarn, errors.New(what))
}

// backoff is how long to wait after so many failures in a row: longer each time up to most, and not as long as others that wait.
func backoff(failed int, most time.Duration, jitter float64) time.Duration {
	d := min(most, minBackoff<<min(failed-1, 16))
	return d/2 + time.Duration(jitter*float64(d/2))
}

func (p *puller) enter(s State, why string) {
	if p.State() != s {
		p.status.State, p.status.Since = string(s), p.now
	}
	p.status.Error = why
}

func (p *puller) say(level slog.Level, text string, args ...any) {
	p.lines = append(p.lines, Line{level, text, args})
}
