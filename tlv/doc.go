// Package tlv frames records as type, length and body, and writes the states of counters and the batches of replicas in
// them. It is the format of the store's values, of the journal's records and of what replicas send each other.
//
// # Records
//
//	short   a..z  length (1 B)                  body    up to 255 bytes
//	long    A..Z  length (4 B, little-endian)   body    256 bytes to 4 GiB - 1
//	tiny    0..9                                body    up to 9 bytes, where the position implies the type
//
// The letter is the type; its case only says which form the length has.
//
//	75 02 68 69                # U "hi"
//
// # Integers
//
// Integers are zipped: little-endian without the zero bytes at the end, so 0 is an empty body. Signed ones are zigzagged
// first, 0 -1 1 -2 to 0 1 2 3. Inside records they stand as tiny records; 128-bit ones beyond 9 bytes as records I.
//
//	32 e8 03                   # 1000
//	31 09                      # -5, zigzagged to 9
//
// Two integers are zipped into a pair of 1, 2, 4 or 8 bytes each; see AppendZipPair.
//
//	33 e8 03 1a                # 1000 and 26, 2 + 1 bytes
//
// # States
//
// A state is the contributions to a key, its resets, and the origins of those that are foreign, each list in ascending order of
// replica; foreign ones under the ID that they have here (ForeignID). Stamps of a contribution are written as their distance from rev,
// which they never exceed.
//
//	C  replica    8 B, little-endian          Contribution.Replica
//	   rev        zipped                      Contribution.Rev
//	   birth      zipped rev - birth          Contribution.Birth
//	   last       zipped rev - last + 1; 0: none  Contribution.Last
//	   total      zigzagged, 128 bits         Contribution.Total
//	   flags      zipped: 1 natural, 2 closed, 4 assigned, 8 expiry, 16 text, 32 joined, 64 since  Contribution.Kind, .Closed, .HasValue, .IsText, .Joined
//	   assigned   zigzagged, if flag 4        Contribution.Assigned
//	   text       record X, up to 1 MiB, if flag 16; never with flag 4  Contribution.Text
//	   stamp      zipped rev - stamp, if flag 8   Contribution.Expiry.Stamp
//	   at         zipped milliseconds, if flag 8  Contribution.Expiry.At
//	   since      zipped birth - since, if flag 64  Contribution.Since
//	R  replica    8 B, little-endian          Reset.Replica
//	   rev        zipped                      Reset.Rev
//	   base       zigzagged, 128 bits         Reset.Base
//	F  replica    8 B, little-endian          Origin.Replica
//	   cluster    zipped; 0 unknown, 1 of a plain counter  Origin.Cluster
//
// A contribution of 5 by replica 1, born and published at stamp 0x10:
//
//	63 10                      # C, 16 bytes
//	01 00 00 00 00 00 00 00    # replica 1
//	31 10                      # rev 0x10
//	30                         # birth = rev
//	31 01                      # last = rev
//	31 0a                      # total 5
//	30                         # no flags: a ZCounter
//
// A SET to -1 by replica 2, born at 0x10, published at 0x20 with an EXPIRE of 0x18 that ends at 1000 ms:
//
//	63 18                      # C, 24 bytes
//	02 00 00 00 00 00 00 00    # replica 2
//	31 20                      # rev 0x20
//	31 10                      # birth = rev - 0x10
//	31 01                      # last = rev
//	30                         # total 0
//	31 0c                      # flags: assigned, expiry
//	31 01                      # assigned -1
//	31 08                      # stamp = rev - 8
//	32 e8 03                   # at 1000
//
// A SET to "hello" by replica 3, born and published at stamp 0x10:
//
//	63 17                      # C, 23 bytes
//	03 00 00 00 00 00 00 00    # replica 3
//	31 10                      # rev 0x10
//	30                         # birth = rev
//	31 01                      # last = rev
//	30                         # total 0
//	31 10                      # flags: text
//	78 05 68 65 6c 6c 6f       # X "hello"
//
// A replica cancelled replica 1 up to stamp 0x10, when its total was 5:
//
//	72 0c                      # R, 12 bytes
//	01 00 00 00 00 00 00 00    # replica 1
//	31 10                      # rev 0x10
//	31 0a                      # base 5
//
// A dump, which is for other clusters, begins with the one that the state is of, whose replicas have no origin there:
//
//	H  cluster    8 B, little-endian
//	   state      to the end
//
// The contribution of 5 as a cluster dumps it that has merged it as one of the plain counter of replica 7:
//
//	68 08                      # H, 8 bytes
//	ef cd ab 89 67 45 23 01    # cluster 0x123456789abcdef
//	63 10 12 d3 40 40 db 1c 79 8d 31 10 30 31 01 31 0a 30
//	66 0a                      # F, 10 bytes
//	07 00 00 00 00 00 00 00    # replica 7
//	31 01                      # of a plain counter
//
// # Texts
//
// What a SET assigns is an integer if it is the decimal of an int64 as that is written back (ParseInteger), and otherwise a
// text. Of the assigned values that no replica has cancelled, that of the greatest birth shows, of equal births that of the greatest replica. If
// that one is an integer, all that is live adds to it; if it is a text, the key shows the text alone. What others added
// without knowing of the text is not lost by that: it counts in the sum, which shows again as soon as the text is cancelled
// and no other takes its place. So all replicas with the same contributions and resets show the same. No replica adds to a
// key while it shows a text, so there is a total beside a text only where a replica did not see the text.
//
// # Batches
//
//	B  replica    8 B, little-endian          Batch.Replica
//	   hash       8 B, little-endian          Batch.Hash
//	   chain      8 B, little-endian          Batch.Chain
//	   prev       zipped                      Batch.Prev
//	   stamp      zipped                      Batch.Stamp
//	   life       zipped                      Batch.Life
//	   ends       8 B, little-endian          Batch.Ends; only where prev is 0
//	   end        zipped                      Batch.End; only where ends is not 0, as the next
//	   tail       8 B, little-endian          Batch.Tail
//	   deltas     one record D each           Batch.Deltas
//	D  key        record K: space and database (1 B), up to 64 KiB    Delta.Key (key.go)
//	   state      to the end                  Delta.State
//
// The first batch of replica 1, with an INCRBY 5 of the key "hi" in database 0:
//
//	62 3e                      # B, 62 bytes
//	01 00 00 00 00 00 00 00    # replica 1
//	ef cd ab 89 67 45 23 01    # hash 0x123456789abcdef
//	00 00 00 00 00 00 00 00    # chain: there is no batch before
//	30                         # prev 0: there was none
//	31 10                      # stamp 0x10
//	31 07                      # life 7
//	00 00 00 00 00 00 00 00    # it ends no other ID
//	64 17                      # D, 23 bytes
//	6b 03 00 68 69             # K, database 0, "hi"
//	63 10 01 00 00 00 00 00 00 00 31 10 30 31 01 31 0a 30
//
// # Version vectors
//
//	V  replica    8 B, little-endian          VectorEntry.Replica
//	   stamp      zipped                      VectorEntry.Stamp
//	   life       zipped                      VectorEntry.Life
//	   hash       8 B, little-endian          VectorEntry.Hash
//	   end        zipped                      VectorEntry.End
//	   of         8 B, little-endian          VectorEntry.Of; only where end is not 0
//	   and so on, in ascending order of replica
//
// All batches of replica 1 up to stamp 0x10, which it published in life 7:
//
//	76 15                      # V, 21 bytes
//	01 00 00 00 00 00 00 00    # replica 1
//	31 10                      # stamp 0x10
//	31 07                      # life 7
//	ef cd ab 89 67 45 23 01    # hash
//	30                         # it goes on
//
// # Plain counters
//
// N and Z are the counters of RDX (Replicated Data eXchange), the format that the framing and the zipped integers are of: one record for
// each replica, in ascending order.
//
//	T  pair       record T, tiny if it can be: total, replica               NTotal
//	I  pair       record T, tiny if it can be: revision (zigzagged), replica  ZValue.Revision, .Replica
//	   value      zigzagged and zipped, to the end                          ZValue.Value
//
// An N to which replica 1 added 5:
//
//	74 03 32 05 01             # T: total 5, replica 1
//
// A Z to which replica 1 added -12, in revision 4:
//
//	69 04 32 08 01 17          # I: revision 4, replica 1, value -12
//
// # Reading
//
// There is one way to write anything: the shortest. Readers refuse any other, so what is accepted is written back alike.
// They also refuse what no replica can have written (the Validate methods). Input is not trusted: reading never panics,
// and allocates at most 10 bytes for each byte of input, and 1 KiB: a Contribution takes 96 bytes and at least 17 as
// written, a Delta 72 beside its state, and the check for repeated keys up to 16. Bodies and keys are slices of the input,
// texts are copies.
//
// A reader that meets the end of the data too early says ErrIncomplete if more data may help, that is for the outermost
// record; everything else that is wrong is ErrMalformed.
package tlv
