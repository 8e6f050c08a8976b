// Package replica keeps the replicas of a store alike: each pulls from its peers what they have and it lacks.
//
// Package csync is the protocol that they speak.
//
// The names of the peer's cluster are here durably before anything else of the answer: of what is of this cluster a CMERGE takes nothing
// in.
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
// greater contribution that its peers hold. No store publishes under an ID that was not vouched for, and nothing is repaired
// afterwards: an entry of a vector never goes back. An entry says which batch of its replica is the last, by a hash that is of
// that batch and all before it, and engine.Engine.True whether that is this store's own past. So (Self, puller.forked, judgeSync,
// Node.confirm)
//
//   - after a start nothing is published until all who know this replica have shown an entry of it that is true: peers in their
//     answers, those that pulled from here, as the store remembers, in their requests. A replica that has another ID by now
//     says which it had before, and so speaks for these too;
//   - if an entry is not true, or not all have been heard within 2 s, the store takes a new ID before it has published anything.
//     A store that this start has made, or that has never had a peer or a puller, does not ask;
//   - the same is looked for in every later request and answer. A peer that says that this replica has published what it
//     knows nothing of has to prove it: the hash of what was published by this store, or a copy of it, is made with its secret
//     (engine.Engine.Proven). Then this store takes a new ID;
//   - a store that meets its own ID with another life does not sync. The error says what that has published: a store that has published
//     nothing since its start, and lacks that, takes a new ID.
//
// A store takes a new ID in the midst of its work at most once an hour. The second time it fails (engine.Engine.Fail): it takes no writes, and
// publishes nothing, until an operator starts it again.
//
// What such a store has in its journal from before its start, and never published, others may count too: a copy of it has that or the beginning
// of it, and its original has perhaps published it. So a store that gives up an ID publishes that as the tail: the contribution
// of an ID of its own, which like its stamps follows from the journal alone, so that of two stores that publish it the one that has more
// of it counts (engine.Engine.Renew). With the first batch of the new ID every vector learns that the old one ended after such and such a batch
// (tlv.VectorEntry): a peer that knows that does not vouch for a store that begins there. And where it turns out that batches of the old ID go
// on, as its original has the tail in the next of them, the tail is cancelled (engine.Engine.DropTails), or not even published.
//
// A fork all the same, of an ID that two stores publish under though all whom either of them knows have vouched for it (an operator
// starts a copy that knows nobody; a virtual machine is put back together with its memory), is refused: batches that do not follow what
// is here, and a state with another history of a replica than is here. The link is in state forked for as long, and both sides say
// so in the log. What the store under the new ID does from then on reaches everybody.
//
// # State transfer
//
// Where the log of the peer does not reach back a link fetches the peer's state, page by page; each page is durable here
// together with the cursor of the next. A link that is cut goes on from there, also after a restart, as long as the snapshot
// is kept. One link at a time does so (turns); batches of replicas that are held back meanwhile are not asked for (EXCEPT),
// all others flow. A transfer that is not finished waits a few seconds for its source before another peer takes its place. What has
// come of it stays, and where the source was the only one that had it, this replica publishes it (package engine).
//
// A store that was made with peers joins until it has all that one of them has; if none has anything, until all have said so (Node.Joining).
// The node answers meanwhile, so stores that join together need not wait for one another.
//
// # Comparison
//
// Every five seconds a link that is as it should be compares what up to 1,000 keys show with what its peer has (comparison): a bug or a disk that
// lies may have made two stores differ in silence, for good. The vectors need not be equal for that, and nothing is held up. Where the
// two differ though each has all that the other has, the log says so once, and INFO does (divergent_keys).
//
// # What decides
//
// The types puller, members, turns and leases, and judgeSync, decide, and have no goroutine, socket, clock, disk or randomness.
// A puller is driven by one step at a time: it is told what came of the last action and names the next, so that its
// driver may stop for ever between any two. Node and link drive them, and decide nothing. The simulation (sim_test.go)
// drives the same Node over a network of its own.
package replica
