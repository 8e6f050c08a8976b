package tlv

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// ClusterID names a cluster: 64 random bits.
type ClusterID uint64

// Clusters that no server has.
const (
	NoCluster    ClusterID = iota // it is not known which
	PlainCluster                  // of a plain N or Z
)

// Origin says where a foreign contribution, one that a CMERGE has brought, comes from. A state has it, and what was cancelled of it, under
// an ID that is not its replica's own: made of that by a hash, so that it is the same everywhere, and no payload can name a replica that
// writes here, or will one day. Replicas of different clusters do not share an ID, so the cluster is no part of the hash: a cluster that
// has joined another has two names.
type Origin struct {
	ID      ReplicaID // ForeignID of the others
	Replica ReplicaID // that wrote it
	Cluster ClusterID // of that, as far as is known
}

// NewOrigin is that of a replica of a cluster.
func NewOrigin(cluster ClusterID, replica ReplicaID) Origin {
	return Origin{ID: ForeignID(replica, cluster == PlainCluster), Replica: replica, Cluster: cluster}
}

// ForeignID is the ID that the contributions of a foreign replica have here. Plain counters have replica IDs, and count their changes,
// without knowing of native ones: they are apart.
func ForeignID(replica ReplicaID, plain bool) ReplicaID {
	var b [16]byte
	copy(b[:], "foreign ")
	if plain {
		copy(b[:], "plain   ")
	}
	binary.LittleEndian.PutUint64(b[8:], uint64(replica))
	sum := sha256.Sum256(b[:])
	return ReplicaID(max(1, binary.LittleEndian.Uint64(sum[:])))
}

// Validate says what of o no replica can have written.
func (o *Origin) Validate() error {
	if o.Replica == 0 {
		return malformed("foreign replica 0")
	}
	return nil
}

func (o *Origin) replica() ReplicaID { return o.ID }

// newer has a cluster that is known win over one that is not.
func (o *Origin) newer(p *Origin) bool { return o.Cluster > p.Cluster }

// minOrigin bounds the body of a record F from below.
const minOrigin = 8 + 1

func appendOrigin(buf []byte, o *Origin) []byte {
	start := len(buf)
	buf = append(buf, 'f', 0)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(o.Replica))
	buf = AppendTinyZip(buf, uint64(o.Cluster))
	buf[start+1] = byte(len(buf) - start - shortHead)
	return buf
}

func (o *Origin) parse(body []byte) error {
	r := Reader{rest: body}
	replica := r.Replica()
	*o = NewOrigin(ClusterID(r.Zip()), replica)
	return r.End()
}

// Origin is where the contribution that s has under an ID comes from, or nil: from that replica. The pointer is into the state.
func (s *State) Origin(id ReplicaID) *Origin {
	i, ok := slices.BinarySearchFunc(s.Origins, id, func(o Origin, id ReplicaID) int { return cmp.Compare(o.ID, id) })
	if !ok {
		return nil
	}
	return &s.Origins[i]
}

// closeForeign makes little of what is wholly cancelled of foreign contributions: their replicas will not come to do so. What is left
// says up to where it is cancelled, and under which expiry it had counted. A contribution at or below a cut is nothing but that, however
// much of it has been merged where: so to close it before a merge or after comes to the same.
func (s *State) closeForeign() {
	if len(s.Origins) == 0 {
		return
	}
	for i := range s.Contributions {
		if c := &s.Contributions[i]; !c.Closed && !s.Open(c) && s.Origin(c.Replica) != nil {
			*c = Contribution{Replica: c.Replica, Rev: c.Rev, Birth: c.Rev, Closed: true, Expiry: c.Expiry.Or(Expiry{})}
		}
	}
}

// dropOrigins drops those of what is not here any more.
func (s *State) dropOrigins() {
	s.Origins = slices.DeleteFunc(s.Origins, func(o Origin) bool { return s.Contribution(o.ID) == nil && s.Reset(o.ID) == nil })
}

// ForgetForeign drops all that is known of the foreign contributions of a replica, of those that are cancelled. What was merged of them
// counts again if it is merged once more. false: there is nothing of that kind.
func (s *State) ForgetForeign(replica ReplicaID) (any bool) {
	for _, plain := range []bool{false, true} {
		id := ForeignID(replica, plain)
		if c := s.Contribution(id); s.Origin(id) == nil || c != nil && s.Open(c) {
			continue
		}
		any = true
		s.Contributions = slices.DeleteFunc(s.Contributions, func(c Contribution) bool { return c.Replica == id })
		s.Resets = slices.DeleteFunc(s.Resets, func(r Reset) bool { return r.Replica == id })
	}
	s.dropOrigins()
	return any
}

// Foreign says how many foreign replicas s knows, and how many bytes the texts of their contributions have.
func (s *State) Foreign() (replicas, texts int) {
	for i := range s.Origins {
		if c := s.Contribution(s.Origins[i].ID); c != nil {
			texts += len(c.Text)
		}
	}
	return len(s.Origins), texts
}

// Abroad is s as other clusters than the one that has it see it: all of it is foreign.
func (s *State) Abroad(home ClusterID) State {
	var a State
	id := func(id ReplicaID) ReplicaID {
		o := NewOrigin(home, id)
		if known := s.Origin(id); known != nil {
			o = *known
		}
		a.Origins = append(a.Origins, o)
		return o.ID
	}
	for _, c := range s.Contributions {
		c.Replica = id(c.Replica)
		a.Contributions = append(a.Contributions, c)
	}
	for _, r := range s.Resets {
		r.Replica = id(r.Replica)
		a.Resets = append(a.Resets, r)
	}
	a.Contributions, a.Resets, a.Origins = sorted[Contribution](a.Contributions), sorted[Reset](a.Resets), sorted[Origin](a.Origins)
	a.dropStale()
	a.closeForeign()
	return a
}

// sorted puts a list in order, and leaves of several entries of one replica the newest. It works in list.
func sorted[E any, P part[E]](list []E) []E {
	slices.SortFunc(list, func(a, b E) int {
		switch p, q := P(&a), P(&b); {
		case p.replica() != q.replica():
			return cmp.Compare(p.replica(), q.replica())
		case p.newer(&b):
			return -1
		case q.newer(&a):
			return 1
		}
		return 0
	})
	return slices.CompactFunc(list, func(a, b E) bool { return P(&a).replica() == P(&b).replica() })
}

// AppendDump appends s for readers outside its cluster, which is home.
func AppendDump(buf []byte, home ClusterID, s *State) []byte {
	buf = Append(buf, 'H', binary.LittleEndian.AppendUint64(nil, uint64(home)))
	return AppendState(buf, s)
}

// ParseDump reads what AppendDump has written, or a state alone, of which it is not known whose it is. It gives it as it is Abroad.
func ParseDump(data []byte) (State, error) {
	home := NoCluster
	if typ, body, rest, err := Take(data); err == nil && typ == 'H' {
		r := Reader{rest: body}
		home = ClusterID(r.Fixed())
		if err := r.End(); err != nil || home <= PlainCluster {
			return State{}, fmt.Errorf("dump: %w", cmp.Or(err, malformed("cluster %d", home)))
		}
		data = rest
	}
	s, err := ParseState(data)
	if err != nil {
		return State{}, err
	}
	return s.Abroad(home), nil
}
