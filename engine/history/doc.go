// Package history is what a store knows of its past, so that it can tell whether what others say of it is true (replica/doc.go: forks).
// It has no database, clock, journal or peer.
//
// # Lives
//
// A life is one start of the process. A store that lost what it had published, because a backup was restored or a copy was started, lacks a
// life, or believes that one ended earlier than others saw it publish. A store that finds that out gives its ID up and goes on under
// another; what it did under the old one is a Branch. What its journal had beyond its last batch is a Tail.
//
// # The chain
//
// One process may be put back in time together with its memory. Its two histories are of one life then, but the hashes of their batches
// differ, for each is also of the batch before (Secret). The log of batches (Log) has the hashes.
//
// # The record
//
// The database has one record of it. Framing and integers are those of package tlv; an ID and a number of a life are 8 bytes, little-endian.
//
//	H  F  IDs that the store had before, oldest first
//	   L  lives, oldest first; the last is the present one
//	      number
//	      end       zipped: stamp of the last batch
//	   G  what was given up
//	      replica
//	      last      zipped: stamp of the last batch that was published here
//	      other     zipped: stamp up to which others had it
//	      since     zipped, and one: where the histories parted; 0: they did not
//	      L         numbers of the lives
//	   V  tails that are to be cancelled
//
// A store that once was replica 1, and has had one life under its present ID, before this one (TestWorkedExample):
//
//	68 3f                    # H, 63 bytes
//	66 08                    # F, 8 bytes
//	01 00 00 00 00 00 00 00  # replica 1
//	6c 14                    # L, 20 bytes
//	0a 00 00 00 00 00 00 00  # life 10
//	32 00 01                 # its last batch has stamp 0x100
//	0b 00 00 00 00 00 00 00  # life 11
//	30                       # which goes on
//	67 1b                    # G, 27 bytes
//	01 00 00 00 00 00 00 00  # as replica 1
//	32 34 12                 # it published up to stamp 0x1234
//	32 00 11                 # others had that up to 0x1100
//	32 01 10                 # the histories parted after 0x1000
//	6c 08                    # L, 8 bytes
//	09 00 00 00 00 00 00 00  # life 9
//	76 00                    # V: no tails
//
// Stores of format 4 and before had the same in JSON, as an object of Former, Lives, Given and Voids. That is read too.
package history
