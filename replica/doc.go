// Package replica keeps the replicas of a store alike: each pulls from its peers what they have and it lacks.
//
// # The protocol, version 3
//
// Two requests, of plain RESP2 in shape, integers as integers and everything binary as bulk strings. IDs and lives are 16
// hexadecimal digits, vectors, lineages and batches are of package tlv.
//
//	CSYNC 3 <replica> <life> <vector> [BLOCK ms] [BYTES n] [EXCEPT replica] ...
//
//	 1) :3                the version
//	 2) $replica          that answers
//	 3) $life             of it
//	 4) :1767225600000    its wall clock, in milliseconds since the Unix epoch
//	 5) $vector           that it has durable
//	 6) $lineages         of its entries that are of another life than the caller's, from that life on if it knows it
//	 7) $ok | $state      state: its log does not reach back to what the caller has
//	 8) :2                batches that the caller will lack still
//	 9) :1400             keys in them
//	10) *2 $batch $batch  that the caller lacks, in order for each replica, the oldest first; of none after EXCEPT
//
// The answer comes at once if there is a batch, or if the caller needs the state; otherwise as soon as there is one, and
// after BLOCK milliseconds without any. The vector in a request is what the caller has made durable: it acknowledges what
// came before, says where to go on, and bounds what is on its way. The responder keeps no queue, and nothing but that
// vector.
//
//	CSNAP 3 <replica> <life> [RESUME snapshot cursor] [BYTES n]
//
//	1) :3           the version
//	2) $replica     that answers
//	3) $snapshot    a name for it
//	4) $vector      of the snapshot
//	5) $lineages    of all entries of it; none after RESUME
//	6) :1000000     keys in it, about
//	7) :65536       keys up to the end of this page; more than before, unless it is the last
//	8) $cursor      of the next page; empty: this was the last
//	9) $page        deltas
//
// Without RESUME it takes a new snapshot. One is kept for five minutes after the last request for it, four at most.
//
// Errors are replies too: -SELF, the caller is this very process; -DUPLICATE, somebody else with this replica's ID and another
// life; -FORKED, the responder has just learned from the caller's vector that it has lost its history, and takes a new ID;
// -NOSNAPSHOT, begin again; -BUSY, not now; and -ERR with a text that says what version is spoken here.
//
// # What holds
//
// Durable before visible: nothing is offered that is not synced here; a store that power failed knows all that it ever
// offered. No gaps: a batch is taken in only if the one before it is here, so a vector never claims what is not in the
// store. One writer: a batch is relayed as it was made, so any topology that connects all replicas brings everything
// everywhere. The engine checks the last two for each batch, whatever a peer sends.
//
// # Forks
//
// A store that lost what it had published must not go on under its ID: what it publishes next would take the place of the
// greater contribution that its peers hold. An entry of a version vector says which life of its replica published last, and
// engine.Engine.True whether that is this store's own past. So (Self, Puller.forked, JudgeSync)
//
//   - after a start nothing is published until every peer has answered with an entry of this replica that is true, or 2 s
//     are over. If one is not true the store takes a new ID, before it has published anything: nothing is lost on either side;
//   - the same is looked for in every later request and answer. What was published under the old ID since the start is then
//     the remainder that is lost;
//   - batches that do not follow prove that their replica has forked: they are refused, those of others flow on;
//   - who meets its own ID with another life does not sync. The error says what that has published: a store that has published
//     nothing since its start, and lacks that, takes a new ID.
//
// Found late, a fork leaves two histories of the old ID, or more, of which some replicas have the one and some another. A
// lineage tells in which lives a history was published and where each began. Two of them show whether one history is the
// beginning of the other, which is only behind, and if not, which of the two counts: the one that went on in the life that
// they share, for the other is that of a store that was put back and started anew (tlv.Lineage.Conflict). It takes no more
// than the two, and all replicas come to the same history, in whatever order they meet. So (Puller.compareHistories,
// engine/supersede.go)
//
//   - nothing of a replica is taken from a peer that has another history of it, neither batches nor state. All else flows on,
//     and the link is in state forked for as long;
//   - whoever has the one that does not count fetches the state of a peer that has the one that does, which brings it in
//     place of the other. What the lost history did to others' contributions stays, and is published again;
//   - histories of which so little is known that they cannot be compared (the oldest of 256 lives are forgotten, and stores of
//     before version 3 know only the last) are refused as above, and no more.
//
// A replica whose own ID it is only ever takes a new one: nobody's history of a replica that goes on can be put in its place
// there. Elsewhere a replica that has not forked has one history, of which all others' are a beginning, and loses nothing.
//
// # State transfer
//
// Where the log of the peer does not reach back a link fetches the peer's state, page by page; each page is durable here
// together with the cursor of the next. A link that is cut goes on from there, also after a restart, as long as the snapshot
// is kept. One link at a time does so (Turns); batches of replicas that are held back meanwhile are not asked for (EXCEPT),
// all others flow. A transfer that is not finished waits a while for its source before another peer takes its place. Where the
// source was the only one that had something of a replica, and loses it before the end, the part that has come stays here, and
// here alone: nobody can tell that it is not to come any more.
//
// # Who decides
//
// Puller, JudgeSync and JudgeSnap, Members, Turns and Shelf decide, and have no goroutine, socket, clock, disk or randomness.
// A Puller is driven by one step at a time: it is told what came of the last action and names the next, so that whoever
// drives it may stop for ever between any two. Node and link drive them, and decide nothing. The simulation (sim_test.go)
// drives the same Node over a network of its own.
package replica
