package replica

import (
	"maps"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// The ghost of the simulation is that of the executable model (tests/model): it knows of each single increment and SET, and
// which of them some cancel had observed. What counts is what is known and not gone.

// token is one increment or SET.
type token struct {
	origin tlv.ReplicaID
	value  engine.Value // a text only of a SET
	stamp  tlv.Stamp    // of a SET; 0: an increment
}

func (a token) later(b token) bool {
	return a.stamp > b.stamp || a.stamp == b.stamp && a.origin > b.origin
}

// event is what something that a replica did, or that came to it, does to a ghost.
type event struct {
	key  string
	add  int    // a token; -1: none
	gone []int  // tokens that a cancel had observed
	life uint64 // of the replica that did it
}

// ghost is what one replica knows of each key.
type ghost map[string]*knowledge

type knowledge struct{ known, gone map[int]bool }

func (g ghost) of(key string) *knowledge {
	k := g[key]
	if k == nil {
		k = &knowledge{map[int]bool{}, map[int]bool{}}
		g[key] = k
	}
	return k
}

func (g ghost) apply(events ...event) {
	for _, ev := range events {
		k := g.of(ev.key)
		if ev.add >= 0 {
			k.known[ev.add] = true
		}
		for _, t := range ev.gone {
			k.gone[t] = true
		}
	}
}

// has says whether the events are part of g.
func (g ghost) has(events []event) bool {
	for _, ev := range events {
		k := g.of(ev.key)
		if ev.add >= 0 && !k.known[ev.add] {
			return false
		}
		for _, t := range ev.gone {
			if !k.gone[t] {
				return false
			}
		}
	}
	return true
}

// merge takes in what another ghost knows of a key.
func (g ghost) merge(o ghost, key string) {
	maps.Copy(g.of(key).known, o.of(key).known)
	maps.Copy(g.of(key).gone, o.of(key).gone)
}

func (g ghost) clone() ghost {
	c := ghost{}
	for key := range g {
		c.merge(g, key)
	}
	return c
}

// value is what a key shows to who knows g.
func (g ghost) value(tokens []token, key string) (v engine.Value) {
	best := -1
	k := g.of(key)
	for t := range k.known {
		if k.gone[t] {
			continue
		}
		v.OK = true
		if tokens[t].stamp == 0 {
			v.Int += tokens[t].value.Int
		} else if best < 0 || tokens[t].later(tokens[best]) {
			best = t
		}
	}
	if best >= 0 && tokens[best].value.IsText {
		return tokens[best].value
	}
	if best >= 0 {
		v.Int += tokens[best].value.Int
	}
	return v
}
