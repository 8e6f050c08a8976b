package tlv

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Lineage tells how a replica came to publish its batches up to Stamp: in which lives, and where each of them began. Within
// one life a history goes one way only, so a lineage tells whether another is its beginning or a different history of the
// same replica, whose store was rolled back or copied (design, section 4: forks).
type Lineage struct {
	Replica ReplicaID
	Stamp   Stamp  // of the last batch, which the last life published
	Lives   []Life // oldest first, none that published nothing; the oldest may be forgotten
}

// Life is one life of a replica in a Lineage.
type Life struct {
	Number uint64 // VectorEntry.Life
	Prev   Stamp  // of the last batch of the life before; 0: there was none
	First  Stamp  // of its own first batch
}

// MaxLives are kept in a Lineage.
const MaxLives = 1 << 8

// Entry is what a version vector says of it; that of the zero Lineage has no stamp.
func (l *Lineage) Entry() VectorEntry {
	if len(l.Lives) == 0 {
		return VectorEntry{Replica: l.Replica}
	}
	return VectorEntry{Replica: l.Replica, Stamp: l.Stamp, Life: l.Lives[len(l.Lives)-1].Number}
}

// Extend adds the next batch of the replica.
func (l *Lineage) Extend(b *Batch) {
	if n := len(l.Lives); n == 0 || l.Lives[n-1].Number != b.Life {
		l.Lives = append(slices.Clone(l.Lives), Life{Number: b.Life, Prev: b.Prev, First: b.Stamp})
		l.Lives = l.Lives[max(0, len(l.Lives)-MaxLives):]
	}
	l.Replica, l.Stamp = b.Replica, b.Stamp
}

// Upto is the part of l that entry speaks of. False: l is not what entry is of.
func (l *Lineage) Upto(entry VectorEntry) (Lineage, bool) {
	i := slices.IndexFunc(l.Lives, func(f Life) bool { return f.Number == entry.Life })
	if i < 0 || entry.Stamp > l.end(i) || entry.Stamp < l.Lives[i].First {
		return Lineage{}, false
	}
	return Lineage{Replica: l.Replica, Stamp: entry.Stamp, Lives: l.Lives[:i+1]}, true
}

// end is the stamp of the last batch of a life.
func (l *Lineage) end(i int) Stamp {
	if i == len(l.Lives)-1 {
		return l.Stamp
	}
	return l.Lives[i+1].Prev
}

// Since leaves out the lives before a given one, which who knows that one does not need.
func (l *Lineage) Since(life uint64) Lineage {
	i := max(0, slices.IndexFunc(l.Lives, func(f Life) bool { return f.Number == life }))
	return Lineage{Replica: l.Replica, Stamp: l.Stamp, Lives: l.Lives[i:]}
}

// Conflict compares two histories of one replica: below 0 if they differ and o is the one that counts, above 0 if they
// differ and l is, 0 if one is the beginning of the other, or if that cannot be told.
//
// The history counts that went on, where they part, in the life in which they were one: the other is that of a copy, which
// was started anew. If neither did, both stopped before, and the one counts that was the first to publish again. So
// histories are in one order, that of paths in a tree; whoever compares any two of them comes to the same result, and all
// come to the same one in the end.
func (l *Lineage) Conflict(o *Lineage) int {
	for i := len(l.Lives) - 1; i >= 0; i-- {
		j := slices.IndexFunc(o.Lives, func(f Life) bool { return f.Number == l.Lives[i].Number })
		if j >= 0 {
			return l.part(o, i, j)
		}
	}
	if len(l.Lives) == 0 || len(o.Lives) == 0 || l.Lives[0].Prev != 0 || o.Lives[0].Prev != 0 {
		return 0
	}
	return l.Lives[0].order(&o.Lives[0])
}

// part is Conflict for histories of which life i of l, which is life j of o, is the last that they share.
func (l *Lineage) part(o *Lineage, i, j int) int {
	mine, theirs := l.end(i), o.end(j)
	lastOfMine, lastOfTheirs := i == len(l.Lives)-1, j == len(o.Lives)-1
	switch {
	case lastOfMine && (lastOfTheirs || mine <= theirs), lastOfTheirs && theirs <= mine:
		return 0
	case mine != theirs:
		return cmp.Compare(mine, theirs)
	}
	return l.Lives[i+1].order(&o.Lives[j+1])
}

// order is above 0 if f counts and not g, both of which follow the same life.
func (f *Life) order(g *Life) int {
	return cmp.Or(cmp.Compare(g.First, f.First), cmp.Compare(g.Number, f.Number))
}

func (l *Lineage) validate() error {
	if l.Replica == 0 || len(l.Lives) == 0 || len(l.Lives) > MaxLives {
		return malformed("lineage of replica %x of %d lives", uint64(l.Replica), len(l.Lives))
	}
	for i := range l.Lives {
		f := &l.Lives[i]
		if f.First == 0 || f.Prev > f.First || f.First > l.end(i) || i > 0 && f.Prev == 0 {
			return malformed("life %x of replica %x: from %d after %d", f.Number, uint64(l.Replica), f.First, f.Prev)
		}
		if slices.ContainsFunc(l.Lives[:i], func(g Life) bool { return g.Number == f.Number }) {
			return malformed("life %x of replica %x twice", f.Number, uint64(l.Replica))
		}
	}
	return nil
}

// AppendLineage appends l as one record.
func AppendLineage(buf []byte, l *Lineage) []byte {
	start := len(buf)
	buf = openRecord(buf)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(l.Replica))
	buf = AppendTinyZip(buf, uint64(l.Stamp))
	for i := range l.Lives {
		f := &l.Lives[i]
		buf = AppendTinyZip(buf, f.Number)
		buf = AppendTinyZip(buf, uint64(f.Prev))
		buf = AppendTinyZip(buf, uint64(f.First))
	}
	return closeRecord(buf, start, 'L')
}

// AppendLineages appends one record each.
func AppendLineages(buf []byte, list []Lineage) []byte {
	for i := range list {
		buf = AppendLineage(buf, &list[i])
	}
	return buf
}

// minLife bounds a life of a record L from below, and minLineage its body.
const (
	minLife    = 1 + 1 + 2
	minLineage = 8 + 2 + minLife
)

// ParseLineages reads lineages, which are all of data: one per replica, in ascending order.
func ParseLineages(data []byte) (list []Lineage, err error) {
	last := ReplicaID(0)
	list = room(list, countRecords(data, 'L', minLineage))
	for len(data) > 0 {
		var body []byte
		if body, data, err = Expect(data, 'L'); err != nil {
			return nil, fmt.Errorf("lineage: %w", err)
		}
		r := reader{rest: body}
		l := Lineage{Replica: r.replica(), Stamp: r.stamp()}
		l.Lives = make([]Life, 0, min(len(r.rest)/minLife, MaxLives))
		for len(r.rest) > 0 && len(l.Lives) <= MaxLives {
			l.Lives = append(l.Lives, Life{Number: r.zip(), Prev: r.stamp(), First: r.stamp()})
		}
		if err = cmp.Or(r.end(), l.validate()); err == nil && l.Replica <= last {
			err = malformed("replica %x after %x", uint64(l.Replica), uint64(last))
		}
		if err != nil {
			return nil, fmt.Errorf("lineage: %w", err)
		}
		last = l.Replica
		list = append(list, l)
	}
	return list, nil
}
