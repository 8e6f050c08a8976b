package replica

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// rename has the store take a new ID, unless it has one by now, or holds the entry for true: another link may have been first.
func (n *Node) rename(e tlv.VectorEntry) error {
	n.naming.Lock()
	defer n.naming.Unlock()
	if e.Replica != n.engine.ReplicaID() || n.engine.True(e) {
		return nil
	}
	if err := n.noteRename(); err != nil {
		return fmt.Errorf("new replica ID: %w", err)
	}
	if err := n.engine.Rename(e); err != nil {
		return fmt.Errorf("new replica ID: %w", err)
	}
	n.mu.Lock()
	n.store.confirmed = true
	n.mu.Unlock()
	n.acks.Send()
	n.o.Log.Warn("this store is another replica from now on", "replica", csync.Hex(n.engine.ReplicaID()), "before", csync.Hex(e.Replica))
	return nil
}

// renameAgain is how long after a store has taken a new ID because it had forked it does so again by itself.
const renameAgain = time.Hour

// noteRename notes durably that the store is about to take a new ID because it has forked. If it has done so a short while ago, and what it
// publishes has forked again, it stops for good: an operator has to look at where the copies of it come from. To start it again is the
// operator's word: it publishes nothing then before all peers that know it have been asked.
func (n *Node) noteRename() error {
	now := n.o.now()
	noted, err := n.engine.Recall(engine.RenamedSetting)
	if err != nil {
		return err
	}
	last, known := noted[""]
	at, _ := binary.Varint(last)
	ago := now.Sub(time.UnixMilli(at))
	select {
	case <-n.engine.Confirmed():
		if known && ago >= 0 && ago < renameAgain {
			return n.engine.Fail(fmt.Errorf("it has forked, and had done so %v before: see where copies of this store run, then restart the server", ago.Round(time.Second)))
		}
	default: // it has not published anything since its start
	}
	return n.engine.Remember(engine.RenamedSetting, binary.AppendVarint(nil, now.UnixMilli()))
}

// renew has the store take a new ID, because not all peers that know it have confirmed it in time.
func (n *Node) renew(pullers int) error {
	n.naming.Lock()
	defer n.naming.Unlock()
	before := n.engine.ReplicaID()
	if err := n.engine.Renew(); err != nil {
		return fmt.Errorf("new replica ID: %w", err)
	}
	n.mu.Lock()
	n.store.confirmed = true
	var missing []string
	for addr, l := range n.links {
		if !l.puller.Vouched() {
			missing = append(missing, addr)
		}
	}
	n.mu.Unlock()
	n.acks.Send()
	slices.Sort(missing)
	n.o.Log.Warn("not all who know this store could be asked whether it lost anything: it is another replica from now on",
		"replica", csync.Hex(n.engine.ReplicaID()), "before", csync.Hex(before), "unheard_peers", missing, "unheard_pullers", pullers)
	return nil
}

// confirm makes the store sure of its history when all peers that know it have confirmed what they have of it. When the time for that is
// over, it has the store take a new ID.
func (n *Node) confirm() error {
	n.mu.Lock()
	sure, waits := n.vouchedFor(), n.o.now().Before(n.store.deadline)
	skip := n.store.confirmed || n.due.lost.Stamp != 0 || !sure && waits
	awaited := len(n.store.awaited)
	select {
	case <-n.engine.Confirmed():
		n.store.confirmed, skip = true, true
	default:
	}
	n.mu.Unlock()
	if skip {
		return nil
	}
	if !sure {
		return n.renew(awaited)
	}
	before := n.engine.ReplicaID()
	if err := n.engine.Confirm(); err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	if id := n.engine.ReplicaID(); id != before {
		n.acks.Send()
		n.o.Log.Warn("this store was stopped while it waited for those who know it, and had been written to: it is another replica from now on",
			"replica", csync.Hex(id), "before", csync.Hex(before))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.store.confirmed = true
	return nil
}

// vouchedFor says whether all peers that know this replica have confirmed it. The caller holds mu.
func (n *Node) vouchedFor() bool {
	if n.engine.Created() {
		return true
	}
	for _, l := range n.links {
		if !l.puller.Vouched() {
			return false
		}
	}
	return len(n.store.awaited) == 0
}

// checkOwn takes a new ID if a peer that pulls has what this store has lost.
func (n *Node) checkOwn() error {
	n.mu.Lock()
	e := n.due.lost
	n.mu.Unlock()
	if e.Stamp == 0 {
		return nil
	}
	if err := n.rename(e); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due.lost = tlv.VectorEntry{}
	return nil
}
