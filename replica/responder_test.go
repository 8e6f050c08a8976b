package replica

import (
	"log/slog"
	"slices"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// Who asks may be the first to know that this store has lost something: the log says why it takes a new ID then too.
func TestForkFoundByARequestIsSaid(t *testing.T) {
	entry := tlv.VectorEntry{Replica: 1, Stamp: 500, Life: 98}
	self := Self{ID: 1, Life: 11, True: func(e tlv.VectorEntry) bool { return e != entry }}
	v := JudgeSync(self, "peer:1", &engine.SyncRequest{Version: Version, ID: 2, Life: 22, Vector: tlv.Vector{entry}})
	if v.Lost != entry || code(v.Err) != codeForked {
		t.Fatalf("JudgeSync = %+v; want the entry that is lost, and an error", v)
	}
	if v.Line == nil || v.Line.Level != slog.LevelError || !slices.Contains(v.Line.Args, any("peer:1")) {
		t.Errorf("JudgeSync says %+v; want an error that names the peer", v.Line)
	}
}
