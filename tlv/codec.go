package tlv

import (
	"encoding/binary"
	"fmt"
)

// A state is its contributions, then its resets, each list in ascending order of replica:
//
//	c  replica (8 B, little-endian)  rev  rev-birth  rev-last+1, 0 for last = 0  total (zigzag)  flags  [assigned (zigzag)]  [rev-expiry stamp, at]
//	r  replica (8 B, little-endian)  rev  base (zigzag)
//
// All but the replica are tiny records of zipped integers; those beyond 9 bytes are short records I. Flags: 1 natural,
// 2 closed, 4 assigned follows, 8 expiry follows. Stamps in a contribution never exceed its rev.
// A contribution of 5 by replica 1, born and published at stamp 0x10:
//
//	63 10  01 00 00 00 00 00 00 00  31 10  30  31 01  31 0a  30
const (
	flagNatural = 1 << iota
	flagClosed
	flagAssigned
	flagExpiry
)

// AppendState appends s.
func AppendState(buf []byte, s *State) []byte {
	for i := range s.Contributions {
		buf = appendContribution(buf, &s.Contributions[i])
	}
	for i := range s.Resets {
		buf = appendReset(buf, &s.Resets[i])
	}
	return buf
}

// MaxContribution bounds the encoded size of a contribution in bytes; it fits a short record.
const maxContribution = 2 + 8 + 3*9 + 18 + 2 + 9 + 18

func appendContribution(buf []byte, c *Contribution) []byte {
	start := len(buf)
	buf = append(buf, 'c', 0)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(c.Replica))
	buf = AppendTinyZip(buf, uint64(c.Rev))
	buf = AppendTinyZip(buf, uint64(c.Rev-c.Birth))
	last := uint64(0)
	if c.Last != 0 {
		last = uint64(c.Rev-c.Last) + 1
	}
	buf = AppendTinyZip(buf, last)
	buf = appendTiny128(buf, c.Total)
	flags := uint64(c.Kind) * flagNatural
	if c.Closed {
		flags |= flagClosed
	}
	if c.HasValue {
		flags |= flagAssigned
	}
	if c.Expiry.Stamp != 0 {
		flags |= flagExpiry
	}
	buf = AppendTinyZip(buf, flags)
	if c.HasValue {
		buf = AppendTinyZip(buf, Zigzag(c.Assigned))
	}
	if c.Expiry.Stamp != 0 {
		buf = AppendTinyZip(buf, uint64(c.Rev-c.Expiry.Stamp))
		buf = AppendTinyZip(buf, uint64(c.Expiry.At))
	}
	buf[start+1] = byte(len(buf) - start - 2)
	return buf
}

func appendReset(buf []byte, r *Reset) []byte {
	start := len(buf)
	buf = append(buf, 'r', 0)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(r.Replica))
	buf = AppendTinyZip(buf, uint64(r.Rev))
	buf = appendTiny128(buf, r.Base)
	buf[start+1] = byte(len(buf) - start - 2)
	return buf
}

func appendTiny128(buf []byte, v Int128) []byte {
	var b [16]byte
	return AppendTiny(buf, 'I', appendZigzag128(b[:0], v))
}

// ParseState reads a whole state. Nothing of data is kept.
func ParseState(data []byte) (State, error) {
	var s State
	for rest := data; len(rest) > 0; {
		typ, body, next, err := Take(rest)
		if err == nil {
			err = s.add(typ, body)
		}
		if err != nil {
			return State{}, fmt.Errorf("state, offset %d: %w", len(data)-len(rest), err)
		}
		rest = next
	}
	return s, nil
}

func (s *State) add(typ byte, body []byte) error {
	switch typ {
	case 'C':
		c, err := parseContribution(body)
		if n := len(s.Contributions); err == nil && (len(s.Resets) > 0 || n > 0 && s.Contributions[n-1].Replica >= c.Replica) {
			err = fmt.Errorf("%w: order of contributions", ErrMalformed)
		}
		s.Contributions = append(s.Contributions, c)
		return err
	case 'R':
		r, err := parseReset(body)
		if n := len(s.Resets); err == nil && n > 0 && s.Resets[n-1].Replica >= r.Replica {
			err = fmt.Errorf("%w: order of resets", ErrMalformed)
		}
		s.Resets = append(s.Resets, r)
		return err
	}
	return fmt.Errorf("%w: record %c in a state", ErrMalformed, typ)
}

// reader takes one field after another; the first error stays.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) tiny() []byte {
	if r.err != nil {
		return nil
	}
	var body []byte
	body, r.rest, r.err = TakeTiny(r.rest, 'I')
	return body
}

