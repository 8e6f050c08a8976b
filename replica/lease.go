package replica

import (
	"slices"
	"time"

	"atomiccounter/tlv"
)

const keepSnapshot = 5 * time.Minute // after the last request for it

// leases knows the snapshots that are kept for callers of CSNAP, one for each, so that no caller takes the place of another. There are only so many callers
// (members.Admit).
type leases struct {
	list []lease
}

type lease struct {
	name   string
	caller tlv.ReplicaID
	vector tlv.Vector
	used   time.Time
}

// Replace takes away the snapshot of a caller, which is to get another one.
func (l *leases) Replace(caller tlv.ReplicaID) (gone []string) {
	return l.take(func(i *lease) bool { return i.caller == caller })
}

// Grant keeps a snapshot.
func (l *leases) Grant(name string, caller tlv.ReplicaID, v tlv.Vector, now time.Time) {
	l.list = append(l.list, lease{name, caller, v, now})
}

// Renew says whether the snapshot of that name is here, and keeps it on.
func (l *leases) Renew(name string, now time.Time) bool {
	for i := range l.list {
		if l.list[i].name == name {
			l.list[i].used = now
			return true
		}
	}
	return false
}

// Expired takes away the snapshots that were not asked for lately.
func (l *leases) Expired(now time.Time) (gone []string) {
	return l.take(func(i *lease) bool { return now.Sub(i.used) > keepSnapshot })
}

// Served takes away the snapshot of a caller whose vector says that it has all of it.
func (l *leases) Served(caller tlv.ReplicaID, v tlv.Vector) (gone []string) {
	return l.take(func(i *lease) bool { return i.caller == caller && covers(v, i.vector, caller) })
}

// All takes away everything.
func (l *leases) All() (gone []string) { return l.take(func(*lease) bool { return true }) }

func (l *leases) take(f func(*lease) bool) (gone []string) {
	l.list = slices.DeleteFunc(l.list, func(i lease) bool {
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
