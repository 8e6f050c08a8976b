package engine

import (
	"time"

	"atomiccounter/tlv"
)

// What the replication protocol (package replica) is asked and answers, and the commands read and write out: both import
// only this package.

// SyncRequest is CSYNC 4 <id> <life> <vector> [BLOCK ms] [BYTES n] [PORT n] [EXCEPT id ...] [FORMER id ...] without BLOCK, which is for whoever
// waits for the answer not to be empty.
type SyncRequest struct {
	Version int64         // of the protocol; of an unknown one nothing else of the request was read
	ID      tlv.ReplicaID // of the caller
	Life    uint64
	Vector  tlv.Vector      // what is durable there: its acknowledgement
	Except  []tlv.ReplicaID // whose batches it does not want now; each by an EXCEPT of its own
	Former  []tlv.ReplicaID // IDs that it had before; each by a FORMER of its own
	Bytes   int64           // of batches, about; 0: the default
	Port    int64           // TCP, on which the caller is to be had; 0: it does not say
}

// SnapRequest is CSNAP 4 <id> <life> [RESUME <snapshot> <cursor>] [BYTES n].
type SnapRequest struct {
	Version  int64
	ID       tlv.ReplicaID
	Life     uint64
	Snapshot string // "": a new one
	Cursor   []byte
	Bytes    int64 // of the page, about; 0: the default
}

// SyncAnswer is the answer to CSYNC: what the caller lacks.
type SyncAnswer struct {
	ID        tlv.ReplicaID // of who answers
	Life      uint64
	Clock     int64 // its wall clock, ms since the Unix epoch
	Vector    tlv.Vector
	Former    []tlv.ReplicaID // IDs that it had before
	Cluster   Cluster
	NeedState bool     // the log does not reach back to what the caller has: it needs the state (CSNAP)
	Left      int64    // batches that the caller will lack still
	LeftKeys  int64    // keys in them
	Batches   [][]byte // tlv.AppendBatch each, in order for each replica; the caller's
}

// SnapAnswer is the answer to CSNAP: one page of a consistent snapshot.
type SnapAnswer struct {
	ID       tlv.ReplicaID
	Snapshot string     // names it for as long as somebody asks for it
	Vector   tlv.Vector // of the snapshot
	Keys     int64      // in all
	Done     int64      // up to the end of this page
	Next     []byte     // cursor of the next page; empty: this was the last
	Page     []byte     // deltas (tlv.ParseDeltas)
}

// DigestRequest is CDIGEST 4 <id> <life> <key> ...
type DigestRequest struct {
	Version int64
	ID      tlv.ReplicaID // of the caller
	Life    uint64
	Keys    []string
}

// DigestAnswer is the answer to CDIGEST: what the store shows of the keys, at one moment.
type DigestAnswer struct {
	ID     tlv.ReplicaID // of who answers
	Vector tlv.Vector
	Sums   []uint64
}

// PeerError is an error that goes out as the reply it is, its code first: "DUPLICATE replica …".
type PeerError string

func (e PeerError) Error() string { return string(e) }

// MaxDivergent is how many divergent keys of a peer are kept.
const MaxDivergent = 1000

// PeerStatus describes one peer, for INFO and CPEER LIST.
type PeerStatus struct {
	Addr    string        // host:port; of an inbound one, where it last called from, with its own port if it has said that
	ID      tlv.ReplicaID // 0: it has not said yet
	State   string        // connecting, confirming, syncing, transferring, held, refused, duplicate, forked, self, down; of an inbound one: pulling, away
	Inbound bool          // known only because it pulls from here
	Pulls   bool          // it pulls from here at present, whatever State says of our own link to it
	Error   string        // why State is not as it should be; "": nothing is wrong
	Since   time.Time     // in State

	LagBatches        int64 // that it has and we have not, by its last answer
	LagKeys           int64 // in them
	LagMillis         int64 // for so long, so far, we have lacked something that it has
	LastContact       time.Time
	LastPull          time.Time // when it last asked for something here; zero: never
	BytesIn           int64     // payload of its answers
	BytesOut          int64     // payload of our answers to it
	Transfers         int64     // states fetched from it, complete
	Errors            int64
	ClockOffsetMillis int64     // its clock minus ours
	Divergent         int64     // keys of which it is known to show something else; from MaxDivergent on there may be more
	AckedOwn          tlv.Stamp // up to which it has our own batches durable, by what it last said

	TransferDone  int64 // keys of the transfer under way
	TransferKeys  int64 // in all; 0: none is under way
	TransferBytes int64
	TransferRate  int64 // keys a second
}
