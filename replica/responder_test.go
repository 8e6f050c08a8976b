package replica

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

func TestJudge(t *testing.T) {
	const (
		version   = "ERR CSYNC: protocol version %d is not spoken here; this replica speaks 4"
		self      = "SELF this is the replica that asks"
		duplicate = "DUPLICATE replica 0000000000000001 is my own ID, published up to 50 in life 000000000000000b with hash 0000000000000000: the same store runs twice"
		forked    = "FORKED replica 0000000000000001 has two histories: it takes a new ID; ask again"
		unproven  = "ERR CSYNC: replica 0000000000000001 has never published what the vector says"
	)
	whole, never, elsewhere := at(mine, 50), at(mine, 51), tlv.VectorEntry{Replica: mine, Stamp: 7, Life: 9}
	for _, c := range []struct {
		name    string
		version int64
		id      tlv.ReplicaID
		life    uint64
		has     tlv.VectorEntry // of this replica
		want    string
		logged  bool
	}{
		{"who has nothing", csync.Version, theirs, 22, tlv.VectorEntry{}, "", false},
		{"who has all", csync.Version, theirs, 22, whole, "", false},
		{"who has what never was", csync.Version, theirs, 22, never, forked, true},
		{"who has something of a life that never was", csync.Version, theirs, 22, elsewhere, forked, true},
		{"who says so without a proof", csync.Version, theirs, 22, tlv.VectorEntry{Replica: mine, Stamp: 51, Life: 11, Hash: 1}, unproven, true},
		{"this process", csync.Version, mine, 11, whole, self, false},
		{"this process, and what never was", csync.Version, mine, 11, never, self, false},
		{"another with this ID", csync.Version, mine, 12, whole, duplicate, true},
		{"another with this ID, and what never was", csync.Version, mine, 12, never, duplicate, true},
		{"nobody", csync.Version, 0, 22, whole, "ERR CSYNC: a replica ID is not zero", false},
		{"an older version", csync.Version - 1, theirs, 22, whole, fmt.Sprintf(version, csync.Version-1), true},
		{"a newer version, of which no more was read", csync.Version + 1, 0, 0, tlv.VectorEntry{}, fmt.Sprintf(version, csync.Version+1), true},
		{"an older version, whatever else it says", 0, mine, 11, never, fmt.Sprintf(version, 0), true},
	} {
		own, v := ownSelf(), tlv.Vector{c.has}
		sync := judgeSync(&own, "peer:1", &csync.SyncRequest{Request: csync.Request{Version: c.version, ID: c.id, Life: c.life}, Vector: v})
		if string(sync.Err) != c.want || (sync.Line != nil) != c.logged || (sync.Lost == c.has) != (c.want == forked || c.has.Stamp == 0) {
			t.Errorf("%s: CSYNC = %+v; want %q, logged %t", c.name, sync, c.want, c.logged)
		}
		if c.want == forked || c.want == unproven {
			c.want, c.logged = "", false // CSNAP has no vector to learn that from
		}
		snap := judge(&own, "CSNAP", "peer:1", &csync.Request{Version: c.version, ID: c.id, Life: c.life})
		if want := strings.Replace(c.want, "CSYNC", "CSNAP", 1); string(snap.Err) != want || (snap.Line != nil) != c.logged || snap.Lost.Stamp != 0 {
			t.Errorf("%s: CSNAP = %+v; want %q, logged %t", c.name, snap, want, c.logged)
		}
	}
}

// What a caller does not want counts as what it has; its own vector stays as it is.
func TestWanted(t *testing.T) {
	v := tlv.Vector{at(mine, 50), at(third, 10)}
	before := slices.Clone(v)
	got := wanted(&csync.SyncRequest{Vector: v, Except: []tlv.ReplicaID{third, theirs}})
	for id, want := range map[tlv.ReplicaID]tlv.Stamp{mine: 50, theirs: maxStamp, third: maxStamp, 4: 0} {
		if e := got.Entry(id); e.Stamp != want {
			t.Errorf("wanted of replica %d beyond %d; want %d", id, e.Stamp, want)
		}
	}
	if !slices.Equal(v, before) {
		t.Errorf("the request's vector is %v now", v)
	}
	if got := wanted(&csync.SyncRequest{Vector: v}); !slices.Equal(got, v) {
		t.Errorf("wanted without EXCEPT = %v; want %v", got, v)
	}
}

func TestSize(t *testing.T) {
	for asked, want := range map[int64]int{-1: 7, 0: 7, 1: 1, maxBytes: maxBytes, maxBytes + 1: maxBytes, 1<<63 - 1: maxBytes} {
		if got := size(asked, 7); got != want {
			t.Errorf("size(%d, 7) = %d; want %d", asked, got, want)
		}
	}
}

// Who asks may be the first to know that this store has lost something: the log says why it takes a new ID then too.
func TestForkFoundByARequestIsSaid(t *testing.T) {
	entry := tlv.VectorEntry{Replica: 1, Stamp: 500, Life: 98}
	self := Self{ID: 1, Life: 11, True: func(e tlv.VectorEntry) bool { return e != entry }, Proven: func(tlv.VectorEntry) bool { return true }}
	v := judgeSync(&self, "peer:1", &csync.SyncRequest{Request: csync.Request{Version: csync.Version, ID: 2, Life: 22}, Vector: tlv.Vector{entry}})
	if v.Lost != entry || v.Err.Code() != csync.CodeForked {
		t.Fatalf("JudgeSync = %+v; want the entry that is lost, and an error", v)
	}
	if v.Line == nil || v.Line.Level != slog.LevelError || !slices.Contains(v.Line.Args, any("peer:1")) {
		t.Errorf("JudgeSync says %+v; want an error that names the peer", v.Line)
	}
}
