package enginetest

import (
	"maps"
	"slices"
	"strings"

	"atomiccounter/tlv"
)

// Value is an engine.Value.
type Value struct {
	Int    int64
	Text   string
	IsText bool
	OK     bool
	Hash   bool
}

// Token is one increment or SET.
type Token struct {
	Origin tlv.ReplicaID
	Value  Value     // a text only of a SET
	Stamp  tlv.Stamp // of a SET; 0: an increment
}

func (a Token) later(b Token) bool {
	return a.Stamp > b.Stamp || a.Stamp == b.Stamp && a.Origin > b.Origin
}

// Event is what something that a replica did, or that came to it, does to a ghost.
type Event struct {
	Key  string
	Add  int    // a token; -1: none
	Gone []int  // tokens that a cancel had observed
	Life uint64 // of the replica that did it
}

// Ghost is what one replica knows of each key. It is the ghost of the executable model (tests/model): it knows of each single increment
// and SET, and which of them some cancel had observed. What counts is what is known and not gone.
type Ghost map[string]*Knowledge

// Knowledge is what a ghost knows of a key, by numbers of tokens.
type Knowledge struct{ Known, Gone map[int]bool }

// Of is what g knows of a key.
func (g Ghost) Of(key string) *Knowledge {
	k := g[key]
	if k == nil {
		k = &Knowledge{map[int]bool{}, map[int]bool{}}
		g[key] = k
	}
	return k
}

// Apply takes events in.
func (g Ghost) Apply(events ...Event) {
	for _, ev := range events {
		k := g.Of(ev.Key)
		if ev.Add >= 0 {
			k.Known[ev.Add] = true
		}
		for _, t := range ev.Gone {
			k.Gone[t] = true
		}
	}
}

// Has says whether the events are part of g.
func (g Ghost) Has(events []Event) bool {
	for _, ev := range events {
		k := g.Of(ev.Key)
		if ev.Add >= 0 && !k.Known[ev.Add] {
			return false
		}
		for _, t := range ev.Gone {
			if !k.Gone[t] {
				return false
			}
		}
	}
	return true
}

// Merge takes in what another ghost knows of a key.
func (g Ghost) Merge(o Ghost, key string) {
	maps.Copy(g.Of(key).Known, o.Of(key).Known)
	maps.Copy(g.Of(key).Gone, o.Of(key).Gone)
}

// Clone is a copy.
func (g Ghost) Clone() Ghost {
	c := Ghost{}
	for key := range g {
		c.Merge(g, key)
	}
	return c
}

// Value is what a key shows to a replica that knows g.
func (g Ghost) Value(tokens []Token, key string) (v Value) {
	best := -1
	k := g.Of(key)
	for t := range k.Known {
		if k.Gone[t] {
			continue
		}
		v.OK = true
		if tokens[t].Stamp == 0 {
			v.Int += tokens[t].Value.Int
		} else if best < 0 || tokens[t].later(tokens[best]) {
			best = t
		}
	}
	if best >= 0 && tokens[best].Value.IsText {
		return tokens[best].Value
	}
	if best >= 0 {
		v.Int += tokens[best].Value.Int
	}
	return v
}

// OwnGone are the tokens of a replica that are gone.
func (g Ghost) OwnGone(tokens []Token, key string, id tlv.ReplicaID) []int {
	return of(tokens, g.Of(key).Gone, id)
}

// Observed are the tokens that a cancel takes away which finds a key in a state.
func (g Ghost) Observed(tokens []Token, key string, s *tlv.State) (gone []int) {
	for i := range s.Contributions {
		if c := &s.Contributions[i]; s.Open(c) {
			gone = append(gone, of(tokens, g.Of(key).Known, c.Replica)...)
		}
	}
	slices.Sort(gone)
	return gone
}

// of are the tokens of a set that are a replica's.
func of(tokens []Token, set map[int]bool, id tlv.ReplicaID) (list []int) {
	for t := range set {
		if tokens[t].Origin == id {
			list = append(list, t)
		}
	}
	slices.Sort(list)
	return list
}

// All is what the ghost knows of the keys of deltas.
func (g Ghost) All(deltas []tlv.Delta) (list []Event) {
	for i := range deltas {
		key := Name(deltas[i].Key)
		list = append(list, Event{Key: key, Add: -1, Gone: slices.Sorted(maps.Keys(g.Of(key).Gone))})
		for _, t := range slices.Sorted(maps.Keys(g.Of(key).Known)) {
			list = append(list, Event{Key: key, Add: t})
		}
	}
	return list
}

// Shown is the value that a view shows.
func Shown(v *tlv.View) Value {
	switch {
	case !v.Exists:
		return Value{}
	case v.IsText:
		return Value{Text: v.Text, IsText: true, OK: true}
	}
	return Value{Int: v.Sum.Clamp(), OK: true}
}

// Key is the engine's key of a name: a field goes by hash/field.
func Key(name string) []byte {
	hash, field, ok := strings.Cut(name, "/")
	if !ok {
		return append([]byte{0}, name...)
	}
	return tlv.AppendFieldName([]byte{tlv.FieldByte(0)}, []byte(hash), []byte(field))
}

// Name is the name of an engine's key.
func Name(key []byte) string {
	if tlv.Space(key[0]) != tlv.FieldSpace {
		return string(key[1:])
	}
	hash, field, _ := tlv.SplitFieldName(key[1:])
	return string(hash) + "/" + string(field)
}

// Debts are TTLs that limiters are still to set: they have counted 1.
type Debts []Debt

// Debt is one of them.
type Debt struct {
	Key string
	MS  int64
}

// Pay sets the TTLs that are owed. It may come long after the counting.
func (d *Debts) Pay(expire func(key string, ms int64)) {
	for _, o := range *d {
		expire(o.Key, o.MS)
	}
	*d = nil
}
