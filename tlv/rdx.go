package tlv

import "fmt"

// N is RDX's counter that only grows: per replica the greatest total known, in ascending order of
// replica. The zero N is 0.
type N []NTotal

// NTotal is what one replica added to an N, in all.
type NTotal struct {
	Replica ReplicaID
	Total   uint64
}

// ParseN reads a whole N. Replica 0, which an RDX writer uses while it has no replica ID, is refused.
func ParseN(data []byte) (N, error) { return parsePlain[NTotal](data) }

// AppendN appends n.
func AppendN(buf []byte, n N) []byte { return appendPlain(buf, n) }

// Value is the sum of all totals.
func (n N) Value() (sum Int128) {
	for i := range n {
		sum = sum.Add(Int128{Lo: n[i].Total})
	}
	return sum
}

// MergeN is the least upper bound of n and o: per replica the greater total. It works in n's memory; o is only read.
func MergeN(n, o N) N { return union(n, o) }

// Validate says what of t no replica can have written.
func (t *NTotal) Validate() error { return validateReplica(t.Replica) }

func (t *NTotal) replica() ReplicaID   { return t.Replica }
func (t *NTotal) newer(o *NTotal) bool { return t.Total > o.Total }

func (t *NTotal) append(buf []byte) []byte {
	start := len(buf)
	return closeRecord(appendPair(openRecord(buf), t.Total, t.Replica), start, 'T')
}

func (t *NTotal) parse(r *Reader) {
	body := Reader{rest: r.Record('T')}
	t.Total, t.Replica = body.pair()
	r.join(&body)
}

// Z is RDX's counter that goes both ways: per replica the value of the greatest revision known, in
// ascending order of replica. The zero Z is 0.
type Z []ZValue

// ZValue is what one replica added to a Z, in all, by its own count of changes.
type ZValue struct {
	Replica  ReplicaID
	Revision int64 // never negative
	Value    int64
}

// ParseZ reads a whole Z. Replica 0, which an RDX writer uses while it has no replica ID, is refused.
func ParseZ(data []byte) (Z, error) { return parsePlain[ZValue](data) }

// AppendZ appends z.
func AppendZ(buf []byte, z Z) []byte { return appendPlain(buf, z) }

// Value is the sum of all values.
func (z Z) Value() (sum Int128) {
	for i := range z {
		sum = sum.Add(FromInt64(z[i].Value))
	}
	return sum
}

// MergeZ is the least upper bound of z and o: per replica the value of the greater revision. It works in z's memory; o is
// only read.
func MergeZ(z, o Z) Z { return union(z, o) }

// Validate says what of v no replica can have written.
func (v *ZValue) Validate() error {
	if v.Revision < 0 {
		return malformed("revision %d", v.Revision)
	}
	return validateReplica(v.Replica)
}

func (v *ZValue) replica() ReplicaID { return v.Replica }

// newer breaks ties, which only a fork makes, by value: so that all agree.
func (v *ZValue) newer(o *ZValue) bool {
	return v.Revision > o.Revision || v.Revision == o.Revision && v.Value > o.Value
}

func (v *ZValue) append(buf []byte) []byte {
	start := len(buf)
	buf = appendPair(openRecord(buf), Zigzag(v.Revision), v.Replica)
	return closeRecord(AppendZip(buf, Zigzag(v.Value)), start, 'I')
}

func (v *ZValue) parse(r *Reader) {
	body := Reader{rest: r.Record('I')}
	var revision uint64
	revision, v.Replica = body.pair()
	v.Revision, v.Value = Unzigzag(revision), Unzigzag(body.lastZip())
	r.join(&body)
}

// plain is an entry of an N or a Z.
type plain[E any] interface {
	part[E]
	Validate() error
	append([]byte) []byte
	parse(*Reader)
}

// minPlain bounds a record of an N or a Z from below: header, tiny header, a pair of two bytes.
const minPlain = shortHead + 1 + 2

func parsePlain[E any, P plain[E]](data []byte) ([]E, error) {
	list := make([]E, 0, len(data)/minPlain)
	r := Reader{rest: data}
	for len(r.rest) > 0 {
		var e E
		P(&e).parse(&r)
		list = append(list, e)
	}
	err := r.End()
	if err == nil {
		err = validateParts[E, P](list)
	}
	if err != nil {
		return nil, fmt.Errorf("plain counter: %w", err)
	}
	return list, nil
}

func appendPlain[E any, P plain[E]](buf []byte, list []E) []byte {
	for i := range list {
		buf = P(&list[i]).append(buf)
	}
	return buf
}

func appendPair(buf []byte, first uint64, replica ReplicaID) []byte {
	var b [maxPair + maxZip]byte
	return AppendTiny(buf, 'T', AppendZipPair(b[:0], first, uint64(replica)))
}

func (r *Reader) pair() (first uint64, replica ReplicaID) {
	body, rest, err := TakeTiny(r.rest, 'T')
	r.rest = rest
	if err == nil {
		var second uint64
		first, second, err = UnzipPair(body)
		replica = ReplicaID(second)
	}
	if err != nil {
		r.fail(err)
	}
	return first, replica
}

// lastZip takes the zipped integer that ends a body, without a header of its own.
func (r *Reader) lastZip() uint64 {
	v, err := Unzip(r.rest)
	r.rest = nil
	if err != nil {
		r.fail(err)
	}
	return v
}

func validateReplica(id ReplicaID) error {
	if id == 0 {
		return malformed("replica 0")
	}
	return nil
}
