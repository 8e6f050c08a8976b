//go:build !race

package engine

func shortRace() bool { return false }
