package replica

import (
	"testing"
	"time"

	"atomiccounter/replica/csync"
)

// TestOneLineAPeer: a peer that is pulled from, and pulls, is one, also before it has answered: it says where it is to be had.
func TestOneLineAPeer(t *testing.T) {
	const addr = "127.0.0.1:1" // nobody answers there
	a := begin(t, addr)
	call := csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 77, Life: 1}, Port: 1}
	if _, err := a.node.Sync("127.0.0.1:50000", call); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a page is sent", func() bool { // which says no port
		_, err := a.node.Snap("127.0.0.1:50001", csync.SnapRequest{Request: csync.Request{Version: csync.Version, ID: 77, Life: 1}})
		return err == nil
	})
	if list := a.node.Peers(); len(list) != 1 || list[0].Addr != addr || list[0].ID != 77 || list[0].Inbound || !list[0].Pulls {
		t.Errorf("peers are %+v; want one", list)
	}
	call.ID, call.Port = 78, 2
	if _, err := a.node.Sync("127.0.0.1:50002", call); err != nil {
		t.Fatal(err)
	}
	if list := a.node.Peers(); len(list) != 2 || list[1].Addr != "127.0.0.1:2" || !list[1].Inbound || !list[1].Pulls {
		t.Errorf("with one that only pulls peers are %+v; want that at its own port", list)
	}
}

// Who pulls from here is told by what it asks, not by the link in the other direction.
func TestPeersThatPull(t *testing.T) {
	a := begin(t)
	b := begin(t, a.addr())
	if _, err := a.node.AddPeer(b.addr()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a knows b", func() bool { s := a.peer(b.addr()); return s.Pulls && s.State == string(syncing) })
	eventually(t, "b, which may not have had a's first answer yet, knows a", func() bool { return b.peer(a.addr()).Pulls })

	b.refuse()
	b.cut()
	eventually(t, "a's link to b is down", func() bool { return a.peer(b.addr()).State == string(down) })
	a.add(t, "k", 1)
	eventually(t, "b, whose own link is well, still pulls", func() bool { s := a.peer(b.addr()); return s.State == string(down) && s.Pulls })
}

func TestWhoDoesNotAskIsAway(t *testing.T) {
	now := time.UnixMilli(1_767_225_600_000)
	for _, c := range []struct {
		heard time.Time
		want  bool
	}{{time.Time{}, false}, {now, true}, {now.Add(-pullerTimeout + 1), true}, {now.Add(-pullerTimeout), false}} {
		if got := (&member{heard: c.heard}).pulls(now); got != c.want {
			t.Errorf("a member heard at %v pulls at %v: %v; want %v", c.heard, now, got, c.want)
		}
	}
}
