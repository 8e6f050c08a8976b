package csync

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"atomiccounter/tlv"
)

// ErrReply is wrapped by the errors of replies that are none of this protocol.
var ErrReply = errors.New("malformed reply")

// reply reads the elements of a reply, in order. After the first that is not as it has to be it reads nothing any more.
type reply struct {
	rest []byte
	at   int // element of the answer that was read last
	err  error
}

// open begins to read a reply of n elements, the first of which is the protocol version. If the reply is an error, so is its own.
func open(command string, b []byte, n int) (*reply, error) {
	r := &reply{rest: b}
	line := r.line()
	if r.err == nil && line[0] == '-' {
		return nil, Error(line[1:])
	}
	size, ok := number(line, '*')
	if r.err != nil || !ok || size < 1 {
		return nil, fmt.Errorf("%w to %s: %.50q, not an array", ErrReply, command, line)
	}
	if v := r.integer(); r.err == nil && v != Version {
		return nil, VersionError(command, v)
	}
	if r.err == nil && size != int64(n) {
		r.err = fmt.Errorf("%w to %s: %d elements, not %d", ErrReply, command, size, n)
	}
	return r, r.err
}

// line is the next line, without its end.
func (r *reply) line() []byte {
	if r.err != nil {
		return nil
	}
	line, rest, ok := bytes.Cut(r.rest, []byte("\r\n"))
	if !ok || len(line) == 0 {
		r.err = fmt.Errorf("%w: it ends in element %d", ErrReply, r.at)
		return nil
	}
	r.rest = rest
	return line
}

// number is what a line says that begins with a mark.
func number(line []byte, mark byte) (int64, bool) {
	if len(line) == 0 || line[0] != mark {
		return 0, false
	}
	n, err := strconv.ParseInt(string(line[1:]), 10, 64)
	return n, err == nil
}

func (r *reply) fail(what string, v any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: element %d is %.50q, not %s", ErrReply, r.at, fmt.Sprint(v), what)
	}
}

// header reads a line that has a number after its mark.
func (r *reply) header(mark byte, what string) int64 {
	line := r.line()
	n, ok := number(line, mark)
	if !ok {
		r.fail(what, string(line))
	}
	return n
}

func (r *reply) integer() int64 {
	r.at++
	return r.header(':', "an integer")
}

func (r *reply) count() int64 {
	n := r.integer()
	if n < 0 {
		r.fail("a number of something", n)
	}
	return max(n, 0)
}

func (r *reply) array() int64 {
	r.at++
	n := r.header('*', "an array")
	if n < 0 {
		r.fail("an array", n)
	}
	return n
}

func (r *reply) bytes() []byte {
	r.at++
	return r.string("a string")
}

// string is a bulk string, which may be of an array that is one element.
func (r *reply) string(what string) []byte {
	n := r.header('$', what)
	switch {
	case r.err != nil:
		return nil
	case n < 0 || n > int64(len(r.rest)) || !bytes.HasPrefix(r.rest[n:], []byte("\r\n")):
		r.fail(what, fmt.Sprintf("of %d bytes", n))
		return nil
	}
	s := r.rest[:n:n]
	r.rest = r.rest[n+2:]
	return s
}

func (r *reply) hex() uint64 {
	s := string(r.bytes())
	n, err := ParseHex[uint64](s)
	if err != nil {
		r.fail("16 hexadecimal digits", s)
	}
	return n
}

func (r *reply) replica() tlv.ReplicaID {
	n := r.hex()
	if n == 0 {
		r.fail("a replica ID", "0")
	}
	return tlv.ReplicaID(n)
}

func (r *reply) vector() (v tlv.Vector) {
	data := r.bytes()
	if r.err == nil {
		var err error
		if v, err = tlv.ParseVector(data); err != nil {
			r.err = fmt.Errorf("%w: element %d: %w", ErrReply, r.at, err)
		}
	}
	return v
}

func ids[T ~uint64](r *reply) (list []T) {
	for range r.array() {
		s := string(r.string("an array of replica IDs"))
		id, err := ParseHex[T](s)
		if err != nil || id == 0 {
			r.fail("an array of replica IDs", s)
			return nil
		}
		list = append(list, id)
	}
	return list
}

func (r *reply) cluster() (c tlv.Cluster) {
	c.Names = ids[tlv.ClusterID](r)
	if len(c.Names) > tlv.MaxClusterNames || !slices.IsSorted(c.Names) {
		r.fail("the names of a cluster", c.Names)
	}
	c.Provisional = r.count() == 1
	return c
}

// end is after the last element.
func (r *reply) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%w: %d bytes too many", ErrReply, len(r.rest))
	}
	return r.err
}

// Hex is how IDs and lives are written on the wire and in the log.
func Hex[T ~uint64](n T) string { return fmt.Sprintf("%016x", uint64(n)) }

// ParseHex reads what Hex has written.
func ParseHex[T ~uint64](s string) (T, error) {
	if len(s) != 16 {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(s, 16, 64)
	return T(n), err
}
