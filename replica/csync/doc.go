// Package csync is the protocol between replicas, version 4: the requests CSYNC, CSNAP and CDIGEST, their answers and errors, in both
// directions. Package replica asks with it and reads the answers, package commands reads requests and writes the answers.
//
// Requests and answers are plain RESP2 in shape, integers as integers and everything binary as bulk strings. IDs and lives are 16
// hexadecimal digits, vectors and batches are of package tlv.
//
//	CSYNC 4 <replica> <life> <vector> [BLOCK ms] [BYTES n] [PORT n] [EXCEPT replica] ... [FORMER replica] ...
//
//	 1) :4                the version
//	 2) $replica          that answers
//	 3) $life             of it
//	 4) :1767225600000    its wall clock, in milliseconds since the Unix epoch
//	 5) $vector           that it has durable
//	 6) *1 $replica       IDs that it had before, as FORMER says those of the caller
//	 7) *1 $name          of its cluster (tlv.Cluster)
//	 8) :0                1: that is provisional
//	 9) $ok | $state      state: its log does not reach back to what the caller has
//	10) :2                batches that the caller will lack still
//	11) :1400             keys in them
//	12) *2 $batch $batch  that the caller lacks, in order for each replica, the oldest first; of none after EXCEPT
//
// PORT is on which the caller is to be had itself, at the address that it calls from: so the responder knows it for the peer that it pulls
// from there, before that has answered.
//
// The answer comes at once if there is a batch, or if the caller needs the state; otherwise as soon as there is one, and
// after BLOCK milliseconds without any. The vector in a request is what the caller has made durable: it acknowledges what
// came before, says where to go on, and bounds what is on its way. The responder keeps no queue, and nothing but that
// vector.
//
//	CSNAP 4 <replica> <life> [RESUME snapshot cursor] [BYTES n]
//
//	1) :4           the version
//	2) $replica     that answers
//	3) $snapshot    a name for it
//	4) $vector      of the snapshot
//	5) :1000000     keys in it, about
//	6) :65536       keys up to the end of this page; more than before, unless it is the last
//	7) $cursor      of the next page; empty: this was the last
//	8) $page        deltas
//
// Without RESUME it takes a new snapshot. One is kept for five minutes after the last request for it, one for each caller.
//
//	CDIGEST 4 <replica> <life> <key> ...
//
//	1) :4           the version
//	2) $replica     that answers
//	3) $vector      of what is stored there, at one moment
//	4) $sums        8 B, little-endian, for each key: a hash of what it shows; 0: nothing
//
// The keys are of package engine, with their first byte (tlv.ValidateKey).
//
// Before any of this both sides prove that they know the same secret, if there is one (package handshake, CAUTH); a connection
// speaks for the replica that it has proven to be, or without a secret for the first that it names, and for no other.
//
// Errors are replies too: -SELF, the caller is this very process; -DUPLICATE, another process with this replica's ID and another
// life; -FORKED, the responder has just learned from the caller's vector that it has lost its history, and takes a new ID;
// -NOSNAPSHOT, begin again; -BUSY, not now; and -ERR with a text that says what version is spoken here.
//
// Replies are written with redcon's appenders, but read by hand: redcon's reader overflows where a string says that it is almost
// 2^63 bytes long.
package csync

// Version of the protocol that is spoken here. In version 1 there were no fields of hashes: a replica that speaks only that would refuse
// batches that have any. Up to version 3 batches had no hashes: two histories of one replica could look alike.
const Version = 4
