package commands

import (
	"strings"
	"testing"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
	"atomiccounter/tlv"
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

// A store that awaits the word of its peers has what publishes, or speaks of what is published, wait; nothing else.
func TestCommandsOfAStoreThatAwaitsItsPeers(t *testing.T) {
	s := newServerWith(t, engine.Options{AwaitPeers: true})
	n := new(fakeNode)
	adjust(s, func(o *config.Settings) { o.Dir, o.BackupDir = t.TempDir(), t.TempDir() })
	s.Replication = n
	c := connect(t, s)
	want(t, c, "INCR k", ":1|")
	want(t, c, "GET k", "$1|1|")
	n.ack(5)
	want(t, c, "WAIT 1 1", ":0|")
	var waiting []*Context
	calls := [][]string{{"CTOKEN"}, {"CDUMP", "k"}, {"CMERGE", "m", string(tlv.AppendN(nil, tlv.N{{Replica: 1, Total: 5}}))},
		{"CFORGET", "00000000000000aa"}, {"CBACKUP", "copy"}, {"WAIT", "1", "0"}}
	for _, args := range calls {
		c := connect(t, s)
		c.Run(words(args...))
		c.Resume() // as if there were no patience
		if c.Wait == nil {
			t.Errorf("%q = %q; want it to wait", args, c.Out.Buf)
		}
		waiting = append(waiting, c)
	}
	hasty := connect(t, s)
	hasty.Run(words("CTOKEN"))
	hasty.Wait.Expired = true
	hasty.Resume()
	if got := string(hasty.Out.Buf); !strings.HasPrefix(got, "-ERR this replica has just started") {
		t.Errorf("CTOKEN of one who cannot wait = %q; want an error", got)
	}
	if err := s.Engine.Confirm(); err != nil {
		t.Fatal(err)
	}
	for i, c := range waiting {
		for c.Wait != nil {
			await(t, c)
			c.Resume()
		}
		if _, err := c.Pipe.Commit(); err != nil {
			t.Fatal(err)
		}
		if len(c.Out.Buf) == 0 || c.Out.Errors > 0 {
			t.Errorf("%q = %q; want a reply", calls[i], c.Out.Buf)
		}
	}
	want(t, c, "GET m", "$1|5|")
}
