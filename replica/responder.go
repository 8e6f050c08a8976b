package replica

import (
	"fmt"
	"log/slog"
	"slices"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// Verdict is what a responder makes of a request before it looks at its store.
type Verdict struct {
	Err  engine.PeerError // the answer, unless it is ""
	Lost tlv.VectorEntry  // nonzero: the caller has this of our own, and it is not of our history: we have to take a new ID
	Line *Line            // for the log
}

// JudgeSync decides whether CSYNC is answered.
func JudgeSync(self Self, remote string, r *engine.SyncRequest) Verdict {
	v := judge(self, "CSYNC", remote, r.Version, r.ID, r.Life)
	e := r.Vector.Entry(self.ID)
	switch {
	case v.Err != "" || self.True(e):
		return v
	case !self.Proven(e): // anybody could say that
		return refuse(engine.PeerError(fmt.Sprintf("ERR CSYNC: replica %s has never published what the vector says", name(self.ID))), remote)
	}
	line := lostLine(&self, e)
	line.Args = append([]any{"peer", remote}, line.Args...)
	return Verdict{Lost: e, Line: &line,
		Err: engine.PeerError(fmt.Sprintf("%s replica %s has two histories: it takes a new ID; ask again", codeForked, name(self.ID)))}
}

// JudgeSnap decides whether CSNAP is answered.
func JudgeSnap(self Self, remote string, r *engine.SnapRequest) Verdict {
	return judge(self, "CSNAP", remote, r.Version, r.ID, r.Life)
}

// JudgeDigest decides whether CDIGEST is answered.
func JudgeDigest(self Self, remote string, r *engine.DigestRequest) Verdict {
	return judge(self, "CDIGEST", remote, r.Version, r.ID, r.Life)
}

func judge(self Self, command, remote string, version int64, id tlv.ReplicaID, life uint64) Verdict {
	switch {
	case version != Version:
		return refuse(versionError(command, version), remote)
	case id == 0:
		return Verdict{Err: engine.PeerError(fmt.Sprintf("ERR %s: a replica ID is not zero", command))}
	case id == self.ID && life == self.Life:
		return Verdict{Err: codeSelf + " this is the replica that asks"}
	case id == self.ID:
		return refuse(duplicateError(&self), remote)
	}
	return Verdict{}
}

func refuse(err engine.PeerError, remote string) Verdict {
	return Verdict{Err: err, Line: &Line{Level: slog.LevelError, Text: "a peer is refused", Args: []any{"peer", remote, "err", err}}}
}

// wanted is the caller's vector, with what it does not want now as if it had it.
func wanted(r *engine.SyncRequest) tlv.Vector {
	if len(r.Except) == 0 {
		return r.Vector
	}
	except := slices.Sorted(slices.Values(r.Except))
	var all tlv.Vector
	for _, id := range slices.Compact(except) {
		all = append(all, tlv.VectorEntry{Replica: id, Stamp: maxStamp})
	}
	all.Merge(r.Vector)
	return all
}

const maxStamp = tlv.Stamp(1<<64 - 1)

// size is what a request means by its BYTES.
func size(asked, usual int64) int {
	if asked <= 0 {
		return int(usual)
	}
	return int(min(asked, maxBytes))
}
