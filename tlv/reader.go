package tlv

import "encoding/binary"

// reader takes one field after another from the body of a record. The first error stays, and what is read after it is 0:
// the caller asks once, at the end.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = inside(err)
	}
	r.rest = nil
}

func (r *reader) zip() uint64 {
	v, rest, err := TakeZip(r.rest)
	if r.rest = rest; err != nil {
		r.fail(err)
	}
	return v
}

func (r *reader) int128() Int128 {
	v, rest, err := takeTiny128(r.rest)
	if r.rest = rest; err != nil {
		r.fail(err)
	}
	return v
}

func (r *reader) stamp() Stamp { return Stamp(r.zip()) }

// before is rev less the distance that is read. A distance beyond rev is an error.
func (r *reader) before(rev Stamp) Stamp {
	distance := r.stamp()
	if distance > rev {
		r.fail(malformed("stamp %d before %d", distance, rev))
		return 0
	}
	return rev - distance
}

func (r *reader) replica() ReplicaID { return ReplicaID(r.fixed()) }

func (r *reader) hash() Hash { return Hash(r.fixed()) }

// fixed is an integer of 8 bytes, not zipped: a random one.
func (r *reader) fixed() uint64 {
	if len(r.rest) < 8 {
		r.fail(ErrIncomplete)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

func (r *reader) record(typ byte) []byte {
	body, rest, err := Expect(r.rest, typ)
	if r.rest = rest; err != nil {
		r.fail(err)
	}
	return body
}

// end says what went wrong; bytes that nobody has read are wrong too.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.fail(malformed("%d bytes too many", len(r.rest)))
	}
	return r.err
}
