//go:build race

package process

// raceEnabled: a test under the race detector runs a server under it, too.
const raceEnabled = true
