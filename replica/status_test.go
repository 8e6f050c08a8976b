package replica

import (
	"testing"
	"time"
)

// Who pulls from here is told by what it asks, not by the link in the other direction.
func TestPeersThatPull(t *testing.T) {
	a := begin(t)
	b := begin(t, a.addr())
	if _, err := a.node.AddPeer(b.addr()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a knows b", func() bool { s := a.peer(b.addr()); return s.Pulls && s.State == string(Syncing) })
	eventually(t, "b, which may not have had a's first answer yet, knows a", func() bool { return b.peer(a.addr()).Pulls })

	b.refuse()
	b.cut()
	eventually(t, "a's link to b is down", func() bool { return a.peer(b.addr()).State == string(Down) })
	a.add(t, "k", 1)
	eventually(t, "b, whose own link is well, still pulls", func() bool { s := a.peer(b.addr()); return s.State == string(Down) && s.Pulls })
}

func TestWhoDoesNotAskIsAway(t *testing.T) {
	now := time.UnixMilli(1_767_225_600_000)
	for _, c := range []struct {
		heard time.Time
		want  bool
	}{{time.Time{}, false}, {now, true}, {now.Add(-away + 1), true}, {now.Add(-away), false}} {
		if got := (&member{heard: c.heard}).pulls(now); got != c.want {
			t.Errorf("a member heard at %v pulls at %v: %v; want %v", c.heard, now, got, c.want)
		}
	}
}