func (r *reader) zip() uint64 {
	v, err := Unzip(r.tiny())
	if r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) int128() Int128 {
	v, err := readZigzag128(r.tiny())
	if r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) replica() ReplicaID {
	if len(r.rest) < 8 {
		r.err = ErrIncomplete
		return 0
	}
	id := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	if id == 0 {
		r.err = fmt.Errorf("%w: replica 0", ErrMalformed)
	}
	return ReplicaID(id)
}

// before is rev less the distance read; a distance beyond rev is an error.
func (r *reader) before(rev Stamp, distance uint64) Stamp {
	if distance > uint64(rev) && r.err == nil {
		r.err = fmt.Errorf("%w: stamp before time began", ErrMalformed)
	}
	return rev - Stamp(distance)
}

func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrMalformed, len(r.rest))
	}
	return r.err
}

func parseContribution(body []byte) (c Contribution, err error) {
	r := reader{rest: body}
	c.Replica = r.replica()
	c.Rev = Stamp(r.zip())
	c.Birth = r.before(c.Rev, r.zip())
	if last := r.zip(); last != 0 {
		if c.Last = r.before(c.Rev, last-1); c.Last == 0 && r.err == nil {
			r.err = fmt.Errorf("%w: zero stamp", ErrMalformed)
		}
	}
	c.Total = r.int128()
	flags := r.zip()
	if flags >= flagExpiry<<1 && r.err == nil {
		r.err = fmt.Errorf("%w: flags %x", ErrMalformed, flags)
	}
	c.Kind, c.Closed, c.HasValue = Kind(flags&flagNatural), flags&flagClosed != 0, flags&flagAssigned != 0
	if c.HasValue {
		c.Assigned = Unzigzag(r.zip())
	}
	if flags&flagExpiry != 0 {
		c.Expiry.Stamp = r.before(c.Rev, r.zip())
		c.Expiry.At = int64(r.zip())
		if (c.Expiry.Stamp == 0 || c.Expiry.At < 0) && r.err == nil {
			r.err = fmt.Errorf("%w: expiry", ErrMalformed)
		}
	}
	return c, r.end()
}

func parseReset(body []byte) (o Reset, err error) {
	r := reader{rest: body}
	o.Replica = r.replica()
	o.Rev = Stamp(r.zip())
	o.Base = r.int128()
	return o, r.end()
}

// Delta is what one flush changed of one key; State is itself a state. Key is the engine's key: database, then name.
type Delta struct {
	Key   []byte
	State State
}

// Batch is what one flush of one replica published.
type Batch struct {
	Replica ReplicaID
	Prev    Stamp // of the replica's batch before; 0 for its first
	Stamp   Stamp
	Deltas  []Delta
}

// AppendBatch appends b: record B of replica (8 B), prev, stamp, then per delta a record D of key K and the state.
func AppendBatch(buf []byte, b *Batch) []byte {
	body := binary.LittleEndian.AppendUint64(nil, uint64(b.Replica))
	body = AppendTinyZip(body, uint64(b.Prev))
	body = AppendTinyZip(body, uint64(b.Stamp))
	var delta []byte
	for i := range b.Deltas {
		delta = AppendState(Append(delta[:0], 'K', b.Deltas[i].Key), &b.Deltas[i].State)
		body = Append(body, 'D', delta)
	}
	return Append(buf, 'B', body)
}

// ParseBatch reads one batch from the start of data. Keys are slices of data.
func ParseBatch(data []byte) (b Batch, rest []byte, err error) {
	body, rest, err := Expect(data, 'B')
	if err != nil {
		return b, data, fmt.Errorf("batch: %w", err)
	}
	r := reader{rest: body}
	b.Replica = r.replica()
	b.Prev, b.Stamp = Stamp(r.zip()), Stamp(r.zip())
	if r.err == nil && b.Stamp <= b.Prev {
		r.err = fmt.Errorf("%w: stamp %d not after %d", ErrMalformed, b.Stamp, b.Prev)
	}
	for r.err == nil && len(r.rest) > 0 {
		var d Delta
		d, r.rest, r.err = parseDelta(r.rest)
		b.Deltas = append(b.Deltas, d)
	}
	if r.err != nil {
		return Batch{}, data, fmt.Errorf("batch, offset %d: %w", len(body)-len(r.rest), r.err)
	}
	return b, rest, nil
}

func parseDelta(data []byte) (d Delta, rest []byte, err error) {
	body, rest, err := Expect(data, 'D')
	if err != nil {
		return d, data, err
	}
	key, state, err := Expect(body, 'K')
	if err != nil {
		return d, data, err
	}
	d.Key = key
	d.State, err = ParseState(state)
	return d, rest, err
}
