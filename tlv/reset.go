package tlv

import (
	"bytes"
	"encoding/binary"
)

// Reset says that a replica cancelled all of Replica's contribution up to Rev, when its total was Base.
type Reset struct {
	Replica ReplicaID
	Rev     Stamp
	Base    Int128
}

// Validate says what of r no replica can have written.
func (r *Reset) Validate() error {
	if r.Replica == 0 || r.Rev == 0 {
		return malformed("reset of replica %x up to %d", uint64(r.Replica), r.Rev)
	}
	return nil
}

func (r *Reset) replica() ReplicaID { return r.Replica }

// newer says whether r replaces o, of the same replica. Under one rev there is one total; where a fork had two, the one
// that is greater as written wins everywhere.
func (r *Reset) newer(o *Reset) bool {
	if r.Rev != o.Rev || *r == *o {
		return r.Rev > o.Rev
	}
	return bytes.Compare(appendReset(nil, r), appendReset(nil, o)) > 0
}

// minReset bounds the body of a record R from below.
const minReset = 8 + 2 + 1

// appendReset appends record R. Its body has at most 8 + 9 + 18 bytes: always short.
func appendReset(buf []byte, r *Reset) []byte {
	start := len(buf)
	buf = append(buf, 'r', 0)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(r.Replica))
	buf = AppendTinyZip(buf, uint64(r.Rev))
	buf = appendTiny128(buf, r.Base)
	buf[start+1] = byte(len(buf) - start - shortHead)
	return buf
}

// parse reads the body of record R into r.
func (r *Reset) parse(body []byte) error {
	f := Reader{rest: body}
	r.Replica = f.Replica()
	r.Rev = f.Stamp()
	r.Base = f.int128()
	return f.End()
}
