package commands

import (
	"testing"
	"time"
)

func TestWaitIsOver(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		until time.Time
		want  bool
	}{{time.Time{}, false}, {now, true}, {now.Add(-1), true}, {now.Add(1), false}, {deadline(0), false}, {deadline(1 << 62), false}} {
		if got := (&Wait{Until: test.until}).Over(now); got != test.want {
			t.Errorf("Over of %v at %v = %v; want %v", test.until, now, got, test.want)
		}
	}
}

// The reply that CLIENT REPLY leaves out is that of the command that waited.
func TestReplyModesOfACommandThatWaits(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"CLIENT REPLY SKIP", ""},
		{"WAIT 1 1", ""},
		{"WAIT 1 1", ":0|"},
		{"CLIENT REPLY OFF", ""},
		{"WAIT 1 1", ""},
		{"WAIT 0 0", ""},
		{"CLIENT REPLY ON", "+OK|"},
		{"WAIT 0 0", ":0|"},
	} {
		want(t, c, step[0], step[1])
	}
}
