package commands

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"

	"atomiccounter/tlv"
)

// maxPayload bounds what CMERGE takes for one key, in bytes.
const maxPayload = 1 << 20

// parsePayload reads a state made elsewhere, as tlv.State.Abroad: a dump or a state of this system, or a plain N or Z of RDX.
// The first record tells which: H, C and R are ours, T begins an N, I a Z. None at all says nothing, in any of them. The error says at
// which offset the record begins that is wrong.
func parsePayload(data []byte) (tlv.State, error) {
	if len(data) > maxPayload {
		return tlv.State{}, fmt.Errorf("%d bytes are more than the %d that a payload may have", len(data), maxPayload)
	}
	parse, err := payloadParser(data)
	if err != nil {
		return tlv.State{}, fmt.Errorf("%w at offset 0", err)
	}
	s, err := parse(data)
	if err != nil {
		return s, fmt.Errorf("%w at offset %d", reason(err), faultAt(data, parse))
	}
	return s, nil
}

type parser func(data []byte) (tlv.State, error)

func payloadParser(data []byte) (parser, error) {
	if len(data) == 0 {
		return tlv.ParseDump, nil
	}
	typ, _, _, err := tlv.Take(data)
	switch {
	case err != nil:
		return nil, err
	case typ == 'H' || typ == 'C' || typ == 'R':
		return tlv.ParseDump, nil
	case typ == 'T':
		return parseN, nil
	case typ == 'I':
		return parseZ, nil
	}
	return nil, fmt.Errorf("a record %c is neither a state nor a plain N or Z", typ)
}

// parseN makes a state of a plain N. Its totals only grow, so they serve as revs too.
func parseN(data []byte) (s tlv.State, err error) {
	n, err := tlv.ParseN(data)
	s.Contributions = make([]tlv.Contribution, 0, len(n))
	for _, t := range n {
		if t.Total > 0 {
			rev := tlv.Stamp(t.Total)
			s.Contributions = append(s.Contributions, tlv.Contribution{Replica: t.Replica, Rev: rev, Birth: 1, Last: rev,
				Total: tlv.Int128{Lo: t.Total}, Kind: tlv.Natural})
		}
	}
	return s.Abroad(tlv.PlainCluster), err
}

// parseZ makes a state of a plain Z. Revision 0 is one there, and a rev is not 0.
func parseZ(data []byte) (s tlv.State, err error) {
	z, err := tlv.ParseZ(data)
	s.Contributions = make([]tlv.Contribution, 0, len(z))
	for _, v := range z {
		rev := tlv.Stamp(v.Revision) + 1
		s.Contributions = append(s.Contributions, tlv.Contribution{Replica: v.Replica, Rev: rev, Birth: 1, Last: rev,
			Total: tlv.FromInt64(v.Value), Kind: tlv.ZCounter})
	}
	return s.Abroad(tlv.PlainCluster), err
}

// faultAt is the offset of the first record up to which data cannot be read. What follows a fault does not mend it.
func faultAt(data []byte, parse parser) int {
	ends := []int{0}
	for rest := data; len(rest) > 0; {
		_, _, next, err := tlv.Take(rest)
		if err != nil {
			break
		}
		rest = next
		ends = append(ends, len(data)-len(rest))
	}
	i := sort.Search(len(ends)-1, func(i int) bool {
		_, err := parse(data[:ends[i+1]])
		return err != nil
	})
	return ends[i]
}

// reason is err without what tlv says of where it is: faultAt knows better.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner == tlv.ErrMalformed || inner == tlv.ErrIncomplete {
			return err
		}
		err = inner
	}
}

// plainDump writes a state as a plain value of RDX: an N for a Natural, else a Z. Replicas have the IDs that they have at home.
// Resets and expiries have no place there: what counts now is all that is said.
func plainDump(s *tlv.State) []byte {
	kind, assigned := s.View().Kind, assigning(s)
	parts := map[tlv.ReplicaID]plainPart{}
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if !s.Live(c) {
			continue
		}
		net, _ := s.Net(c)
		if c == assigned {
			net = net.Add(tlv.FromInt64(c.Assigned))
		}
		id, revision := atHome(s, c)
		p := parts[id] // there is one already if a replica is known as two: that of both grows with either
		parts[id] = plainPart{p.total.Add(net), p.revision + min(revision, math.MaxInt64-p.revision)}
	}
	var n tlv.N
	var z tlv.Z
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		p := parts[id]
		n = append(n, tlv.NTotal{Replica: id, Total: clampUint64(p.total)})
		z = append(z, tlv.ZValue{Replica: id, Revision: p.revision, Value: p.total.Clamp()})
	}
	if kind == tlv.Natural {
		return tlv.AppendN(nil, n)
	}
	return tlv.AppendZ(nil, z)
}

// plainPart is what one replica contributes to a plain counter.
type plainPart struct {
	total    tlv.Int128
	revision int64
}

// atHome is the ID of c's replica where that is, and the revision of a plain Z that c is of, or could be.
func atHome(s *tlv.State, c *tlv.Contribution) (id tlv.ReplicaID, revision int64) {
	id, rev := c.Replica, c.Rev
	if o := s.Origin(c.Replica); o != nil {
		id = o.Replica
		if o.Cluster == tlv.PlainCluster {
			rev-- // parseZ
		}
	}
	return id, int64(min(rev, math.MaxInt64))
}

// assigning is the live contribution whose SET holds, or nil: of several the one that was born last.
func assigning(s *tlv.State) (set *tlv.Contribution) {
	for i := range s.Contributions {
		c := &s.Contributions[i]
		if _, assigned := s.Net(c); assigned && s.Live(c) && (set == nil || c.Birth >= set.Birth) {
			set = c
		}
	}
	return set
}

func clampUint64(i tlv.Int128) uint64 {
	switch {
	case i.Hi < 0:
		return 0
	case i.Hi > 0:
		return math.MaxUint64
	}
	return i.Lo
}
