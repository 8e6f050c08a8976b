package replica

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// Version of the protocol that is spoken here. In version 1 there were no fields of hashes: who speaks only that would refuse
// batches that have any. In version 2 there were no lineages: nobody could tell which of two histories counts.
const Version = 3

const (
	blockTime  = 5 * time.Second // a CSYNC waits so long for news
	syncBytes  = 4 << 20         // of batches in an answer, about
	snapBytes  = 1 << 20         // of a page of a snapshot, about
	maxBytes   = 64 << 20        // that a caller can ask for
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
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

// Self is what a store says of itself at the moment of a decision.
type Self struct {
	ID         tlv.ReplicaID
	Life       uint64
	Vector     tlv.Vector
	True       func(tlv.VectorEntry) bool        // engine.Engine.True
	Confirmed  bool                              // it is sure of its history, and takes batches
	Transfer   *engine.Transfer                  // one that is not finished
	Hold       tlv.Vector                        // no batch is taken of replicas below it
	NeedsState bool                              // it is replacing a history that does not count
	Lineage    func(tlv.VectorEntry) tlv.Lineage // engine.Engine.Lineage
}

// held lists the entries that only a state transfer can bring. No batch of their replicas is taken before.
func (s *Self) held() (list tlv.Vector) {
	for _, h := range s.Hold {
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

// hex is how IDs and lives are written on the wire and in the log.
func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

func name(id tlv.ReplicaID) string { return hex(uint64(id)) }
