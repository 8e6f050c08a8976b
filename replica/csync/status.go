package csync

import (
	"time"

	"atomiccounter/tlv"
)

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
	Divergent         int64     // keys of which it is known to show something else; from 1000 on there may be more
	AckedOwn          tlv.Stamp // up to which it has our own batches durable, by what it last said

	TransferDone  int64 // keys of the transfer under way
	TransferKeys  int64 // in all; 0: none is under way
	TransferBytes int64
	TransferRate  int64 // keys a second
}
