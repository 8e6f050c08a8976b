package tlv

// ReplicaID names a replica for ever: 64 random bits, never zero, never used again.
type ReplicaID uint64

// Stamp is a hybrid logical clock reading: milliseconds since the Unix epoch << StampShift, plus a counter. Never zero.
type Stamp uint64

// StampShift is the number of low bits of a Stamp that count within a millisecond.
const StampShift = 20

// Millis is the physical part of the stamp, in milliseconds since the Unix epoch.
func (s Stamp) Millis() int64 { return int64(s >> StampShift) }
