//go:build mutate

package state

var rebirth bool

// Rebirth makes a mistake from now on that the simulation of replication must find: a contribution that is cancelled in part is born again.
func Rebirth(on bool) { rebirth = on }
