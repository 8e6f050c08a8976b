package engine

import (
	"fmt"

	"atomiccounter/tlv"
)

// Records are what the journal's frames hold, each a TLV record with the engine's key (database byte, then the user's):
//
//	A  K key, n (zigzag), stamp, kind      add n; stamp is the birth if this increment gives one, else 0; kind + 2: the key showed something
//	C  K key, own, S resets, stamp, at     cancel: own contribution if own is 1, and what was observed of the others; the latest EXPIRE
//	V  K key, value (zigzag), stamp, kind, since  SET, after the cancel; since is of a field that is there already, else 0 or left out
//	T  K key, X text, stamp, since         SET of a text, after the cancel; what has a text is a ZCounter
//	E  K key, stamp, at, birth             EXPIRE at that time in ms; 0: PERSIST; birth of the contribution if there was none
//	H  K key, stamp, at, birth             the same of a key that showed nothing: a hash begins
//	F  database                            every key of the database goes
//	B  stamp                               a cut: what lies before it is in the batch of that stamp
//	L  life                                a life of the replica begins
//
// They are logical and complete: replay looks at no clock and at no foreign data.
const (
	recordAdd    = 'A'
	recordCancel = 'C'
	recordAssign = 'V'
	recordText   = 'T'
	recordExpire = 'E'
	recordBegin  = 'H'
	recordFlush  = 'F'
	recordCut    = 'B'
	recordLife   = 'L'
)

func appendAdd(buf []byte, key string, n int64, stamp tlv.Stamp, kind tlv.Kind, joined bool) []byte {
	flags := uint64(kind)
	if joined {
		flags |= addJoined
	}
	return appendNumbers(buf, recordAdd, key, tlv.Zigzag(n), uint64(stamp), flags)
}

const addJoined = 2 // beside the kind in a record A

func appendAssign(buf []byte, key string, v int64, stamp, since tlv.Stamp, kind tlv.Kind) []byte {
	return appendNumbers(buf, recordAssign, key, tlv.Zigzag(v), uint64(stamp), uint64(kind), uint64(since))
}

func appendText(buf []byte, key, text string, stamp, since tlv.Stamp) []byte {
	size := recordSize(len(key)) + recordSize(len(text)) + 2 + tlv.ZipLen(uint64(stamp)) + tlv.ZipLen(uint64(since))
	buf = appendKey(tlv.AppendHeader(buf, recordText, size), key)
	buf = append(tlv.AppendHeader(buf, 'X', len(text)), text...)
	return tlv.AppendTinyZip(tlv.AppendTinyZip(buf, uint64(stamp)), uint64(since))
}

func appendExpire(buf []byte, key string, x tlv.Expiry, birth tlv.Stamp, joined bool) []byte {
	typ := byte(recordBegin)
	if joined {
		typ = recordExpire
	}
	return appendNumbers(buf, typ, key, uint64(x.Stamp), uint64(x.At), uint64(birth))
}

// appendNumbers writes a record in place: its header is short or long by the size known beforehand.
func appendNumbers(buf []byte, typ byte, key string, numbers ...uint64) []byte {
	size := recordSize(len(key)) + len(numbers)
	for _, n := range numbers {
		size += tlv.ZipLen(n)
	}
	buf = tlv.AppendHeader(buf, typ, size)
	buf = appendKey(buf, key)
	for _, n := range numbers {
		buf = tlv.AppendTinyZip(buf, n)
	}
	return buf
}

// recordSize is the size of a record whose body has n bytes.
func recordSize(n int) int {
	if n > 255 {
		return 5 + n
	}
	return 2 + n
}

func appendKey(buf []byte, key string) []byte {
	return append(tlv.AppendHeader(buf, 'K', len(key)), key...)
}

func appendCancel(buf []byte, key string, own bool, resets []tlv.Reset, ended tlv.Expiry) []byte {
	var state []byte
	if len(resets) > 0 {
		state = tlv.AppendState(nil, &tlv.State{Resets: resets})
	}
	flag := uint64(0)
	if own {
		flag = 1
	}
	size := recordSize(len(key)) + 1 + tlv.ZipLen(flag) + recordSize(len(state)) + 2 + tlv.ZipLen(uint64(ended.Stamp)) + tlv.ZipLen(uint64(ended.At))
	buf = tlv.AppendHeader(buf, recordCancel, size)
	buf = appendKey(buf, key)
	buf = tlv.AppendTinyZip(buf, flag)
	buf = tlv.Append(buf, 'S', state)
	buf = tlv.AppendTinyZip(buf, uint64(ended.Stamp))
	return tlv.AppendTinyZip(buf, uint64(ended.At))
}

func appendFlush(buf []byte, db byte) []byte { return tlv.Append(buf, recordFlush, []byte{db}) }

func appendCut(buf []byte, stamp tlv.Stamp) []byte {
	return tlv.Append(buf, recordCut, tlv.AppendZip(nil, uint64(stamp)))
}

func appendLife(buf []byte, number uint64) []byte {
	return tlv.Append(buf, recordLife, tlv.AppendZip(nil, number))
}

