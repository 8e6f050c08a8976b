package engine

import (
	"math/bits"
	"slices"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// placed is where a delta's key stands in the store.
type placed struct {
	store.Place
	index int32
}

func (e *Engine) inOrder(deltas []tlv.Delta) []placed {
	order := make([]placed, len(deltas))
	for i := range deltas {
		order[i] = placed{e.self.place(deltas[i].Key), int32(i)}
	}
	return sortPlaced(order)
}

// sortPlaced sorts by place. Hashes are spread evenly: keys of one kind are dealt out by their first bits to about as many
// buckets as there are keys, and what is left to do is to put the few in each in order.
func sortPlaced(list []placed) []placed {
	for i := range list {
		if list[i].First != list[0].First || list[i].Group != 0 { // fields of hashes among them, or several databases
			slices.SortFunc(list, func(a, b placed) int { return a.Compare(b.Place) })
			return list
		}
	}
	list = deal(list, bits.Len(uint(len(list))))
	for i := range list {
		for j := i; j > 0 && list[j].Hash < list[j-1].Hash; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

// deal gives list in the order of the first n bits of the hashes.
func deal(list []placed, n int) []placed {
	begins := make([]int32, 1<<n+1)
	for i := range list {
		begins[list[i].Hash>>(64-n)+1]++
	}
	for i := range 1 << n {
		begins[i+1] += begins[i]
	}
	dealt := make([]placed, len(list))
	for i := range list {
		at := &begins[list[i].Hash>>(64-n)]
		dealt[*at] = list[i]
		*at++
	}
	return dealt
}
