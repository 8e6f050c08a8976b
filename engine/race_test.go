//go:build race

package engine

import "testing"

// shortRace: a test does with less what it only repeats, since the race detector makes it many times slower, and without it all is tested.
func shortRace() bool { return testing.Short() }
