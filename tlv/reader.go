package tlv

import "encoding/binary"

// Reader takes one field after another from the body of a record. The first error stays, and what is read after it is 0:
// the caller asks once, at the end.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads the body of a record.
func NewReader(body []byte) Reader { return Reader{rest: body} }

// More says whether there is something that is not read yet.
func (r *Reader) More() bool { return len(r.rest) > 0 }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = inside(err)
	}
	r.rest = nil
}

// Zip is a tiny zipped integer.
func (r *Reader) Zip() uint64 {
	v, rest, err := TakeZip(r.rest)
	if r.rest = rest; err != nil {
		r.fail(err)
	}
	return v
}

func (r *Reader) int128() Int128 {
	v, rest, err := takeTiny128(r.rest)
	if r.rest = rest; err != nil {
		r.fail(err)
	}
	return v
}

// Stamp is one that is zipped.
func (r *Reader) Stamp() Stamp { return Stamp(r.Zip()) }

// before is rev less the distance that is read. A distance beyond rev is an error.
func (r *Reader) before(rev Stamp) Stamp {
	distance := r.Stamp()
	if distance > rev {
		r.fail(malformed("stamp %d before %d", distance, rev))
		return 0
	}
	return rev - distance
}

// Replica is an ID, of 8 bytes.
func (r *Reader) Replica() ReplicaID { return ReplicaID(r.Fixed()) }

func (r *Reader) hash() Hash { return Hash(r.Fixed()) }

// Fixed is an integer of 8 bytes, not zipped: a random one.
func (r *Reader) Fixed() uint64 {
	if len(r.rest) < 8 {
		r.fail(ErrIncomplete)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

// Record is the body of a record, which has to be of that type.
func (r *Reader) Record(typ byte) []byte {
	body, rest, err := Expect(r.rest, typ)
	if r.rest = rest; err != nil {
		r.fail(err)
	}
	return body
}

// List is a record of that type whose body is a list: next is called for each element, and reads it.
func (r *Reader) List(typ byte, next func(*Reader)) {
	list := Reader{rest: r.Record(typ)}
	for list.More() {
		next(&list)
	}
	r.join(&list)
}

// Vector is one as AppendVector writes it.
func (r *Reader) Vector() Vector {
	data := r.rest
	if r.Record('V'); r.err != nil {
		return nil
	}
	v, err := ParseVector(data[:len(data)-len(r.rest)])
	if err != nil {
		r.fail(err)
	}
	return v
}

// join makes what went wrong in a body go wrong in r too.
func (r *Reader) join(body *Reader) {
	if err := body.End(); err != nil {
		r.fail(err)
	}
}

// End says what went wrong; bytes that nobody has read are wrong too.
func (r *Reader) End() error {
	if len(r.rest) > 0 {
		r.fail(malformed("%d bytes too many", len(r.rest)))
	}
	return r.err
}
