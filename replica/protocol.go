package replica

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// Version of the protocol that is spoken here. In version 1 there were no fields of hashes: who speaks only that would refuse
// batches that have any. Up to version 3 batches had no hashes: two histories of one replica could look alike.
const Version = 4

const (
	blockTime  = 5 * time.Second // a CSYNC waits so long for news
	syncBytes  = 4 << 20         // of batches in an answer, about
	snapBytes  = 1 << 20         // of a page of a snapshot, about
	maxBytes   = 64 << 20        // that a caller can ask for
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second // where the peer refuses, or this store
	// maxLost is for a link that is lost: who waits to be vouched for after a start does so for 2 s (Options.Wait), and a link that is there
	// again by then costs no new ID.
	maxLost    = time.Second
	heldPause  = time.Second // until a link asks again that waits for another's state transfer
	shortPause = 50 * time.Millisecond
	selfPause  = time.Minute
	maxOffset  = time.Minute // of two clocks, before somebody is warned
	sayEvery   = 5 * time.Second
)

// Codes of the errors that a responder answers with: their first word.
const (
	codeSelf       = "SELF"
	codeDuplicate  = "DUPLICATE"
	codeForked     = "FORKED"
	codeNoSnapshot = "NOSNAPSHOT"
	codeBusy       = "BUSY"
)

func code(err engine.PeerError) string {
	word, _, _ := strings.Cut(string(err), " ")
	return word
}

// versionError is the answer to a request of a version that is not spoken here. It is also what a puller makes of an answer
// of such a version, so that both sides say the same.
func versionError(command string, version int64) engine.PeerError {
	return engine.PeerError(fmt.Sprintf("ERR %s: protocol version %d is not spoken here; this replica speaks %d", command, version, Version))
}

func isVersionError(err engine.PeerError) bool {
	return strings.Contains(string(err), "protocol version")
}

// duplicateError is the answer to a request that comes from this replica's own ID in another life. It says up to where this
// process has published, so that the caller can tell whether it is a copy that lacks that.
func duplicateError(self *Self) engine.PeerError {
	e := self.Vector.Entry(self.ID)
	return engine.PeerError(fmt.Sprintf("%s replica %s is my own ID, published up to %d in life %s with hash %s: the same store runs twice",
		codeDuplicate, name(self.ID), e.Stamp, hex(e.Life), hex(uint64(e.Hash))))
}

// parseDuplicate reads what such an answer says; false: nothing.
func parseDuplicate(err engine.PeerError) (e tlv.VectorEntry, ok bool) {
	_, scanned := fmt.Sscanf(string(err), codeDuplicate+" replica %x is my own ID, published up to %d in life %x with hash %x:", &e.Replica, &e.Stamp, &e.Life, &e.Hash)
	return e, scanned == nil
}

// Self is what a store says of itself at the moment of a decision.
type Self struct {
	ID        tlv.ReplicaID
	Life      uint64
	Vector    tlv.Vector
	True      func(tlv.VectorEntry) bool // engine.Engine.True
	Proven    func(tlv.VectorEntry) bool // engine.Engine.Proven
	Former    []tlv.ReplicaID            // IDs that it had before
	Cluster   engine.Cluster
	Port      int              // on which it is to be had; 0: none
	Confirmed bool             // it is sure of its history, and takes batches
	Transfer  *engine.Transfer // one that is not finished
}

// ended says whether a vector has a tail of this replica that begins beyond what this store has: who has that does not vouch.
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
		Args: []any{"replica", name(self.ID), "peer_has", uint64(e.Stamp), "of_life", hex(e.Life), "here", uint64(self.Vector.Entry(self.ID).Stamp)}}
}

// hex is how IDs and lives are written on the wire and in the log.
func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

func name(id tlv.ReplicaID) string { return hex(uint64(id)) }
