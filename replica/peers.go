package replica

import (
	"fmt"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// AddPeer has the node pull from addr, now and after every start. false: it does already.
func (n *Node) AddPeer(addr string) (bool, error) {
	n.roster.Lock()
	defer n.roster.Unlock()
	if err := n.engine.Remember(engine.PeerSetting+addr, []byte{}); err != nil {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.links[addr] != nil {
		return false, nil
	}
	l := newLink(addr, n.o.now())
	n.links[addr] = l
	n.due.keepLog = true
	n.rouse()
	n.start(l)
	return true, nil
}

// DelPeer ends that. false: there is no such peer. One that was given in Options is there again after a restart.
func (n *Node) DelPeer(addr string) (bool, error) {
	n.roster.Lock()
	defer n.roster.Unlock()
	if err := n.engine.Remember(engine.PeerSetting+addr, nil); err != nil {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[addr]
	if l == nil {
		return false, nil
	}
	delete(n.links, addr)
	n.turns.Moved(addr, Pause{}, n.o.now())
	n.lookAtJoin()
	l.cancel()
	return true, nil
}

// Forget is for a replica that will not come back: the log does not wait for its acknowledgement, and the store drops what is
// cancelled of it, of so many keys. The IDs that it had before, as far as it has said, go with it. One that this node pulls from, or
// that was heard within a minute, is not forgotten, unless force says so.
func (n *Node) Forget(id tlv.ReplicaID, force bool) (keys int64, err error) {
	n.mu.Lock()
	if !force {
		err = n.mayForget(id)
	}
	all := append([]tlv.ReplicaID{id}, n.former[id]...)
	all = slices.DeleteFunc(all, func(f tlv.ReplicaID) bool { return f != id && f == n.engine.ReplicaID() }) // it is a copy of this
	n.mu.Unlock()
	for _, id := range all {
		if err != nil {
			return keys, err
		}
		var dropped int64
		dropped, err = n.engine.Forget(id)
		keys += dropped
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due.forget = append(n.due.forget, all...)
	n.rouse()
	return keys, err
}

// mayForget refuses to forget a replica that seems to be there. The caller holds mu.
func (n *Node) mayForget(id tlv.ReplicaID) error {
	for _, l := range n.links {
		if id != n.engine.ReplicaID() && l.puller.Status().ID == id {
			return fmt.Errorf("this replica pulls from it at %s: CPEER DEL that before, or add FORCE", l.addr)
		}
	}
	if ago := n.o.now().Sub(n.heard[id]); ago < forgetAfter {
		return fmt.Errorf("it was heard %d s ago: try again when it is gone for a minute, or add FORCE", int(ago.Seconds()))
	}
	return nil
}

// forgetAfter is how long a replica has to be silent before it may be forgotten.
const forgetAfter = time.Minute

// LastHeard is when the replica was last heard, or heard of: by a request or an answer, or by a batch that came from it.
func (n *Node) LastHeard(id tlv.ReplicaID) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.heard[id]
	return t, ok
}
