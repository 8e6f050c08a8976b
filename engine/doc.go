// Package engine keeps counters: in memory as atomics, in a journal that makes acknowledged writes durable, and in a Pebble
// database that holds everything. It knows no RESP, socket or peer.
//
// # What is promised
//
// All writes of this process show at once. A write whose Pipeline.Commit returned survives the death of the process, and
// with Always, once Durable has reached its position, that of the machine too: before that it has no reply, and survives
// neither. It is counted once. What other replicas did (Apply) shows after at most the update period.
//
// # For a program that embeds it
//
// A program that counts needs these names and no others. An example is at Open.
//
//	Open, OpenContext, Options                    a store in a directory, and how it is kept
//	SyncMode: EverySec, Always, No                when the journal is synced
//	AlwaysFresh                                   an update period of 0
//	Engine.Close                                  ends it, with all that was counted on the disk
//	Engine.Counter, Counter                       a handle on the counter of a key
//	Counter.Get, Counter.Increment                its value, and the change of it
//	Counter.IncrementOnce                         an increment that a token lets count once
//	Counter.WithUpdatePeriod                      a handle that shows other replicas' counts earlier or later
//	Engine.SetSync, Engine.SetCacheSize           settings that change while it is open
//	Engine.SetUpdatePeriod                        the same
//	Engine.Stats, Stats, Engine.Failed            figures, and why it refuses writes
//	Engine.Observe, Observer, Change              a call for each key that changes
//	Engine.Backup                                 a copy of the store, while it is open
//	IsStore, Check, Repair                        of a directory that no process has open
//	ErrLocked, ErrNotStore                        of Open
//	ErrDamaged, ErrCorrupt                        of Open and Check
//	ErrClosed, ErrFailed, ErrNoSpace, ErrNoFiles  of all that writes
//	ErrOverflow, ErrNegative                      of an increment, which changed nothing
//	ErrNotInteger, ErrWrongType                   the same
//	ErrKeyTooLong                                 of all that names a key
//	ErrTokenSize, ErrTokenLife, ErrTokenUsed      of IncrementOnce
//
// All other names are for the rest of this program, and change with it. Pipeline, with its options and results, has what the commands of
// package commands do. Vector, Batches, Apply, Snapshot, Transfer, Rename and what stands beside them have what package replica sends and
// merges. Disk and InMemory are for tests.
//
// # How
//
//	command ─► entry in memory (atomic add) ─► journal (append) ─► reply
//	                   │ dirty
//	             flush (every few ms to 2 s)
//	                   ▼
//	   one Pebble batch, synced: deltas + counts + version vector + journal mark
//
// A flush begins with a cut: a moment when no pipeline is active. It draws the batch's stamp, starts the next generation
// and notes the journal's end. What each dirty key did in the generation that ended becomes one delta. After the
// commit the journal before the mark is not needed any more; recovery opens the database and replays what lies behind.
// If a commit fails it is unknown what the disk has: the engine refuses all further writes, and the next start decides.
//
// # Replication
//
// The engine knows no peer, but all that a protocol between peers needs (package replica): a flush publishes a batch, kept
// with those of others in a bounded log (Batches, TrimLog); Vector says what is stored and synced, and News when it grew;
// Apply takes in the next batch of another replica; Snapshot and BeginTransfer bring the state to one that comes too late
// (transfer.go). A store that lost what it had published takes a new ID (package history, rename.go). Merge joins states of
// counters that live elsewhere (import.go). Whatever arrives is in the order of the store, under its locks, and shows to
// entries in the cache when their update period is over.
//
// # Sections
//
// From Pipeline.Begin to End a pipeline runs alone, for MULTI and EXEC and for scripts: all it does is one frame of the journal,
// and part of one batch (section.go). Watch says whether a key has changed (watch.go).
//
// # Texts
//
// A key may hold any string up to 1 MiB (Put, Value). A decimal int64 is an integer, to which increments add; all else is a
// text. Of assigned values that no replica has cancelled the last shows, by birth and replica; if that is a text it shows alone, and
// Incr gives ErrNotInteger. That goes by what is stored: a text of another replica is taken in at once, update period
// or not. What others added before they knew of it stays in their contributions, and shows when the text is cancelled and they
// are not. Edit reads and sets at one moment of one replica; of concurrent ones the last wins.
//
// The journal has a text once for each SET. Its bytes count into the cache, and into what one flush may write
// (maxTexts), so that batches stay of a size that peers take.
//
// # Tokens
//
// IncrOnce, and Counter.IncrementOnce, count an increment once for a token, however often they are asked to (token.go).
//
// # Directory
//
//	FORMAT    "atomiccounter 5\n": the version of all that follows
//	LOCK      held by the process that has the directory open
//	journal/  segments (package journal)
//	db/       Pebble (package store; its keys are in store/key.go)
//	COPY      only in a copy made by Backup: the next Open takes a new replica ID
//
// # The life of an entry
//
// An entry is one cached counter (entry.go). A pipeline that finds none puts a placeholder into the table, locked, and reads the
// database under loads (lock.go). The first write of a generation marks the entry dirty: it gets a pending part, and the table lists it
// (markDirty). Later increments of the generation only add to an atomic number, with the entry's lock shared. The cut ends the
// generation; the flush, or a pipeline that comes first, rolls what is pending into the stored part and leaves an operand for the
// flush (roll). When the commit is done the entry is clean. What arrives of other replicas waits at a cached entry (incoming) until its
// update period is over, and is then merged (mergeAndClose). A clean entry that nothing pins may be evicted.
//
// A million counters are to fit into memory, so an entry has what every counter needs, and little else. Its state is compact
// (state.Compact) unless other replicas have a part in it, it shows a text or it is otherwise out of the ordinary. A goroutine that locks
// an entry exclusively opens the state (lockState), and makes it compact again before it unlocks, if it can be (rare.go).
//
// # Lock order
//
// A goroutine that has a lock waits only for locks that come after it in this list. A lock that it only tries (TryLock) may be any.
//
//  1. commit: the one writer of the database (committer.go)
//  2. admission: the section that runs, or is next (admission.go)
//  3. refreshing: one Refresh at a time (stale.go)
//  4. a Snapshot (snapshot.go)
//  5. guards: shared by each active pipeline, all of them exclusively by a cut or a section (cut.go)
//  6. scans: shared by reads of the database, exclusively by Close (engine.go)
//  7. loads: shared by a load, exclusively while what arrives becomes readable (engine.go)
//  8. the entry of a key, or of the head of a hash (entry.go); of several in the order of their keys
//  9. the entry of a token (token.go)
//  10. the entry of a field (entry.go); of several in the order of their keys
//  11. fields, which a head and its fields share (fields.go)
//  12. a shard of the table (table.go)
//  13. all others, which are leaves: a shard's list of dirty entries (table.go), the stale keys (stale.go), the history and its log
//     (package history), news (vector.go), the watches (watch.go), the admission's count (admission.go)
//
// The journal's own locks come after all of these. locks.go gives the locks their places; with the build tag lockorder a goroutine panics
// before it waits for one out of the order, and CI runs the tests so.
//
// Invariant: a pipeline that holds an entry from one command to the next only tries for another. If that fails it journals, and lets
// go of all entries, before it waits.
//
// # Glossary
//
//	cut         the moment between two generations, when no pipeline is active
//	generation  what happens between two cuts; one batch has all of it
//	flush       a cut, and the commit of what the generation before it did
//	mark        the place in the journal up to which the database has everything
//	commit      a batch for the database, and what becomes true once that is committed
//	arrival     one key of a batch, page or merge on its way into the store
//	own         the contribution of this replica to a key, as stored
//	foreign     the contributions of all others, and what was reset
//	pending     what the present generation did to a key
//	head        the entry of a hash's key; its fields have entries of their own
//	open        of an entry: its state is a state.Key in memory of its own, not compact
//	section     a time in which one pipeline runs alone: MULTI and EXEC, or a script
//	life        one start of the process, which batches name
//	tail        what the journal of an earlier life had that no batch of this store has
//	stale       of an entry: something has arrived that it does not show yet
//	awaiting    of a store: it publishes nothing before its peers have confirmed what they have of it
package engine
