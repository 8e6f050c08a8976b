package replica

import (
	"slices"
	"time"

	"atomiccounter/tlv"
)

const keepSnapshot = 5 * time.Minute // after the last request for it

// Shelf knows the snapshots that are kept for callers of CSNAP, one for each, so that nobody takes the place of another. There are only so many callers
// (Members.Admit).
type Shelf struct {
	items []item
}

type item struct {
	name   string
	caller tlv.ReplicaID
	vector tlv.Vector
	used   time.Time
}

// Renew takes away the snapshot of a caller, which is to get another one.
func (s *Shelf) Renew(caller tlv.ReplicaID) (gone []string) {
	return s.take(func(i *item) bool { return i.caller == caller })
}

// Put keeps a snapshot.
func (s *Shelf) Put(name string, caller tlv.ReplicaID, v tlv.Vector, now time.Time) {
	s.items = append(s.items, item{name, caller, v, now})
}

// Touch says whether the snapshot of that name is here.
func (s *Shelf) Touch(name string, now time.Time) bool {
	for i := range s.items {
		if s.items[i].name == name {
			s.items[i].used = now
			return true
		}
	}
	return false
}

// Expired takes away the snapshots that nobody has asked for lately.
func (s *Shelf) Expired(now time.Time) (gone []string) {
	return s.take(func(i *item) bool { return now.Sub(i.used) > keepSnapshot })
}

// Served takes away the snapshot of a caller whose vector says that it has all of it.
func (s *Shelf) Served(caller tlv.ReplicaID, v tlv.Vector) (gone []string) {
	return s.take(func(i *item) bool { return i.caller == caller && covers(v, i.vector, caller) })
}

// All takes away everything.
func (s *Shelf) All() (gone []string) { return s.take(func(*item) bool { return true }) }

func (s *Shelf) take(f func(*item) bool) (gone []string) {
	s.items = slices.DeleteFunc(s.items, func(i item) bool {
		if f(&i) {
			gone = append(gone, i.name)
			return true
		}
		return false
	})
	return gone
}

// covers says whether v has all that o has, but for what a replica has of its own.
func covers(v, o tlv.Vector, own tlv.ReplicaID) bool {
	for _, e := range o {
		if e.Replica != own && v.Entry(e.Replica).Stamp < e.Stamp {
			return false
		}
	}
	return true
}
