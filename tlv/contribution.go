package tlv

import (
	"bytes"
	"encoding/binary"
)

// Kind says which way a counter goes.
type Kind uint8

// The kinds of counter. A key is a ZCounter if any live contribution is one.
const (
	ZCounter Kind = iota // both ways; the default
	Natural              // grows only
)

// String is the kind's name in commands and logs.
func (k Kind) String() string {
	if k == Natural {
		return "natural"
	}
	return "zcounter"
}

// Expiry is an EXPIRE (At in milliseconds since the Unix epoch) or a PERSIST (At is 0), under the stamp that it was given by the
// replica that ran it. A zero Stamp means neither.
type Expiry struct {
	Stamp Stamp
	At    int64
}

// Contribution is what one replica added to one counter. Only that replica writes it. Contributions compare with ==.
type Contribution struct {
	Replica  ReplicaID
	Rev      Stamp  // of the batch that published this
	Birth    Stamp  // since when Total counts
	Since    Stamp  // since when the field of a hash has been there whose value the SET replaced; 0: that made it
	Last     Stamp  // of the batch with the last increment or SET; 0: it only carries an expiry
	Total    Int128 // added since Birth, less what was taken off
	Kind     Kind
	Closed   bool   // the replica has nothing here
	Joined   bool   // it began on a key that showed what others had added
	HasValue bool   // it began with a SET, of Assigned or of Text
	IsText   bool   // of Text
	Assigned int64  // what the SET that gave birth to it assigned
	Text     string // the same, where it is no integer
	Expiry   Expiry // the latest that it was counted under; of a closed one, that which ended with it
}

// Validate says what of c no replica can have written. The total is free: a Natural's goes below zero where the key was
// a ZCounter by another replica's contribution when it was written.
func (c *Contribution) Validate() error {
	switch {
	case c.Replica == 0:
		return malformed("contribution of replica 0")
	case c.Kind > Natural:
		return malformed("kind %d", c.Kind)
	case c.Birth == 0 || c.Birth > c.Rev:
		return malformed("birth %d, rev %d", c.Birth, c.Rev)
	case c.Last != 0 && (c.Last < c.Birth || c.Last > c.Rev):
		return malformed("last %d, birth %d, rev %d", c.Last, c.Birth, c.Rev)
	case c.Since != 0 && (!c.HasValue || c.Since >= c.Birth):
		return malformed("since %d, birth %d, a SET: %t", c.Since, c.Birth, c.HasValue)
	case c.Assigned != 0 && !c.HasValue:
		return malformed("assigned %d without a SET", c.Assigned)
	}
	if err := c.validateText(); err != nil {
		return err
	}
	if err := c.validateExpiry(); err != nil {
		return err
	}
	return c.validateEmpty()
}

// validateExpiry leaves the stamp free to be before birth: an EXPIRE of what others added may come before the replica's
// own first increment, in one batch.
func (c *Contribution) validateExpiry() error {
	e := c.Expiry
	if e.At < 0 || e.Stamp == 0 && e.At != 0 || e.Stamp > c.Rev {
		return malformed("expiry %d at %d, rev %d", e.Stamp, e.At, c.Rev)
	}
	return nil
}

// validateEmpty holds contributions that add nothing to it. One that only carries an expiry has one.
func (c *Contribution) validateEmpty() error {
	if c.Last != 0 && !c.Closed {
		return nil
	}
	if c.Last != 0 || c.Total != (Int128{}) || c.HasValue || c.Joined && c.Closed {
		return malformed("total in a contribution that is closed or was never added to")
	}
	if c.Closed && c.Birth != c.Rev || !c.Closed && c.Expiry.Stamp == 0 {
		return malformed("closed %t, birth %d, rev %d, expiry %d", c.Closed, c.Birth, c.Rev, c.Expiry.Stamp)
	}
	return nil
}

// Began is since when what c has part in has been there, as far as c knows.
func (c *Contribution) Began() Stamp {
	if c.Since != 0 {
		return c.Since
	}
	return c.Birth
}

func (c *Contribution) replica() ReplicaID { return c.Replica }

// newer says whether c replaces o, of the same replica. A replica never publishes two contributions under one rev; where
// a fork did, the one that is greater as written wins everywhere.
func (c *Contribution) newer(o *Contribution) bool {
	if c.Rev != o.Rev || *c == *o {
		return c.Rev > o.Rev
	}
	return bytes.Compare(appendContribution(nil, c), appendContribution(nil, o)) > 0
}

