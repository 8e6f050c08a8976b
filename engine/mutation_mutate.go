//go:build mutate

package engine

var mutation string

// Mutate makes one of the mistakes from now on. No engine may be open.
func Mutate(name string) { mutation = name }

// Mutations are all the mistakes.
func Mutations() []string {
	return []string{mergeAdds, noGapCheck, publishBeforeSync, rebirth, noJoin, noHold}
}