// record is one record, parsed.
type record struct {
	typ    byte
	key    []byte // a slice of the journal; F: the database byte
	number uint64 // of B and L
	n      int64
	text   string
	stamp  tlv.Stamp
	since  tlv.Stamp  // of V and T
	birth  tlv.Stamp  // of E and H
	expiry tlv.Expiry // of E, H and C
	kind   tlv.Kind
	joined bool // of A, E and H
	own    bool
	resets []tlv.Reset
}

// parseRecord takes the first record of a frame's body.
func parseRecord(body []byte) (r record, rest []byte, err error) {
	typ, data, rest, err := tlv.Take(body)
	if err != nil {
		return r, rest, err
	}
	r.typ = typ
	switch typ {
	case recordFlush:
		r.key = data
		if len(data) != 1 {
			err = fmt.Errorf("%w: flush record", tlv.ErrMalformed)
		}
		return r, rest, err
	case recordCut, recordLife:
		r.number, err = tlv.Unzip(data)
		return r, rest, err
	}
	if r.key, data, err = tlv.Expect(data, 'K'); err != nil {
		return r, rest, err
	}
	if len(r.key) == 0 {
		return r, rest, fmt.Errorf("%w: record without a database", tlv.ErrMalformed)
	}
	switch typ {
	case recordCancel:
		return r, rest, r.parseCancel(data)
	case recordText:
		return r, rest, r.parseText(data)
	}
	return r, rest, r.parseNumbers(data)
}

func (r *record) parseCancel(data []byte) error {
	flag, data, err := tlv.TakeZip(data)
	if err != nil {
		return err
	}
	r.own = flag == 1
	state, data, err := tlv.Expect(data, 'S')
	if err != nil {
		return err
	}
	s, err := tlv.ParseState(state)
	if err != nil {
		return err
	}
	r.resets = s.Resets
	if len(data) > 0 { // records before version 4 have no expiry
		if data, err = r.parseExpiry(data); err != nil {
			return err
		}
		r.stamp = r.expiry.Stamp
	}
	if len(data) > 0 || len(s.Contributions)+len(s.Origins) > 0 || flag > 1 {
		return fmt.Errorf("%w: cancel record", tlv.ErrMalformed)
	}
	return nil
}

func (r *record) parseExpiry(data []byte) (rest []byte, err error) {
	stamp, data, err := tlv.TakeZip(data)
	if err != nil {
		return nil, err
	}
	at, data, err := tlv.TakeZip(data)
	r.expiry = tlv.Expiry{Stamp: tlv.Stamp(stamp), At: int64(at)}
	if err == nil && (r.expiry.At < 0 || stamp == 0 && at != 0) {
		err = fmt.Errorf("%w: expiry of a cancel record", tlv.ErrMalformed)
	}
	return data, err
}

func (r *record) parseText(data []byte) error {
	text, data, err := tlv.Expect(data, 'X')
	if err != nil {
		return err
	}
	v, err := takeNumbers(data, 1, 2)
	if err != nil {
		return err
	}
	if len(text) > tlv.MaxText {
		return fmt.Errorf("%w: text record", tlv.ErrMalformed)
	}
	r.text, r.stamp, r.since = string(text), tlv.Stamp(v[0]), tlv.Stamp(v[1])
	return nil
}

// takeNumbers reads all of data: from least to most numbers. What is not there is zero.
func takeNumbers(data []byte, least, most int) (v [4]uint64, err error) {
	for i := 0; i < least || i < most && len(data) > 0; i++ {
		if v[i], data, err = tlv.TakeZip(data); err != nil {
			return v, err
		}
	}
	if len(data) > 0 {
		err = fmt.Errorf("%w: %d bytes too many in a journal record", tlv.ErrMalformed, len(data))
	}
	return v, err
}

func (r *record) parseNumbers(data []byte) error {
	most := 3
	if r.typ == recordAssign {
		most = 4
	}
	v, err := takeNumbers(data, 3, most)
	if err != nil {
		return err
	}
	switch r.typ {
	case recordAdd:
		r.joined = v[2]&addJoined != 0
		v[2] &^= addJoined
		fallthrough
	case recordAssign:
		r.n, r.stamp, r.kind, r.since = tlv.Unzigzag(v[0]), tlv.Stamp(v[1]), tlv.Kind(v[2]), tlv.Stamp(v[3])
	case recordExpire, recordBegin:
		r.joined = r.typ == recordExpire
		r.expiry = tlv.Expiry{Stamp: tlv.Stamp(v[0]), At: int64(v[1])}
		if r.birth = tlv.Stamp(v[2]); r.birth == 0 { // before version 4
			r.birth = r.expiry.Stamp
		}
		r.stamp = max(r.birth, r.expiry.Stamp)
	default:
		return fmt.Errorf("%w: journal record %c", tlv.ErrMalformed, r.typ)
	}
	if r.kind > tlv.Natural || r.expiry.At < 0 {
		return fmt.Errorf("%w: journal record %c", tlv.ErrMalformed, r.typ)
	}
	return nil
}
