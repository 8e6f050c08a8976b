package replica

import (
	"fmt"
	"log/slog"
	"slices"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// verdict is what a responder makes of a request before it looks at its store.
type verdict struct {
	Err  csync.Error     // the answer, unless it is ""
	Lost tlv.VectorEntry // nonzero: the caller has this of our own, and it is not of our history: we have to take a new ID
	Line *Line           // for the log
}

// judgeSync decides whether CSYNC is answered.
func judgeSync(self *Self, remote string, r *csync.SyncRequest) verdict {
	v := judge(self, "CSYNC", remote, &r.Request)
	e := r.Vector.Entry(self.ID)
	switch {
	case v.Err != "" || self.True(e):
		return v
	case !self.Proven(e): // anybody could say that
		return refuse(csync.Error(fmt.Sprintf("ERR CSYNC: replica %s has never published what the vector says", csync.Hex(self.ID))), remote)
	}
	line := lostLine(self, e)
	line.Args = append([]any{"peer", remote}, line.Args...)
	return verdict{Lost: e, Line: &line,
		Err: csync.Error(fmt.Sprintf("%s replica %s has two histories: it takes a new ID; ask again", csync.CodeForked, csync.Hex(self.ID)))}
}

// judge decides whether any request is answered.
func judge(self *Self, command, remote string, r *csync.Request) verdict {
	switch {
	case r.Version != csync.Version:
		return refuse(csync.VersionError(command, r.Version), remote)
	case r.ID == 0:
		return verdict{Err: csync.Error(fmt.Sprintf("ERR %s: a replica ID is not zero", command))}
	case r.ID == self.ID && r.Life == self.Life:
		return verdict{Err: csync.ErrSelf}
	case r.ID == self.ID:
		return refuse(csync.DuplicateError(self.Vector.Entry(self.ID)), remote)
	}
	return verdict{}
}

func refuse(err csync.Error, remote string) verdict {
	return verdict{Err: err, Line: &Line{Level: slog.LevelError, Text: "a peer is refused", Args: []any{"peer", remote, "err", err}}}
}

// wanted is the caller's vector, with what it does not want now as if it had it.
func wanted(r *csync.SyncRequest) tlv.Vector {
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
