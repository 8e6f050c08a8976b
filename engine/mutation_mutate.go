//go:build mutate

package engine

import "atomiccounter/engine/state"

var mutation string

// Mutate makes one of the mistakes from now on. No engine may be open.
func Mutate(name string) {
	mutation = name
	state.Rebirth(name == rebirth)
}

// Mutations are all the mistakes.
func Mutations() []string {
	return []string{mergeAdds, noGapCheck, publishBeforeSync, rebirth, noJoin, noHold}
}
