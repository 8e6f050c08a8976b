package replica

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// Sync answers CSYNC, at once: with nothing if there is nothing. A caller that waits for more asks again at the store's News. Errors
// of type csync.Error are replies.
func (n *Node) Sync(remote string, r csync.SyncRequest) (csync.SyncAnswer, error) {
	n.mu.Lock()
	self := n.self()
	err := n.judged(judgeSync(&self, remote, &r))
	if err == nil {
		err = n.admit(r.ID, remote)
	}
	if err != nil {
		n.mu.Unlock()
		return csync.SyncAnswer{}, err
	}
	acked := n.members.Heard(r.ID, lesser(self.Vector, r.Vector), home(remote, r.Port), n.o.now(), self.ID) // of more there is nothing to be kept here
	gone := n.snapshots.take(n.snapshots.leases.Served(r.ID, r.Vector))
	n.called(r.ID)
	n.former[r.ID] = latest(r.Former)
	if self.ended(r.Vector) {
		n.store.awaited[r.ID] = true
	} else {
		n.vouched(r.ID, r.Former)
	}
	n.compareHistories(&self, remote, &r)
	n.mu.Unlock()
	if acked {
		n.acks.Send()
	}
	if err := closeAll(gone); err != nil {
		return csync.SyncAnswer{}, err
	}
	b, err := n.engine.Batches(wanted(&r), r.ID, size(r.Bytes, syncBytes))
	if err != nil {
		return csync.SyncAnswer{}, err
	}
	n.sent(r.ID, b.Batches...)
	return csync.SyncAnswer{ID: self.ID, Life: self.Life, Clock: n.engine.Now(), Vector: n.engine.Shared(), Former: self.Former, Cluster: n.engine.Cluster(), NeedState: b.Behind != 0,
		Left: b.Left, LeftKeys: b.LeftKeys, Batches: b.Batches}, nil
}

// admit refuses a replica that pulls from here beside too many others. The caller holds mu.
func (n *Node) admit(id tlv.ReplicaID, remote string) error {
	if n.members.Admit(id, n.linked(), n.o.now()) {
		return nil
	}
	return n.judged(refuse(csync.Error(fmt.Sprintf("ERR %d replicas pull from this one already that are no peers of it: "+
		"CFORGET those that are gone, or CPEER ADD replica %s", maxPullers, csync.Hex(id))), remote))
}

// linked are the replicas that this one pulls from, as far as they have answered. The caller holds mu.
func (n *Node) linked() map[tlv.ReplicaID]bool {
	list := map[tlv.ReplicaID]bool{}
	for _, l := range n.links {
		list[l.puller.Status().ID] = true
	}
	return list
}

// latest bounds how many of its former IDs are kept of a replica that has had many.
func latest(former []tlv.ReplicaID) []tlv.ReplicaID {
	const most = 1 << 10
	return slices.Clone(former[max(0, len(former)-most):])
}

// home is where a caller is to be had that has said its port.
func home(remote string, port int64) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil || port == 0 {
		return remote
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// compareHistories says of which replica a caller has another history than this store, as far as entries show that. The caller
// holds mu.
func (n *Node) compareHistories(self *Self, remote string, r *csync.SyncRequest) {
	i := slices.IndexFunc(r.Vector, func(e tlv.VectorEntry) bool { return !self.True(e) })
	id := tlv.ReplicaID(0)
	if i >= 0 {
		id = r.Vector[i].Replica
	}
	if n.members.forked(r.ID, id) {
		n.o.Log.Error("a replica has forked: a peer has another history of it than this store", "replica", csync.Hex(id), "peer", remote)
	}
}

// Digest answers CDIGEST.
func (n *Node) Digest(remote string, r csync.DigestRequest) (csync.DigestAnswer, error) {
	n.mu.Lock()
	self := n.self()
	err := n.judged(judge(&self, "CDIGEST", remote, &r.Request))
	n.mu.Unlock()
	if err != nil {
		return csync.DigestAnswer{}, err
	}
	for _, key := range r.Keys {
		if err := tlv.ValidateKey([]byte(key)); err != nil {
			return csync.DigestAnswer{}, err
		}
	}
	d, err := n.engine.Digest(r.Keys)
	if errors.Is(err, engine.ErrHeld) {
		return csync.DigestAnswer{}, csync.Error(csync.CodeBusy + " what is here is not what the vector says")
	}
	return csync.DigestAnswer{ID: self.ID, Vector: d.Vector, Sums: d.Sums}, err
}

// judged does what a verdict asks for, and gives the error that is the answer. The caller holds mu.
func (n *Node) judged(v verdict) error {
	if v.Line != nil {
		n.o.Log.Log(context.Background(), v.Line.Level, v.Line.Text, v.Line.Args...)
	}
	if v.Lost.Stamp != 0 {
		n.due.lost = v.Lost
		n.rouse()
	}
	if v.Err == "" {
		return nil
	}
	return v.Err
}

// called notes that a peer is there. The caller holds mu.
func (n *Node) called(id tlv.ReplicaID) {
	n.heard[id] = n.o.now()
	if !n.due.keepLog {
		n.due.keepLog = true
		n.rouse()
	}
}

func (n *Node) sent(id tlv.ReplicaID, parts ...[]byte) {
	bytes := int64(0)
	for _, p := range parts {
		bytes += int64(len(p))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members.Sent(id, bytes)
}
