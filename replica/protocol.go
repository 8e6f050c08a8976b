package replica

import (
	"log/slog"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

const (
	blockTime  = 5 * time.Second // a CSYNC waits so long for news
	syncBytes  = 4 << 20         // of batches in an answer, about
	snapBytes  = 1 << 20         // of a page of a snapshot, about
	maxBytes   = 64 << 20        // that a caller can ask for
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second // where the peer refuses, or this store
	// maxLost is for a link that is lost: a store that waits to be vouched for after a start does so for 2 s (Options.Wait), and a link that is there
	// again by then costs no new ID.
	maxLost    = time.Second
	heldPause  = time.Second // until a link asks again that waits for another's state transfer
	shortPause = 50 * time.Millisecond
	selfPause  = time.Minute
	maxOffset  = time.Minute // of two clocks, before the log warns of it
	sayEvery   = 5 * time.Second
)

// Self is what a store says of itself at the moment of a decision.
type Self struct {
	ID        tlv.ReplicaID
	Life      uint64
	Vector    tlv.Vector
	True      func(tlv.VectorEntry) bool // engine.Engine.True
	Proven    func(tlv.VectorEntry) bool // engine.Engine.Proven
	Former    []tlv.ReplicaID            // IDs that it had before
	Cluster   tlv.Cluster
	Port      int              // on which it is to be had; 0: none
	Confirmed bool             // it is sure of its history, and takes batches
	Transfer  *engine.Transfer // one that is not finished
}

// ended says whether a vector has a tail of this replica that begins beyond what this store has: a peer that has one does not vouch.
func (s *Self) ended(v tlv.Vector) bool {
	have := s.Vector.Entry(s.ID).Stamp
	return slices.ContainsFunc(v, func(e tlv.VectorEntry) bool { return e.Of == s.ID && e.End > have })
}

// held lists the entries that the transfer under way is to bring. No batch of their replicas is taken before.
func (s *Self) held() (list tlv.Vector) {
	if s.Transfer == nil {
		return nil
	}
	for _, h := range s.Transfer.Vector {
		if h.Replica != s.ID && s.Vector.Entry(h.Replica).Stamp < h.Stamp {
			list = append(list, h)
		}
	}
	return list
}

// Line is one for the log.
type Line struct {
	Level slog.Level
	Text  string
	Args  []any // as slog's
}

// lostLine says that a peer has e of this store, which is not of its history.
func lostLine(self *Self, e tlv.VectorEntry) Line {
	return Line{Level: slog.LevelError, Text: "this store has lost what it had published (a backup restored, a copy, a machine put back, a disk that lies): it takes a new ID",
		Args: []any{"replica", csync.Hex(self.ID), "peer_has", uint64(e.Stamp), "of_life", csync.Hex(e.Life), "here", uint64(self.Vector.Entry(self.ID).Stamp)}}
}
