package tests

import (
	"slices"
	"testing"
	"time"
)

// shrink drops all it can from steps that fail so that they still fail, within half a minute: first everything is sent
// one command at a time, if that fails, too; then halves, quarters and so on are left out.
func shrink(steps []step, fails func([]step) bool) []step {
	deadline := time.Now().Add(30 * time.Second)
	if single := unpipeline(steps); fails(single) {
		steps = single
	}
	for size := len(steps) / 2; size > 0; {
		at, less := 0, false
		for at < len(steps) && time.Now().Before(deadline) {
			rest := slices.Concat(steps[:at], steps[min(at+size, len(steps)):])
			if fails(rest) {
				steps, less = rest, true
			} else {
				at += size
			}
		}
		if !less || size > 1 {
			size /= 2
		}
		if time.Now().After(deadline) {
			break
		}
	}
	return steps
}

func unpipeline(steps []step) []step {
	var single []step
	for _, s := range steps {
		for _, args := range s.commands {
			single = append(single, step{client: s.client, commands: [][]string{args}, lapse: s.lapse})
		}
	}
	return single
}

func TestShrink(t *testing.T) {
	var steps []step
	for i := range 100 {
		steps = append(steps, step{client: i, commands: [][]string{{"PING"}, {"PING"}}})
	}
	got := shrink(steps, func(s []step) bool {
		return slices.ContainsFunc(s, func(s step) bool { return s.client == 17 }) &&
			slices.ContainsFunc(s, func(s step) bool { return s.client == 71 })
	})
	if len(got) != 2 || got[0].client != 17 || got[1].client != 71 {
		t.Errorf("shrink = %v; want one command of client 17 and one of client 71", got)
	}
}
