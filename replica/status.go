package replica

import (
	"cmp"
	"slices"
	"time"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// pullerTimeout is how long after its last request a puller is thought to be gone.
const pullerTimeout = 3 * blockTime

// Peers describes all peers: those that this replica pulls from, in the order of their addresses, then those of which it is
// only known that they pull from here.
func (n *Node) Peers() []csync.PeerStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	own, now := n.engine.ReplicaID(), n.o.now()
	var list []csync.PeerStatus
	linked := map[tlv.ReplicaID]bool{}
	for _, l := range n.links {
		s := l.puller.Status()
		s.LagMillis = l.puller.LagMillis(now)
		if s.ID == 0 { // it has not answered yet, but may have called
			s.ID = n.members.at(s.Addr)
		}
		if p := n.members.of[s.ID]; p != nil {
			s.AckedOwn, s.BytesOut, s.LastPull = p.vector.Entry(own).Stamp, p.sent, p.heard
			// Where our own link has failed the peer may be gone: only what it asked since then shows that it is not.
			s.Pulls = p.pulls(now) && (s.State != string(down) || p.heard.After(s.Since))
		}
		linked[s.ID] = true
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b csync.PeerStatus) int { return cmp.Compare(a.Addr, b.Addr) })
	for _, id := range n.members.ids() {
		if !linked[id] {
			list = append(list, n.members.of[id].status(id, own, now))
		}
	}
	return list
}

// pulls says whether a member seems to be there.
func (p *member) pulls(now time.Time) bool {
	return !p.heard.IsZero() && now.Sub(p.heard) < pullerTimeout
}

func (p *member) status(id, own tlv.ReplicaID, now time.Time) csync.PeerStatus {
	s := csync.PeerStatus{Addr: p.addr, ID: id, Inbound: true, State: "away", Since: p.heard, LastContact: p.heard,
		LastPull: p.heard, Pulls: p.pulls(now), BytesOut: p.sent, AckedOwn: p.vector.Entry(own).Stamp}
	if s.Pulls {
		s.State = "pulling"
	}
	return s
}
