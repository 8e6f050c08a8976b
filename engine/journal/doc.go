// Package journal makes records durable before the database has them. It knows neither the records nor the engine: a frame's body is
// opaque to it.
//
// # What is promised
//
// A frame holds all together or not at all. An append is a copy under a short lock, without a system call. In a mapped segment, once
// Append has returned, the frame survives the death of the process. Once Durable has reached its position it survives that of the machine, in either
// form. Replay gives the frames in the order of the appends, and never one without all those before it. An append fails only for want
// of room, and then has written nothing.
//
// # What is not promised
//
// In a buffered segment a frame that is not synced dies with the process: the caller acknowledges nothing before Durable says so. A loss of
// power may take any frames after Durable, the later ones with the first that is taken. After a sync that failed no later one
// succeeds, and what lies behind Durable may be there or not. There is one writer: the caller locks the directory.
//
// # Segments
//
// A journal is a sequence of segments, files of one size that are preallocated, and mapped into memory or buffered (File). All integers are
// little-endian.
//
//	offset  0  magic "ACjournl"
//	        8  format version, 4 B
//	       12  segment number, 8 B; numbers follow one another
//	       20  seed, 4 B random
//	       24  CRC-32C of the 24 bytes before, 4 B
//	       28  "past" once all segments before are durable, zero until then, 4 B
//	       32  frames
//
// # Frames
//
// A frame is length (4 B), checksum (4 B), body. The checksum is the CRC-32C of the length and the body, continued from the checksum of
// the frame before it, and for the first frame of a segment from the last of the previous segment continued over this segment's seed. So
// old bytes in a reused file never verify, nor do valid frames beyond a torn one. Length 0 ends what was written. The next segment continues
// one that is sealed, which is to say that it ends with length 0xffffffff; a segment is sealed only when the next has its header durably.
// The next segment also continues one whose file ends with its last frame, as a recovery leaves it.
//
// The first segment of a new journal with the seed 0x04030201, and in it the frames "hi" and "yo" (TestWorkedExample):
//
//	41 43 6a 6f 75 72 6e 6c  # magic "ACjournl"
//	01 00 00 00              # version 1
//	01 00 00 00 00 00 00 00  # segment 1
//	01 02 03 04              # seed
//	2e a2 50 7c              # checksum of the 24 bytes before
//	70 61 73 74              # "past": there is nothing before
//	02 00 00 00              # length
//	c4 1d ce 64              # checksum, continued from that of the seed
//	68 69                    # "hi"
//	02 00 00 00              # length
//	c8 a4 8c c3              # checksum, continued from that of the frame before
//	79 6f                    # "yo"
//
// # Marks
//
// A Mark is a place between two frames: segment, offset, and the checksum that a frame there continues from. The database keeps the mark
// up to which it has what the journal says. Replay begins there, and needs nothing before: Release removes the segments before it.
//
// # Recovery
//
// A loss of power may leave any part of what was not synced. So a start replays up to the first frame that does not verify, drops that and
// all behind it, since no one was told that they are durable, makes durable what it has replayed (Seal), and goes on in a fresh segment
// that continues it (Create). That is told from damage, which loses what was promised (ErrDamaged), by what no loss of power does:
//
//   - A segment's header, and its name, are durable before the segment before is sealed.
//   - When a segment is first synced, those before are durable, and it notes that in its header.
//   - A file has room for all its frames. Of a length that is half written the rest is zero, so it is no greater, unless it is that of an end.
package journal
