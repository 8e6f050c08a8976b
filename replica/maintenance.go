package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

const maintainEvery = time.Second

// maintenance is what the node has to do apart from its links, none of which may wait for it.
type maintenance struct {
	keepLog bool            // there is a peer
	lost    tlv.VectorEntry // nonzero: a peer has this of our own, which is not of our history
	forget  []tlv.ReplicaID
	trimmed tlv.Vector // the log, up to there
	joined  bool       // the store has had all of a peer's state
	ahead   bool       // the own stamps are ahead of the wall clock, and that was said
}

// rouse has the maintenance done now. The caller holds mu, or has just let go of it.
func (n *Node) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// attend maintains until ctx ends.
func (n *Node) attend(ctx context.Context) error {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	confirm := time.NewTimer(n.o.Wait)
	defer confirm.Stop()
	for {
		if err := n.maintain(); errors.Is(err, engine.ErrClosed) || errors.Is(err, engine.ErrFailed) {
			<-ctx.Done() // the store has said so
			return nil
		} else if err != nil {
			n.o.Log.Error("replication", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-tick.C:
		case <-confirm.C:
		}
	}
}

// watchClock says when the stamps of this store run ahead of its wall clock, and when no more.
func (n *Node) watchClock() {
	ahead := n.engine.Ahead()
	n.mu.Lock()
	was := n.due.ahead
	n.due.ahead = ahead > maxOffset
	n.mu.Unlock()
	switch {
	case ahead > maxOffset && !was:
		n.o.Log.Warn("the stamps of this replica are ahead of its wall clock: until that has caught up, its SETs and EXPIREs win over those of others",
			"ahead_ms", ahead.Milliseconds())
	case ahead <= maxOffset && was:
		n.o.Log.Info("the wall clock has caught up with the stamps of this replica")
	}
}

// maintain does what is due.
func (n *Node) maintain() error {
	n.watchClock()
	n.forgetOthers()
	return errors.Join(n.confirm(), n.keepLog(), n.checkOwn(), n.noteMembers(), n.noteJoined(), n.trim(), n.tidy(), n.dropTails())
}

// forgetOthers keeps in mind only replicas that are there or have left something.
func (n *Node) forgetOthers() {
	n.mu.Lock()
	defer n.mu.Unlock()
	linked, vector := n.linked(), n.engine.Vector()
	other := func(id tlv.ReplicaID) bool { return !linked[id] && !n.members.Knows(id) && vector.Entry(id).Stamp == 0 }
	maps.DeleteFunc(n.heard, func(id tlv.ReplicaID, _ time.Time) bool { return other(id) })
	maps.DeleteFunc(n.former, func(id tlv.ReplicaID, _ []tlv.ReplicaID) bool { return other(id) })
}

// dropTails has the store look for what counts twice.
func (n *Node) dropTails() error {
	n.mu.Lock()
	sure := n.store.confirmed
	n.mu.Unlock()
	if !sure {
		return nil
	}
	if err := n.engine.DropTails(); err != nil {
		return fmt.Errorf("tails of former IDs: %w", err)
	}
	return nil
}

// keepLog has the store keep the log from the first peer on.
func (n *Node) keepLog() error {
	n.mu.Lock()
	want := n.due.keepLog && !n.store.logs
	n.mu.Unlock()
	if !want {
		return nil
	}
	if err := n.engine.KeepLog(); err != nil {
		return fmt.Errorf("keep the log: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.store.logs = true
	return nil
}

// noteMembers keeps in the store which replicas pull from it.
func (n *Node) noteMembers() error {
	n.mu.Lock()
	forget := n.due.forget
	n.due.forget = nil
	for _, id := range forget {
		n.members.Forget(id)
	}
	remember := n.members.Unstored()
	n.mu.Unlock()
	var errs []error
	for _, id := range forget {
		errs = append(errs, n.engine.Remember(engine.PullerSetting+csync.Hex(id), nil))
	}
	for _, id := range remember {
		errs = append(errs, n.engine.Remember(engine.PullerSetting+csync.Hex(id), []byte{}))
	}
	return errors.Join(errs...)
}

// noteJoined keeps in the store that it has joined.
func (n *Node) noteJoined() error {
	n.mu.Lock()
	due := n.due.joined
	n.mu.Unlock()
	if !due {
		return nil
	}
	if err := n.engine.Joined(); err != nil {
		return fmt.Errorf("joined: %w", err)
	}
	n.o.Log.Info("this store has joined: all that its peers had is here")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due.joined = false
	return nil
}

func recallPullers(e *engine.Engine) (list []tlv.ReplicaID, err error) {
	stored, err := e.Recall(engine.PullerSetting)
	if err != nil {
		return nil, fmt.Errorf("pullers: %w", err)
	}
	for s := range stored {
		id, err := csync.ParseHex[tlv.ReplicaID](s)
		if err != nil {
			return nil, fmt.Errorf("pullers: %q: %w", s, err)
		}
		list = append(list, id)
	}
	return list, nil
}

// trim drops from the log what all replicas that pull have.
func (n *Node) trim() error {
	n.mu.Lock()
	least, ok := n.members.Minimum()
	ok = ok && !n.due.trimmed.Covers(least)
	n.mu.Unlock()
	if !ok {
		return nil
	}
	if err := n.engine.TrimLog(least); err != nil {
		return fmt.Errorf("trim the log: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due.trimmed = least
	return nil
}

// tidy closes the snapshots that are not asked for any more.
func (n *Node) tidy() error {
	n.mu.Lock()
	gone := n.snapshots.take(n.snapshots.leases.Expired(n.o.now()))
	n.mu.Unlock()
	return closeAll(gone)
}