const (
	flagNatural = 1 << iota
	flagClosed
	flagAssigned
	flagExpiry
	flagText
	flagJoined
	flagSince
)

// minContribution bounds the body of a record C from below: one byte of rev, and another of last, total or flags.
const minContribution = 8 + 2 + 1 + 1 + 1 + 1 + 1

// appendContribution appends record C. Without a text its body has at most 8 + 9 + 9 + 9 + 18 + 2 + 9 + 9 + 9 + 9 bytes, and is
// always short.
func appendContribution(buf []byte, c *Contribution) []byte {
	start := len(buf)
	if c.IsText {
		return closeRecord(c.appendBody(openRecord(buf)), start, 'C')
	}
	buf = c.appendBody(append(buf, 'c', 0))
	buf[start+1] = byte(len(buf) - start - shortHead)
	return buf
}

func (c *Contribution) appendBody(buf []byte) []byte {
	buf = binary.LittleEndian.AppendUint64(buf, uint64(c.Replica))
	buf = AppendTinyZip(buf, uint64(c.Rev))
	buf = AppendTinyZip(buf, uint64(c.Rev-c.Birth))
	last := uint64(0)
	if c.Last != 0 {
		last = uint64(c.Rev-c.Last) + 1
	}
	buf = AppendTinyZip(buf, last)
	buf = appendTiny128(buf, c.Total)
	buf = AppendTinyZip(buf, c.flags())
	switch {
	case c.IsText:
		buf = append(AppendHeader(buf, 'X', len(c.Text)), c.Text...)
	case c.HasValue:
		buf = AppendTinyZip(buf, Zigzag(c.Assigned))
	}
	if c.Expiry.Stamp != 0 {
		buf = AppendTinyZip(buf, uint64(c.Rev-c.Expiry.Stamp))
		buf = AppendTinyZip(buf, uint64(c.Expiry.At))
	}
	if c.Since != 0 {
		buf = AppendTinyZip(buf, uint64(c.Birth-c.Since))
	}
	return buf
}

func (c *Contribution) flags() (f uint64) {
	f = uint64(c.Kind) * flagNatural
	if c.Closed {
		f |= flagClosed
	}
	if c.Joined {
		f |= flagJoined
	}
	switch {
	case c.IsText:
		f |= flagText
	case c.HasValue:
		f |= flagAssigned
	}
	if c.Expiry.Stamp != 0 {
		f |= flagExpiry
	}
	if c.Since != 0 {
		f |= flagSince
	}
	return f
}

// parse reads the body of record C into c, which is zero.
func (c *Contribution) parse(body []byte) error {
	r := Reader{rest: body}
	c.Replica = r.Replica()
	c.Rev = r.Stamp()
	c.Birth = r.before(c.Rev)
	c.parseLast(&r)
	c.Total = r.int128()
	flags := r.Zip()
	if flags >= flagSince<<1 || flags&flagAssigned != 0 && flags&flagText != 0 {
		r.fail(malformed("flags %#x", flags))
	}
	c.Kind, c.Closed, c.Joined = Kind(flags&flagNatural), flags&flagClosed != 0, flags&flagJoined != 0
	c.HasValue, c.IsText = flags&(flagAssigned|flagText) != 0, flags&flagText != 0
	switch {
	case c.IsText:
		c.parseText(&r)
	case c.HasValue:
		c.Assigned = Unzigzag(r.Zip())
	}
	if flags&flagExpiry != 0 {
		c.parseExpiry(&r)
	}
	if flags&flagSince != 0 {
		if c.Since = r.before(c.Birth); c.Since == 0 {
			r.fail(malformed("since no stamp"))
		}
	}
	return r.End()
}

// parseText copies the text, if it can be one: of what is refused nothing is kept.
func (c *Contribution) parseText(r *Reader) {
	text := r.Record('X')
	if len(text) > MaxText {
		r.fail(malformed("text of %d bytes", len(text)))
		return
	}
	c.Text = string(text)
}

func (c *Contribution) parseLast(r *Reader) {
	distance := r.Stamp() // and one; 0: none
	if distance == 0 {
		return
	}
	if distance > c.Rev {
		r.fail(malformed("last: stamp %d before %d", distance-1, c.Rev))
		return
	}
	c.Last = c.Rev - (distance - 1)
}

func (c *Contribution) parseExpiry(r *Reader) {
	c.Expiry = Expiry{Stamp: r.before(c.Rev), At: int64(r.Zip())}
	if c.Expiry.Stamp == 0 {
		r.fail(malformed("expiry without a stamp"))
	}
}
