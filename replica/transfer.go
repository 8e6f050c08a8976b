package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
)

// transfer is where a puller is in fetching its peer's state.
type transfer struct {
	page   csync.SnapAnswer // on its way into the store
	opened bool             // the store knows of the snapshot
	begun  time.Time        // when this link began it, or resumed it
	from   int64            // keys that were done then
	said   time.Time        // when progress was last said
}

// turn hears whether this link may fetch its peer's state.
func (p *puller) turn(mine bool) Action {
	if !mine {
		if !p.intake.answer.NeedState && p.intake.gaps < 2 {
			return p.goOn() // others flow
		}
		p.enter(Held, awaited)
		return Pause{heldPause}
	}
	p.enter(transferring, "")
	p.transfer = transfer{begun: p.now, said: p.now}
	t := p.self.Transfer
	if t == nil || t.Source != p.status.ID {
		p.say(slog.LevelInfo, "fetching the state of the peer", "replica", csync.Hex(p.status.ID))
		return p.askSnap("", nil)
	}
	p.transfer.opened, p.transfer.from = true, t.Done
	p.status.TransferKeys, p.status.TransferDone, p.status.TransferBytes = t.Keys, t.Done, t.Bytes
	p.say(slog.LevelInfo, "fetching the state goes on where it was", "replica", csync.Hex(t.Source), "keys", t.Done, "of", t.Keys)
	if t.Complete {
		return FinishTransfer{}
	}
	return p.askSnap(t.Snapshot, t.Cursor)
}

func (p *puller) askSnap(snapshot string, cursor []byte) Action {
	return AskSnap{csync.SnapRequest{Request: p.request(), Snapshot: snapshot, Cursor: cursor, Bytes: snapBytes}}
}

// snapped has a page. The first one of a snapshot comes with its vector: the store has to know that before it takes in the page.
func (p *puller) snapped(a *csync.SnapAnswer) Action {
	p.status.LastContact = p.now
	if a.ID != p.status.ID {
		return p.lost(fmt.Errorf("a page of the state of replica %s, not of %s", csync.Hex(a.ID), csync.Hex(p.status.ID)))
	}
	if e := a.Vector.Entry(p.self.ID); !p.self.True(e) {
		return p.forked(e)
	}
	p.status.BytesIn += int64(len(a.Page))
	p.transfer.page = *a
	done := int64(0)
	if p.transfer.opened {
		t := p.self.Transfer
		if t == nil || t.Snapshot != a.Snapshot {
			return p.lost(fmt.Errorf("a page of snapshot %q, which was not asked for", a.Snapshot))
		}
		done = t.Done
	}
	if last := len(a.Next) == 0; a.Done < done || a.Done == done && !last { // such could come for ever
		return p.lost(fmt.Errorf("a page of the state up to key %d, after those up to key %d", a.Done, done))
	}
	if !p.transfer.opened {
		if p.pointless(a) {
			return p.hollow("the state of the peer is needed, it says, and has nothing that is not here")
		}
		p.status.TransferBytes = int64(len(a.Page))
		return BeginTransfer{engine.Transfer{Source: a.ID, Snapshot: a.Snapshot, Vector: a.Vector, Keys: a.Keys}}
	}
	p.status.TransferBytes += int64(len(a.Page))
	return p.mergePage()
}

// pointless says whether a snapshot can bring nothing: what the peer said before would not change, nor would what comes next.
func (p *puller) pointless(a *csync.SnapAnswer) bool {
	return p.self.Transfer == nil && len(p.self.held()) == 0 && covers(p.self.Vector, a.Vector, p.self.ID)
}

func (p *puller) mergePage() Action {
	a := &p.transfer.page
	return MergePage{Page: a.Page, Next: a.Next, Done: a.Done}
}

// merged is after the store has made a step of the transfer durable.
func (p *puller) merged(err error) Action {
	if errors.Is(err, engine.ErrFork) {
		return p.trouble(forked, slog.LevelError, err)
	}
	if _, begun := p.last.(BeginTransfer); begun && err != nil && !ours(err) && !errors.Is(err, engine.ErrClock) {
		return p.trouble(Held, slog.LevelWarn, err) // another peer's state may do
	}
	if err != nil {
		return p.stuck(err)
	}
	switch p.last.(type) {
	case BeginTransfer:
		p.transfer.opened = true
		return p.mergePage()
	case FinishTransfer:
		return p.transferred()
	}
	p.failed = 0
	p.progress()
	a := &p.transfer.page
	if len(a.Next) == 0 {
		return FinishTransfer{}
	}
	return p.askSnap(a.Snapshot, a.Next)
}

func (p *puller) progress() {
	a := &p.transfer.page
	p.status.TransferKeys, p.status.TransferDone = a.Keys, a.Done
	if d := p.now.Sub(p.transfer.begun); d > 0 {
		p.status.TransferRate = int64(float64(a.Done-p.transfer.from) / d.Seconds())
	}
	if p.now.Sub(p.transfer.said) < sayEvery {
		return
	}
	p.transfer.said = p.now
	p.say(slog.LevelInfo, "fetching the state", "keys", a.Done, "of", a.Keys, "percent", percent(a.Done, a.Keys),
		"bytes", p.status.TransferBytes, "keys_per_second", p.status.TransferRate)
}

func percent(n, of int64) int64 {
	if of <= 0 {
		return 100
	}
	return min(100, int64(100*float64(n)/float64(of)))
}

// transferred goes on from the vector of the snapshot.
func (p *puller) transferred() Action {
	p.say(slog.LevelInfo, "the state of the peer is here", "replica", csync.Hex(p.status.ID), "keys", p.status.TransferDone,
		"bytes", p.status.TransferBytes, "took", p.now.Sub(p.transfer.begun).Round(time.Millisecond))
	p.status.Transfers++
	p.status.TransferKeys, p.status.TransferDone, p.status.TransferBytes, p.status.TransferRate = 0, 0, 0, 0
	p.intake.gaps, p.intake.behind = 0, time.Time{}
	clear(p.refused)
	p.enter(syncing, "")
	return p.askNow()
}
