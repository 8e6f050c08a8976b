package tlv

import "slices"

// part is an entry of a list that has at most one per replica, in ascending order of replica.
type part[E any] interface {
	*E
	replica() ReplicaID
	newer(*E) bool // than another of the same replica
}

// union merges theirs into mine: of two entries of one replica, the newer. It works in mine, which it returns longer by the
// replicas that only theirs has; theirs is only read. Linear in both.
func union[E any, P part[E]](mine, theirs []E) []E {
	i, j := len(mine)-1, len(theirs)-1
	n := len(mine) + missing[E, P](mine, theirs)
	mine = slices.Grow(mine, n-len(mine))[:n]
	for k := n - 1; j >= 0; k-- { // from the end, so nothing is overwritten that is still needed
		switch t := P(&theirs[j]); {
		case i < 0 || P(&mine[i]).replica() < t.replica():
			mine[k] = *t
			j--
		case P(&mine[i]).replica() > t.replica():
			mine[k] = mine[i]
			i--
		default:
			if t.newer(&mine[i]) {
				mine[k] = *t
			} else {
				mine[k] = mine[i]
			}
			i, j = i-1, j-1
		}
	}
	return mine
}

// missing counts the replicas of theirs that mine lacks.
func missing[E any, P part[E]](mine, theirs []E) (n int) {
	i := 0
	for j := range theirs {
		id := P(&theirs[j]).replica()
		for i < len(mine) && P(&mine[i]).replica() < id {
			i++
		}
		if i == len(mine) || P(&mine[i]).replica() != id {
			n++
		}
	}
	return n
}

// validateParts checks each entry and their order.
func validateParts[E any, P interface {
	part[E]
	Validate() error
}](list []E) error {
	last := ReplicaID(0)
	for i := range list {
		p := P(&list[i])
		if err := p.Validate(); err != nil {
			return err
		}
		if p.replica() <= last {
			return malformed("replica %x after %x", uint64(p.replica()), uint64(last))
		}
		last = p.replica()
	}
	return nil
}
